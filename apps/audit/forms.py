"""The filters above the activity pages."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from django import forms
from django.apps import apps
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.audit.selectors import EventFilter
from apps.core import policy
from apps.core.auditing import actions
from apps.core.portal.choices import LongSelect
from apps.core.portal.views import SEARCH_CHARACTERS

# The day after it is still one.
LAST_DAY = date.max - timedelta(days=1)


def entity_name(label: str) -> str:
    """A model's label ("projects.project") in the reader's language; the label itself for what is not installed."""
    try:
        return str(apps.get_model(label)._meta.verbose_name)
    except (LookupError, ValueError):
        return label


@cache
def _actions(language: str | None) -> list[tuple[str, str]]:
    """Every action by its name in the language: hundreds, which change with the program only."""
    return sorted(((action.code, str(action.label)) for action in actions()), key=lambda item: item[1])


@cache
def _entities(language: str | None) -> list[tuple[str, str]]:
    """The kinds of things that permissions are about."""
    labels = {policy.rule_of(name).model._meta.label_lower for name in policy.names()}
    return [(label, entity_name(label)) for label in sorted(labels)]


class ActivityForm(forms.Form):
    """Every field may be empty, and one that cannot be understood counts as such.

    `people` are (id, name) of those who may be chosen; without any there is no field.
    """

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=SEARCH_CHARACTERS,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Search names, people, words")}),
    )
    action = forms.ChoiceField(label=_("Action"), required=False, widget=LongSelect)
    entity = forms.ChoiceField(label=_("Kind of thing"), required=False, widget=LongSelect)
    person = forms.ChoiceField(label=_("Person"), required=False, widget=LongSelect)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, *, people: Iterable[tuple[Any, str]] = ()) -> None:
        super().__init__(data)
        self._choose("action", _("Every action"), _actions(get_language()))
        self._choose("entity", _("Everything"), _entities(get_language()))
        chosen = [(str(key), name) for key, name in people]
        self._choose("person", _("Everybody"), chosen)
        if not chosen:
            del self.fields["person"]

    def _choose(self, name: str, everything: Any, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = [("", everything), *choices]

    @property
    def wanted(self) -> EventFilter:
        """What the fields ask for; errors are said on the page."""
        self.is_valid()
        found = self.cleaned_data
        person = found.get("person")
        since, until = found.get("since"), found.get("until")
        return EventFilter(
            action=found.get("action") or "",
            entity_type=found.get("entity") or "",
            actor_id=UUID(person) if person else None,
            since=_midnight(since) if since else None,
            until=_midnight(min(until, LAST_DAY) + timedelta(days=1)) if until else None,
            text=found.get("q") or "",
        )


def _midnight(day: date) -> datetime:
    """The day's beginning in the reader's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
