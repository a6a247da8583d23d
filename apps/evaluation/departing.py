"""Inference jobs go ahead of the checkpoints that they tried; their pictures are blobs of the organization."""

from uuid import UUID

from django.db.models import QuerySet

from apps.departures.contributions import Contribution, Removal
from apps.evaluation.models import InferenceInput, InferenceJob


def _inputs(organization_id: UUID) -> QuerySet[InferenceInput]:
    return InferenceInput.objects.filter(job__job__organization_id=organization_id)


def _inferences(organization_id: UUID) -> QuerySet[InferenceJob]:
    return InferenceJob.objects.filter(job__organization_id=organization_id)


CONTRIBUTION = Contribution(removals=(Removal(_inputs), Removal(_inferences)))
