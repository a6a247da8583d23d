"""Whole versions and single files, byte for byte as they came in."""

from dataclasses import replace
from typing import Any

from django.http import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.bodies import NOT_KEPT
from apps.core.api.requests import ApiRequest
from apps.core.api.streaming import StreamedResponse
from apps.core.errors import NotAuthenticated
from apps.core.identity import Actor, Via, refuse_without_factor
from apps.core.identity.middleware import context_of
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import Dataset
from apps.datasets.selectors.contents import file_at, manifest_of, totals_of
from apps.datasets.selectors.versions import Version, version_named
from apps.datasets.services import downloads

VERSION_HELP = "A tag, r and the number of a revision, or head."
MANIFEST = OpenApiParameter(
    "manifest", OpenApiTypes.STR, description="Present: digests and paths as `sha256sum --check` reads them."
)
ZIP, TEXT = "application/zip", "text/plain"


class DownloadQuery(serializers.Serializer[Any]):
    version = serializers.CharField(max_length=60, required=False, default="head", help_text=VERSION_HELP)
    path = serializers.CharField(
        max_length=1024,
        required=False,
        allow_blank=True,
        default="",
        trim_whitespace=False,
        help_text="A single file.",
    )
    partial = serializers.BooleanField(  # type: ignore[assignment]  # a name of the base class, which needs none
        required=False, default=False, help_text="Without the files in quarantine."
    )
    link = serializers.CharField(
        max_length=2000, required=False, allow_blank=True, default="", help_text="Of an address that POST gave."
    )


class DownloadLinkRequestSerializer(serializers.Serializer[Any]):
    version = serializers.CharField(max_length=60, default="head", help_text=VERSION_HELP)
    path = serializers.CharField(max_length=1024, default="", allow_blank=True, trim_whitespace=False)
    partial = serializers.BooleanField(  # type: ignore[assignment]  # a name of the base class, which needs none
        default=False, help_text="Without the files in quarantine."
    )


class DatasetLinkRequestSerializer(DownloadLinkRequestSerializer):
    direct = serializers.BooleanField(
        default=False,
        help_text="The object store's own link to a single file, noted as a download when it is given.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["direct"] and not attrs["path"]:
            raise serializers.ValidationError({"direct": _("Only a single file has one: name its path.")})
        return attrs


class DownloadLinkSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="Opens this one object until it expires; needs no sign-in.")
    manifest_url = serializers.URLField()
    expires_at = serializers.DateTimeField()
    file_name = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of a single file as it came in; of all of them the manifest has it.")
    revision = serializers.IntegerField()
    files = serializers.IntegerField()
    damaged = serializers.IntegerField(help_text="Files in quarantine; with any, only what is partial is sent.")
    bytes = serializers.IntegerField(help_text="Of the files.")
    size = serializers.IntegerField(help_text="Of what is sent.")


class DownloadView(APIView):
    request: ApiRequest
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="datasets_download_retrieve",
        parameters=[DATASET, DownloadQuery, MANIFEST],
        responses={(200, kind): OpenApiTypes.BINARY for kind in (ZIP, TEXT, downloads.OCTETS)},
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> HttpResponseBase:
        """A version as a ZIP, a single file of it, or its manifest. By a link of POST, or signed in."""
        if token := request.query_params.get("link"):
            # What else is asked for does not count: the link says what it opens.
            actor, wanted = downloads.link_open(token=token, dataset_id=dataset_id, **context_of(request._request))
            count_for(self, request, actor)
        else:
            actor = signed_in(request.actor)
            form = DownloadQuery(data=request.query_params)
            form.is_valid(raise_exception=True)
            given = form.validated_data
            wanted = downloads.Wanted(given["version"], given["path"], is_manifest(request), given["partial"])
        dataset = Dataset.objects.select_related("split_plan__base").get_visible(actor, pk=dataset_id)
        return _answer(request, actor, version_named(dataset, wanted.version), wanted)

    @extend_schema(
        operation_id="datasets_download_create",
        parameters=[DATASET],
        request=DatasetLinkRequestSerializer,
        responses={201: DownloadLinkSerializer},
    )
    def post(self, request: ApiRequest, dataset_id: Any) -> Response:
        """A link to a version, or to a single file of it, that opens this one object for five minutes."""
        actor = signed_in(request.actor)
        dataset = visible_dataset(request, dataset_id)
        form = DatasetLinkRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        direct = form.validated_data.pop("direct")
        wanted, key = downloads.Wanted(**form.validated_data), session_key(request)
        if direct:
            whole = downloads.link_sign_direct(actor=actor, dataset=dataset, wanted=wanted)
        else:
            whole = downloads.link_sign(actor=actor, dataset=dataset, wanted=wanted, session_key=key)
        described = replace(wanted, manifest=True)
        manifest = downloads.link_sign(actor=actor, dataset=dataset, wanted=described, session_key=key)
        answer = {
            "url": request.build_absolute_uri(whole.address),
            "manifest_url": request.build_absolute_uri(manifest.address),
            "expires_at": whole.expires_at,
            **measured(version_named(dataset, wanted.version), wanted.path),
        }
        return Response(DownloadLinkSerializer(answer).data, status=status.HTTP_201_CREATED, headers=NOT_KEPT)


