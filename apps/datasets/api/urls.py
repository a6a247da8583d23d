from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.datasets.api import (
    direct,
    downloads,
    exports,
    formats,
    images,
    imports,
    integrity,
    public,
    public_downloads,
    snapshots,
    statistics,
    uploads,
    versions,
    views,
)

router = SimpleRouter(trailing_slash=False)
router.register("datasets", views.DatasetViewSet, basename="dataset")
folders = SimpleRouter(trailing_slash=False)
folders.register("datasets/server-folders", imports.ServerFolderViewSet, basename="server-folder")
shown = SimpleRouter(trailing_slash=False)
shown.register("datasets/public", public.PublicDatasetViewSet, basename="public-dataset")
shown_inner = SimpleRouter(trailing_slash=False)
shown_inner.register("images", public.PublicImageViewSet, basename="public-dataset-image")
inner = SimpleRouter(trailing_slash=False)
inner.register("uploads", uploads.UploadViewSet, basename="dataset-upload")
inner.register("images", images.ImageViewSet, basename="dataset-image")
inner.register("snapshots", snapshots.SnapshotViewSet, basename="dataset-snapshot")
inner.register("versions", versions.VersionViewSet, basename="dataset-version")
inner.register("exports", exports.ExportViewSet, basename="dataset-export")

urlpatterns = [
    # Before the datasets by id: their words are no ids.
    path("datasets/compare", versions.CompareView.as_view(), name="dataset-compare"),
    path("datasets/compare/images", versions.CompareImagesView.as_view(), name="dataset-compare-images"),
    path("datasets/formats", formats.FormatsView.as_view(), name="dataset-formats"),
    path("datasets/most-used", versions.MostUsedView.as_view(), name="dataset-most-used"),
    path("datasets/duplicates", integrity.DuplicateSetsView.as_view(), name="dataset-duplicates"),
    *folders.urls,
    *shown.urls,
    path(
        "datasets/public/<uuid:dataset_id>/",
        include(
            [
                *shown_inner.urls,
                path("statistics", public.PublicStatisticsView.as_view(), name="public-dataset-statistics"),
                path("download", public_downloads.PublicDownloadView.as_view(), name="public-dataset-download"),
            ]
        ),
    ),
    *router.urls,
    path(
        "datasets/<uuid:dataset_id>/",
        include(
            [
                *inner.urls,
                path("uploads/<uuid:upload_id>/direct", direct.DirectFilesView.as_view(), name="dataset-direct"),
                path(
                    "uploads/<uuid:upload_id>/direct/<uuid:id>",
                    direct.DirectFileView.as_view(),
                    name="dataset-direct-file",
                ),
                path(
                    "uploads/<uuid:upload_id>/direct/<uuid:id>/parts",
                    direct.DirectPartsView.as_view(),
                    name="dataset-direct-parts",
                ),
                path(
                    "uploads/<uuid:upload_id>/direct/<uuid:id>/complete",
                    direct.DirectCompleteView.as_view(),
                    name="dataset-direct-complete",
                ),
                path("export", exports.ExportView.as_view(), name="dataset-export-ask"),
                path(
                    "exports/<uuid:id>/download", exports.ExportDownloadView.as_view(), name="dataset-export-download"
                ),
                path("import", imports.ImportView.as_view(), name="dataset-import"),
                path("statistics", statistics.StatisticsView.as_view(), name="dataset-statistics"),
                path("usage", versions.UsageView.as_view(), name="dataset-usage"),
                path("duplicates", integrity.DuplicateImagesView.as_view(), name="dataset-duplicate-images"),
                path("integrity", integrity.IntegrityView.as_view(), name="dataset-integrity"),
                path("download", downloads.DownloadView.as_view(), name="dataset-download"),
            ]
        ),
    ),
]
