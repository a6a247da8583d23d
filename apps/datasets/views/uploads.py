import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, page_of, signed_in
from apps.datasets import selectors, services
from apps.datasets.analysis import NO_SPLIT, UNREAD
from apps.datasets.defects import REASONS, Defect, describe
from apps.datasets.foreign import FORMATS
from apps.datasets.forms import FormatForm, PublishForm
from apps.datasets.models import Split, Task, Upload, UploadState
from apps.datasets.selectors.images import PAIRS
from apps.datasets.selectors.integrity import elsewhere_seen
from apps.datasets.sources import failure_words
from apps.datasets.views.frame import class_table, framed, visible
from apps.datasets.views.imports import import_tabs
from apps.datasets.views.unfinished import address_of_the_rest, unfinished_upload

DEFECTS = 200
FORMAT_NAMES = {
    "yolo": "YOLO",
    "coco": "COCO",
    "pascal_voc": "Pascal VOC",
    "imagefolder": "ImageFolder",
    "dice": "DICE",
    "images": gettext_lazy("Images alone"),
    "unknown": gettext_lazy("Unknown"),
    **{name: found.title for name, found in FORMATS.items()},
}
#: What the rows of a YOLO label, or the folders of a set of classes, say; by task.
LABELS = {
    Task.DETECT: gettext_lazy(
        "Each label has a row for each object: class, then centre x, centre y, width and height as fractions of the "
        "picture."
    ),
    Task.SEGMENT: gettext_lazy(
        "Each label has a row for each object: class, then x and y of every point of its outline as fractions of the "
        "picture."
    ),
    Task.POSE: gettext_lazy(
        "Each label has a row for each object: class, its box (centre x, centre y, width, height), then x, y and "
        "visibility of every keypoint. kpt_shape in data.yaml says how many there are."
    ),
    Task.OBB: gettext_lazy(
        "Each label has a row for each object: class, then x and y of its four corners as fractions of the picture."
    ),
    Task.CLASSIFY: gettext_lazy("The folder of a picture is its class; splits are folders above."),
}


@signed_in
@require_GET
def upload(request: PortalRequest, pk: str) -> HttpResponseBase:
    """Where files are dropped; the page's script sends them over REST."""
    dataset = visible(request, pk)
    policy.require(request.actor, "datasets.change_dataset", dataset)
    origin = selectors.direct_origin()
    context = framed(
        request,
        dataset,
        "uploads",
        ways=import_tabs(dataset, "computer"),
        labels=LABELS[Task(dataset.task)],
        folders=dataset.task == Task.CLASSIFY,
        api=f"/api/v1/datasets/{dataset.pk}",
        done=reverse("datasets:uploads", args=[pk]) + "{id}/",
        format_form=FormatForm(),
        direct=bool(origin),
        part_bytes=services.PART_BYTES,
        unfinished=unfinished_upload(request, dataset),
    )
    page: Callable[[HttpRequest], HttpResponseBase]
    page = partial(render, template_name="datasets/upload.html", context=context)
    # The one page that may send to the store.
    return csp_update({"connect-src": [origin]})(page)(request) if origin else page(request)


