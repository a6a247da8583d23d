"""Making versions of a dataset public and taking them back, for those whose it is."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, signed_in
from apps.datasets import services
from apps.datasets.forms import ReleaseForm
from apps.datasets.models import Dataset, Visibility
from apps.datasets.selectors.public import is_readable, public_versions
from apps.datasets.selectors.versions import version_named, version_names
from apps.datasets.services.releasing import release_obstacle
from apps.datasets.views.frame import framed, visible


@signed_in
@require_http_methods(["GET", "POST"])
def release(request: PortalRequest, pk: str) -> HttpResponse:
    """The question before a version becomes public: it names what everybody will see."""
    dataset = visible(request, pk)
    policy.require(request.actor, "datasets.release_dataset", dataset)
    names = version_names(dataset)
    initial = {"version": request.GET.get("version") or (names[0][0] if names else "")}
    form = ReleaseForm(request.POST or None, names=names, initial=initial)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.version_release(actor=request.actor, dataset=dataset, **form.cleaned_data)
            messages.success(request, _("The version is public."))
            return redirect("datasets:sharing", pk=pk)
    chosen = form["version"].value()
    found = version_named(dataset, chosen) if chosen in dict(names) else None
    context = framed(request, dataset, "sharing", form=form, chosen=found, names=names, **publicity(request, dataset))
    return render(request, "datasets/release.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def withdraw(request: PortalRequest, pk: str) -> HttpResponse:
    with error_messages(request):
        services.dataset_withdraw(actor=request.actor, dataset=visible(request, pk))
        messages.success(request, _("Nothing of the dataset is public any more."))
    return redirect("datasets:sharing", pk=pk)


def publicity(request: PortalRequest, dataset: Dataset) -> dict[str, Any]:
    """What `datasets/_public.html` shows of a dataset: what of it is public, and why nothing more can be."""
    is_public = dataset.visibility == Visibility.PUBLIC
    return {
        "is_public": is_public,
        # Public, and shut all the same: the organization forbids it, or it or the project is closed.
        "is_shown": is_public and is_readable(request.actor, dataset),
        "public_versions": public_versions(dataset),
        "obstacle": release_obstacle(dataset),
    }
