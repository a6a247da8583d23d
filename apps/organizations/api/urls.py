from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.organizations.api import views

router = SimpleRouter(trailing_slash=False)
router.register("organizations", views.OrganizationViewSet, basename="organization")
members = SimpleRouter(trailing_slash=False)
members.register("members", views.MemberViewSet, basename="organization-member")

urlpatterns = [
    path("auth/sign-up", views.SignUpView.as_view(), name="auth-sign-up"),
    path("auth/verify-email", views.VerifyEmailView.as_view(), name="auth-verify-email"),
    path("auth/token", views.TokenView.as_view(), name="auth-token"),
    path("auth/token/mfa", views.TokenCodeView.as_view(), name="auth-token-mfa"),
    path("auth/token/refresh", views.TokenRefreshView.as_view(), name="auth-token-refresh"),
    path("auth/token/revoke", views.TokenRevokeView.as_view(), name="auth-token-revoke"),
    path("auth/password/forgot", views.PasswordForgotView.as_view(), name="auth-password-forgot"),
    path("auth/password/reset", views.PasswordResetView.as_view(), name="auth-password-reset"),
    path("auth/password/change", views.PasswordChangeView.as_view(), name="auth-password-change"),
    path("ws-tickets", views.TicketView.as_view(), name="ws-tickets"),
    *router.urls,
    path("organizations/<uuid:organization_id>/", include(members.urls)),
]
