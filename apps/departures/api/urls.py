from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.departures.api import views

exports = SimpleRouter(trailing_slash=False)
exports.register("exports", views.ExportViewSet, basename="organization-export")

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("organizations/<uuid:organization_id>/deletion", views.DeletionView.as_view(), name="organization-deletion"),
    path("organizations/<uuid:organization_id>/", include(exports.urls)),
]
