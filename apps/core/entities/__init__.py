"""Bases of the models: ids, times, versions, trash."""

from apps.core.entities.ids import uuid7
from apps.core.entities.models import Entity, Trashable

__all__ = ["Entity", "Trashable", "uuid7"]
