from django.urls import path

from apps.datasets.views import detail, files, images, lists, statistics, uploads, versions

app_name = "datasets"
urlpatterns = [
    path("", lists.dataset_list, name="list"),
    path("new/", lists.dataset_create, name="create"),
    path("trash/", lists.trash, name="trash"),
    path("<uuid:pk>/", images.images, name="detail"),
    path("<uuid:pk>/images/act/", images.act, name="images-act"),
    path("<uuid:pk>/images/<int:item>/", images.image, name="image"),
    path("<uuid:pk>/classes/", detail.classes, name="classes"),
    path("<uuid:pk>/versions/", versions.versions, name="versions"),
    path("<uuid:pk>/versions/restore/", versions.restore, name="version-restore"),
    path("<uuid:pk>/compare/", versions.compare, name="compare"),
    path("<uuid:pk>/snapshots/<uuid:snapshot_pk>/delete/", versions.snapshot_delete, name="snapshot-delete"),
    path("<uuid:pk>/files/", files.files, name="files"),
    path("<uuid:pk>/files/download/", files.download, name="download"),
    path("<uuid:pk>/files/check/", files.check, name="check"),
    path("<uuid:pk>/statistics/", statistics.statistics, name="statistics"),
    path("<uuid:pk>/usage/", versions.usage, name="usage"),
    path("<uuid:pk>/history/", detail.history, name="history"),
    path("<uuid:pk>/edit/", detail.change, name="change"),
    path("<uuid:pk>/sharing/", detail.sharing, name="sharing"),
    path("<uuid:pk>/split/", detail.split, name="split"),
    path("<uuid:pk>/split/remove/", detail.split_remove, name="split-remove"),
    path("<uuid:pk>/trash/", lists.dataset_trash, name="delete"),
    path("<uuid:pk>/restore/", lists.dataset_restore, name="restore"),
    path("<uuid:pk>/upload/", uploads.upload, name="upload"),
    path("<uuid:pk>/uploads/", uploads.upload_list, name="uploads"),
    path("<uuid:pk>/uploads/<uuid:upload_pk>/", uploads.report, name="upload-detail"),
    path("<uuid:pk>/uploads/<uuid:upload_pk>/lenient/", uploads.lenient, name="upload-lenient"),
    path("<uuid:pk>/uploads/<uuid:upload_pk>/publish/", uploads.publish, name="upload-publish"),
    path("<uuid:pk>/uploads/<uuid:upload_pk>/cancel/", uploads.cancel, name="upload-cancel"),
]
