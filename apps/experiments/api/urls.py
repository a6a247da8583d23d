from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.experiments.api import views

router = SimpleRouter(trailing_slash=False)
router.register("experiments", views.ExperimentViewSet, basename="experiment")
runs = SimpleRouter(trailing_slash=False)
runs.register("runs", views.RunViewSet, basename="experiment-run")

urlpatterns = [*router.urls, path("experiments/<uuid:experiment_id>/", include(runs.urls))]
