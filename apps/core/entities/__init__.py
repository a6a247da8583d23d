"""Bases of the models: ids, times, versions, trash, and what names may hold."""

from apps.core.entities.ids import uuid7
from apps.core.entities.models import Entity, Trashable
from apps.core.entities.validators import PLAIN

__all__ = ["PLAIN", "Entity", "Trashable", "uuid7"]
