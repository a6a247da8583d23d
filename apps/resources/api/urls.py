from rest_framework.routers import SimpleRouter

from apps.resources.api import views

router = SimpleRouter(trailing_slash=False)
router.register("resource-groups", views.ResourceGroupViewSet, basename="resource-group")
router.register("nodes", views.NodeViewSet, basename="node")
urlpatterns = router.urls
