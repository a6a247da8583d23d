from django.urls import path
from rest_framework.routers import SimpleRouter

from apps.apikeys.api import views

router = SimpleRouter(trailing_slash=False)
router.register("api-keys", views.ApiKeyViewSet, basename="api-key")

urlpatterns = [
    path("api-endpoints", views.EndpointsView.as_view(), name="api-endpoints"),
    path("me/permissions", views.MyPermissionsView.as_view(), name="me-permissions"),
    *router.urls,
]
