from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.datasets.api import downloads, images, integrity, snapshots, statistics, uploads, versions, views

router = SimpleRouter(trailing_slash=False)
router.register("datasets", views.DatasetViewSet, basename="dataset")
inner = SimpleRouter(trailing_slash=False)
inner.register("uploads", uploads.UploadViewSet, basename="dataset-upload")
inner.register("images", images.ImageViewSet, basename="dataset-image")
inner.register("snapshots", snapshots.SnapshotViewSet, basename="dataset-snapshot")
inner.register("versions", versions.VersionViewSet, basename="dataset-version")

urlpatterns = [
    # Before the datasets by id: their words are no ids.
    path("datasets/compare", versions.CompareView.as_view(), name="dataset-compare"),
    path("datasets/compare/images", versions.CompareImagesView.as_view(), name="dataset-compare-images"),
    path("datasets/most-used", versions.MostUsedView.as_view(), name="dataset-most-used"),
    path("datasets/duplicates", integrity.DuplicateSetsView.as_view(), name="dataset-duplicates"),
    *router.urls,
    path(
        "datasets/<uuid:dataset_id>/",
        include(
            [
                *inner.urls,
                path("statistics", statistics.StatisticsView.as_view(), name="dataset-statistics"),
                path("usage", versions.UsageView.as_view(), name="dataset-usage"),
                path("duplicates", integrity.DuplicateImagesView.as_view(), name="dataset-duplicate-images"),
                path("integrity", integrity.IntegrityView.as_view(), name="dataset-integrity"),
                path("download", downloads.DownloadView.as_view(), name="dataset-download"),
            ]
        ),
    ),
]
