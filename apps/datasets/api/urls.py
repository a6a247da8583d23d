from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.datasets.api import images, snapshots, uploads, views

router = SimpleRouter(trailing_slash=False)
router.register("datasets", views.DatasetViewSet, basename="dataset")
inner = SimpleRouter(trailing_slash=False)
inner.register("uploads", uploads.UploadViewSet, basename="dataset-upload")
inner.register("images", images.ImageViewSet, basename="dataset-image")
inner.register("snapshots", snapshots.SnapshotViewSet, basename="dataset-snapshot")

urlpatterns = [*router.urls, path("datasets/<uuid:dataset_id>/", include(inner.urls))]
