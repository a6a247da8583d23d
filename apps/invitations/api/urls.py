from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.invitations.api import views

router = SimpleRouter(trailing_slash=False)
router.register("invitations", views.InvitationViewSet, basename="invitation")

urlpatterns = [
    path("invitations/bulk", views.InvitationBulkView.as_view(), name="invitation-bulk"),
    path("invitations/<str:token>/info", views.InvitationInfoView.as_view(), name="invitation-info"),
    path("invitations/<str:token>/accept", views.InvitationAcceptView.as_view(), name="invitation-accept"),
    path("invitations/<str:token>/decline", views.InvitationDeclineView.as_view(), name="invitation-decline"),
    *router.urls,
]
