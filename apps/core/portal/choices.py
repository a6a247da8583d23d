"""A choice among rows of which there may be any number."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Model, Q
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core.portal.components import options

# So many are listed; of more, what is typed is looked for.
LISTED = 200
# Of several that are found, so many are offered.
OFFERED = 20


class LongSelect(forms.Select):
    """A list of some hundreds, in one piece: Django draws each option from a template of its own."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = (self.format_value(value) or [""])[0]
        attributes = flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name}))
        return format_html("<select{}>{}</select>", attributes, options(self.choices, chosen))


class RowChoiceField(forms.ModelChoiceField):
    """A list of the rows while they are few. Of many one types what the row is called, by the fields `search`, the first
    of which names it: one that is meant is taken, of several the form comes back with a list of those, and of very many
    it asks for more of the name."""

    def __init__(self, *, search: Sequence[str], empty_label: Any = "", **kwargs: Any) -> None:
        self.search = tuple(search)
        self._found: Model | None = None
        super().__init__(empty_label=empty_label or "---------", **kwargs)

    def _set_queryset(self, queryset: Any) -> None:
        """Is given the rows by the form, which knows who asks."""
        super()._set_queryset(queryset)  # type: ignore[misc]
        self.is_long = queryset is not None and queryset.order_by()[: LISTED + 1].count() > LISTED
        if self.is_long:
            self._show(
                forms.TextInput({"type": "search", "autocomplete": "off", "placeholder": _("Name, or a part of it")})
            )

    queryset: Any = property(lambda field: field._queryset, _set_queryset)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").replace("\0", "").strip()
        if not self.is_long or not text:
            return super().to_python(value)
        found = self._meant(text)
        if not found:
            raise forms.ValidationError(_("Nothing of this name is here."), code="invalid_choice")
        if len(found) > OFFERED:
            raise forms.ValidationError(
                _("More than %(count)s are found: type more of the name.") % {"count": OFFERED}
            )
        shown = [(str(row.pk), self.label_from_instance(row)) for row in found]
        self._show(forms.Select(choices=[("", self.empty_label or ""), *shown]))
        if len(found) > 1:
            raise forms.ValidationError(_("Several are found: choose one of them."))
        self._found = found[0]
        return self._found

    def _meant(self, text: str) -> list[Any]:
        """The row of this id, or of exactly this name; else those that have the text in theirs."""
        try:
            pk = self.queryset.model._meta.pk.to_python(text)
        except forms.ValidationError:
            pk = None
        if pk is not None and (row := self.queryset.filter(pk=pk).first()) is not None:
            return [row]
        exact, part = Q(), Q()
        for name in self.search:
            exact |= Q(**{f"{name}__iexact": text})
            part |= Q(**{f"{name}__icontains": text})
        named = list(self.queryset.filter(exact)[: OFFERED + 1])
        return named if len(named) == 1 else list(self.queryset.filter(part)[: OFFERED + 1])

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed has become a row: the list that is shown then has it chosen."""
        return str(self._found.pk) if self._found is not None else super().bound_data(data, initial)

    def prepare_value(self, value: Any) -> Any:
        value = super().prepare_value(value)
        if not self.is_long or self._found is not None or not value:
            return value
        # In the place of an id stands what the row is called.
        found = self._meant(str(value))
        return getattr(found[0], self.search[0]) if len(found) == 1 else value

    def _show(self, widget: Any) -> None:
        widget.is_required = self.required
        self.widget = widget


class PersonChoiceField(RowChoiceField):
    """People of one name are told apart by their address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(search=("email", "name"), **kwargs)

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.email})"
