from typing import TYPE_CHECKING, Self

from django.db.models import Count

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.evaluation.models import InferenceJob  # noqa: F401


class InferenceJobQuerySet(PermittedQuerySet["InferenceJob"]):
    def with_job(self) -> Self:
        return self.select_related("job__project", "checkpoint").annotate(input_count=Count("inputs"))
