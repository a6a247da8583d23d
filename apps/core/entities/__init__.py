"""Bases of the models: ids, times, versions, trash, what names may hold, and questions asked often."""

from apps.core.entities.ids import uuid7
from apps.core.entities.models import Entity, Trashable
from apps.core.entities.questions import Question
from apps.core.entities.validators import PLAIN

__all__ = ["PLAIN", "Entity", "Question", "Trashable", "uuid7"]
