from rest_framework.routers import SimpleRouter

from apps.trainers.api.views import TrainerViewSet

router = SimpleRouter(trailing_slash=False)
router.register("trainers", TrainerViewSet, basename="trainer")
urlpatterns = router.urls
