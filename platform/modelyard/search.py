"""What the palette (Ctrl K) finds beside pages: projects, datasets and trainings by a part of their name."""

from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core.identity.requests import PortalRequest
from apps.core.portal import search_of, signed_in
from apps.datasets.models import Dataset
from apps.projects.models import Project
from apps.training.models import TrainingJob

EACH = 5


@signed_in
@require_GET
def search(request: PortalRequest) -> HttpResponse:
    """`?q=` → `{"results": [{"name", "url", "note", "icon"}]}`, five of a kind at most. One query for each kind."""
    text = search_of(request)
    if not text:
        return JsonResponse({"results": []})
    mine = {"organization": request.actor.organization_id}
    projects = Project.objects.visible(request.actor).filter(**mine)
    datasets = Dataset.objects.visible(request.actor).filter(**mine)
    trainings = TrainingJob.objects.visible(request.actor).filter(job__organization=request.actor.organization_id)
    found = [
        *_rows(projects, text, "name", _("Project"), "folder"),
        *_rows(datasets, text, "name", _("Dataset"), "database"),
        *_rows(trainings.select_related("job"), text, "job__name", _("Training"), "chart-dots"),
    ]
    return JsonResponse({"results": found})


def _rows(rows: QuerySet[Any], text: str, column: str, note: str, icon: str) -> list[dict[str, str]]:
    """Names that begin with the text first, then the newest."""
    begins = Case(
        When(Q(**{f"{column}__istartswith": text}), then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    found = rows.filter(**{f"{column}__icontains": text}).order_by(begins, "-pk")[:EACH]
    return [{"name": str(row), "url": row.get_absolute_url(), "note": note, "icon": icon} for row in found]
