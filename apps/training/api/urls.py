from rest_framework.routers import SimpleRouter

from apps.training.api.views import TrainingJobViewSet

router = SimpleRouter(trailing_slash=False)
router.register("training-jobs", TrainingJobViewSet, basename="training-job")
urlpatterns = router.urls