@signed_in
@require_GET
def upload_list(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = visible(request, pk)
    rows = Upload.objects.visible(request.actor).filter(dataset=dataset)
    page = page_of(request, rows.select_related("created_by", "revision"))
    return render(request, "datasets/uploads.html", framed(request, dataset, "uploads", page=page))


@signed_in
@require_GET
def report(request: PortalRequest, pk: str, upload_pk: str) -> HttpResponse:
    """What the analysis found; asks again by itself while a worker is at it.

    With the publishing done the whole page is loaded anew: its head and tabs count what was published.
    """
    found = _visible_upload(request, pk, upload_pk)
    if request.htmx and found.state == UploadState.PUBLISHED:
        return HttpResponse(headers={"HX-Refresh": "true"})
    template = "datasets/_report.html" if request.htmx else "datasets/report.html"
    context = framed(request, visible(request, pk), "uploads", upload=found, **_report(found))
    context["elsewhere"] = elsewhere_seen(request.actor, found.elsewhere)
    context["goes_on"] = address_of_the_rest(request, found)
    return render(request, template, context)


@signed_in
@require_POST
def lenient(request: PortalRequest, pk: str, upload_pk: str) -> HttpResponse:
    found = _visible_upload(request, pk, upload_pk)
    with error_messages(request):
        services.upload_analyse(actor=request.actor, upload=found, lenient=True)
    return redirect("datasets:upload-detail", pk=pk, upload_pk=upload_pk)


@signed_in
@require_POST
def analyse(request: PortalRequest, pk: str, upload_pk: str) -> HttpResponse:
    """Has the upload read as another format."""
    found = _visible_upload(request, pk, upload_pk)
    wanted = request.POST.get("format", "")
    with error_messages(request):
        services.upload_analyse(actor=request.actor, upload=found, lenient=found.lenient, format=wanted)
    return redirect("datasets:upload-detail", pk=pk, upload_pk=upload_pk)


@signed_in
@require_POST
def publish(request: PortalRequest, pk: str, upload_pk: str) -> HttpResponse:
    found = _visible_upload(request, pk, upload_pk)
    form = PublishForm(request.POST, classes=_class_names(found))
    if form.is_valid():
        with error_messages(request):
            services.upload_publish(actor=request.actor, upload=found, **form.arguments)
    else:
        messages.error(request, _("Choose what happens to the files that are there."))
    return redirect("datasets:upload-detail", pk=pk, upload_pk=upload_pk)


@signed_in
@require_POST
def cancel(request: PortalRequest, pk: str, upload_pk: str) -> HttpResponse:
    found = _visible_upload(request, pk, upload_pk)
    with error_messages(request):
        services.upload_cancel(actor=request.actor, upload=found)
        messages.success(request, _("The upload was given up."))
    return redirect("datasets:uploads", pk=pk)


def _visible_upload(request: PortalRequest, pk: str, upload_pk: str) -> Upload:
    rows = Upload.objects.select_related("dataset", "revision", "created_by")
    return rows.get_visible(request.actor, pk=upload_pk, dataset_id=pk)


def _class_names(upload: Upload) -> list[str]:
    return [found["name"] for found in upload.known_analysis["classes"]]


def _report(upload: Upload) -> dict[str, Any]:
    """The analysis in the reader's language."""
    analysis = upload.known_analysis
    labels = {**dict(Split.choices), NO_SPLIT: _("No split")}
    defects = [(found, *describe(Defect(**found))) for found in analysis["defects"][:DEFECTS]]
    preview = f"/api/v1/datasets/{upload.dataset_id}/uploads/{upload.pk}/preview"
    return {
        "analysis": analysis,
        "was_read": analysis["reason"] != UNREAD,
        "reason": REASONS.get(analysis["reason"], ""),
        "format_name": FORMAT_NAMES.get(analysis["format"], analysis["format"]),
        "task_label": dict(Task.choices).get(analysis["task"] or "", ""),
        "split_rows": [
            {"label": label, **analysis["splits"][name]}
            for name, label in labels.items()
            if name in analysis["splits"]
        ],
        "defects": [
            {**found, "sentence": sentence, "hint": hint, "pair": _pair(upload, found, preview)}
            for found, sentence, hint in defects
        ],
        "class_table": class_table(analysis["classes"]),
        "tiles": [
            {
                **found,
                "src": f"{preview}?{urlencode({'path': found['path'], 'v': found['sha256'][:16]})}",
                "name": found["path"].rpartition("/")[2],
                "boxes": json.dumps(found["objects"]),
                "split": labels.get(found["split"] or NO_SPLIT, ""),
            }
            for found in analysis["preview"]
        ],
        "fraction": _fraction(upload),
        "failure": " ".join(filter(None, failure_words(upload.failure))),
        "format_form": FormatForm(initial={"format": upload.format}),
        "publish_form": PublishForm(initial={"mode": upload.mode, "note": upload.note}, classes=_class_names(upload)),
    }


def _pair(upload: Upload, defect: dict[str, Any], preview: str) -> list[dict[str, str]]:
    """The two pictures that a finding is about, while the upload's own are there; [] for any other finding."""
    if defect["code"] not in PAIRS or upload.state not in (UploadState.READY, UploadState.REFUSED):
        return []
    other, item = defect["params"]["other"], defect["params"].get("item")
    in_dataset = f"/api/v1/datasets/{upload.dataset_id}/images/{item}/thumbnail?size=128"
    return [
        {"alt": defect["path"], "src": f"{preview}?{urlencode({'path': defect['path']})}"},
        {"alt": other, "src": f"{preview}?{urlencode({'path': other})}" if item is None else in_dataset},
    ]


def _fraction(upload: Upload) -> float | None:
    """None while it is not known: of a single file that is fetched, the length may not be told before."""
    if upload.state == UploadState.FETCHING and upload.progress.get("total") == 1:
        return None
    done, total = upload.progress.get("done"), upload.progress.get("total")
    return done / total if done is not None and total else None