def measured(version: Version, path: str) -> dict[str, Any]:
    """What a download is called and how much it is."""
    if path:
        file = file_at(version, path)
        sizes = {"files": 1, "damaged": int(bool(file.damage)), "bytes": file.size, "size": file.size}
        name = path.rpartition("/")[2]
        return {"file_name": name, "sha256": file.sha256, "revision": version.no, **sizes}
    totals = totals_of(version)
    sizes = {"files": totals.files, "damaged": totals.damaged, "bytes": totals.bytes, "size": totals.layout.length}
    return {"file_name": downloads.file_name(version, "zip"), "sha256": "", "revision": version.no, **sizes}


def signed_in(actor: Actor) -> Actor:
    """Raises `NotAuthenticated` for nobody: these doors open by links too."""
    if not actor.is_authenticated:
        raise NotAuthenticated(_("Sign in first."))
    refuse_without_factor(actor, actor.organization_id)
    return actor


def count_for(view: APIView, request: ApiRequest, actor: Actor) -> None:
    """Takes what comes by a link for a request of the person whose link it is. Raises `Throttled` beyond their limits.

    Who is signed in beside it was counted already.
    """
    if request.actor.user_id is None:
        request._request.actor = actor  # type: ignore[attr-defined]
        view.check_throttles(request)


def session_key(request: ApiRequest) -> str | None:
    """The session that the request came by; None for a program, whatever cookie it sends."""
    return request.session.session_key if request.actor.via == Via.SESSION else None


def is_manifest(request: ApiRequest) -> bool:
    """`?manifest`, with any value or none."""
    return "manifest" in request.query_params


def kind_and_name(version: Version, wanted: downloads.Wanted) -> tuple[str, str]:
    """Media type and file name of what is wanted."""
    if wanted.manifest:
        return TEXT, downloads.file_name(version, "sha256")
    if wanted.path:
        return downloads.OCTETS, wanted.path.rpartition("/")[2]
    return ZIP, downloads.file_name(version, "zip")


def _answer(request: ApiRequest, actor: Actor, version: Version, wanted: downloads.Wanted) -> HttpResponseBase:
    kind, name = kind_and_name(version, wanted)
    if request.method != "GET":
        return attached((), kind, name)
    if wanted.manifest:
        downloads.manifest_download(actor=actor, dataset=version.dataset, version=version)
        return attached(manifest_of(version), kind, name)
    totals = downloads.dataset_download(
        actor=actor, dataset=version.dataset, version=version, path=wanted.path, partial=wanted.partial
    )
    if wanted.path:
        return attached(downloads.file_chunks(version, wanted.path), kind, name, totals.bytes)
    return attached(downloads.archive_chunks(version, totals), kind, name, totals.layout.length)


def attached(chunks: Any, media_type: str, name: str, size: int | None = None) -> HttpResponseBase:
    """A file that is sent while it is read, for saving and never for showing."""
    response = StreamedResponse(chunks, content_type=media_type)
    if size is not None:
        response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
