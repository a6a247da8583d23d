from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.api.bodies import NOT_KEPT
from apps.core.api.requests import ApiRequest
from apps.core.identity import Actor
from apps.core.identity.middleware import context_of
from apps.datasets.api.downloads import (
    MANIFEST,
    TEXT,
    ZIP,
    DownloadLinkRequestSerializer,
    DownloadLinkSerializer,
    DownloadQuery,
    attached,
    count_for,
    is_manifest,
    kind_and_name,
    measured,
    session_key,
    signed_in,
)
from apps.datasets.api.public import read_dataset
from apps.datasets.api.views import DATASET
from apps.datasets.selectors.contents import manifest_of
from apps.datasets.selectors.public import public_dataset, public_version
from apps.datasets.selectors.versions import Version
from apps.datasets.services import downloads
from apps.datasets.services.public_downloads import (
    public_download,
    public_link_open,
    public_link_sign,
    public_manifest_download,
    while_public,
)


class PublicDownloadView(APIView):
    request: ApiRequest
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="datasets_public_download_retrieve",
        parameters=[DATASET, DownloadQuery, MANIFEST],
        responses={(200, kind): OpenApiTypes.BINARY for kind in (ZIP, TEXT, downloads.OCTETS)},
    )
    def get(self, request: ApiRequest, dataset_id: Any) -> HttpResponseBase:
        """A public version as a ZIP, a single file of it, or its manifest. By a link of POST, or signed in."""
        if token := request.query_params.get("link"):
            # What else is asked for does not count: the link says what it opens.
            actor, wanted = public_link_open(token=token, dataset_id=dataset_id, **context_of(request._request))
            count_for(self, request, actor)
        else:
            actor = signed_in(request.actor)
            form = DownloadQuery(data=request.query_params)
            form.is_valid(raise_exception=True)
            given = form.validated_data
            wanted = downloads.Wanted(given["version"], given["path"], is_manifest(request), given["partial"])
        version = public_version(public_dataset(actor, dataset_id), wanted.version)
        return _answer(request, actor, version, wanted)

    @extend_schema(
        operation_id="datasets_public_download_create",
        parameters=[DATASET],
        request=DownloadLinkRequestSerializer,
        responses={201: DownloadLinkSerializer},
    )
    def post(self, request: ApiRequest, dataset_id: Any) -> Response:
        """A link to a public version, or to a single file of it, for five minutes and as long as it is public."""
        actor = signed_in(request.actor)
        dataset = read_dataset(request, dataset_id)
        form = DownloadLinkRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given, key = form.validated_data, session_key(request)
        whole, manifest = (
            public_link_sign(
                actor=actor, dataset=dataset, wanted=downloads.Wanted(**given, manifest=is_list), session_key=key
            )
            for is_list in (False, True)
        )
        answer = {
            "url": request.build_absolute_uri(whole.address),
            "manifest_url": request.build_absolute_uri(manifest.address),
            "expires_at": whole.expires_at,
            **measured(public_version(dataset, given["version"]), given["path"]),
        }
        return Response(DownloadLinkSerializer(answer).data, status=status.HTTP_201_CREATED, headers=NOT_KEPT)


def _answer(request: ApiRequest, actor: Actor, version: Version, wanted: downloads.Wanted) -> HttpResponseBase:
    dataset = version.dataset
    kind, name = kind_and_name(version, wanted)
    if request.method != "GET":
        return attached((), kind, name)
    if wanted.manifest:
        public_manifest_download(actor=actor, dataset=dataset, version=version)
        return attached(while_public(actor, dataset, manifest_of(version)), kind, name)
    totals = public_download(actor=actor, dataset=dataset, version=version, path=wanted.path, partial=wanted.partial)
    if wanted.path:
        chunks = downloads.file_chunks(version, wanted.path)
        return attached(while_public(actor, dataset, chunks), kind, name, totals.bytes)
    chunks = downloads.archive_chunks(version, totals)
    return attached(while_public(actor, dataset, chunks), kind, name, totals.layout.length)
