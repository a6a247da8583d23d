from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.organizations.api import members, signing_in, views

router = SimpleRouter(trailing_slash=False)
router.register("organizations", views.OrganizationViewSet, basename="organization")
inner = SimpleRouter(trailing_slash=False)
inner.register("members", members.MemberViewSet, basename="organization-member")

urlpatterns = [
    path("auth/sign-up", signing_in.SignUpView.as_view(), name="auth-sign-up"),
    path("auth/verify-email", signing_in.VerifyEmailView.as_view(), name="auth-verify-email"),
    path("auth/token", signing_in.TokenView.as_view(), name="auth-token"),
    path("auth/token/mfa", signing_in.TokenCodeView.as_view(), name="auth-token-mfa"),
    path("auth/token/refresh", signing_in.TokenRefreshView.as_view(), name="auth-token-refresh"),
    path("auth/token/revoke", signing_in.TokenRevokeView.as_view(), name="auth-token-revoke"),
    path("auth/password/forgot", signing_in.PasswordForgotView.as_view(), name="auth-password-forgot"),
    path("auth/password/reset", signing_in.PasswordResetView.as_view(), name="auth-password-reset"),
    path("auth/password/change", signing_in.PasswordChangeView.as_view(), name="auth-password-change"),
    path("ws-tickets", signing_in.TicketView.as_view(), name="ws-tickets"),
    *router.urls,
    path("organizations/<uuid:organization_id>/", include(inner.urls)),
]
