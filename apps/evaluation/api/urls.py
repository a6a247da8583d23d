from rest_framework.routers import SimpleRouter

from apps.evaluation.api.views import InferenceJobViewSet

router = SimpleRouter(trailing_slash=False)
router.register("inference-jobs", InferenceJobViewSet, basename="inference-job")
urlpatterns = router.urls
