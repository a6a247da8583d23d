"""Why: administrators are asked before they delete, and before they take something from somebody.

The reason is required and stands in every audit event of the act (`auditing.because`), so in each object's history. Other
actions ask on the same page for what they need and for no reason (`with_form`).
"""

from functools import partial, wraps
from typing import Any

from django import forms
from django.contrib.admin import helpers
from django.contrib.admin.actions import delete_selected
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core import auditing
from apps.core.entities import PLAIN
from apps.core.identity.requests import PortalRequest

FIELD = "reason"
# Marks the form of an action as sent: it may have no field that is always there.
SENT = "sent"
LONGEST = 300
# Of the rows that an action is for, so many are named.
NAMED = 20


class _AskedField(forms.CharField):
    """Marked as required; whether it is this time, the form decides."""

    def validate(self, value: Any) -> None:
        pass


def _field(kind: type[forms.CharField] = forms.CharField) -> forms.CharField:
    return kind(
        label=_("Reason"),
        max_length=LONGEST,
        validators=[PLAIN],
        help_text=_("Stays in the audit log, and in the history of what it is about."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Enter a reason.")},
    )


class ActionForm(forms.Form):
    """What an action asks before it is done; some look at who acts on which rows for that."""

    def __init__(self, data: Any = None, *, actor: Any = None, rows: Any = ()) -> None:
        super().__init__(data)
        self.actor, self.rows = actor, rows


class ReasonForm(ActionForm):
    """Why; others ask for more besides."""

    reason = _field()


class ReasonedForm(forms.ModelForm):
    """A form of the admin in which some fields are not changed without a reason."""

    reason = _field(_AskedField)
    reasoned: frozenset[str] = frozenset()

    def clean(self) -> Any:
        cleaned = super().clean()
        if FIELD in self.changed_data:
            # No field of the object: what is saved are the others.
            self.changed_data.remove(FIELD)
        wanting = self.reasoned.intersection(self.changed_data)
        if wanting and FIELD not in self.errors and not self.cleaned_data.get(FIELD):
            self.add_error(FIELD, _("Enter a reason."))
        return cleaned


def with_reason(action: Any = None, *, form_class: type[ReasonForm] = ReasonForm) -> Any:
    """Makes an action of the admin ask for its reason on a page of its own. Goes below `@admin.action`.

    What another `form_class` asks for besides is given to the action by name.
    """
    return partial(with_form, form_class=form_class) if action is None else with_form(action, form_class=form_class)


def with_form(action: Any = None, *, form_class: type[ActionForm]) -> Any:
    """Makes an action ask on a page of its own for what its form says, which it is given by name."""
    if action is None:
        return partial(with_form, form_class=form_class)

    @wraps(action)
    def ask(admin: Any, request: PortalRequest, rows: Any) -> Any:
        is_sent = SENT in request.POST or FIELD in request.POST
        form = form_class(request.POST if is_sent else None, actor=request.actor, rows=rows)
        if form.is_valid():
            given = {name: value for name, value in form.cleaned_data.items() if name != FIELD}
            with auditing.because(form.cleaned_data.get(FIELD, "")):
                return action(admin, request, rows, **given)
        code = request.POST["action"]
        count = rows.count()
        context = {
            **admin.admin_site.each_context(request),
            "title": admin.get_actions(request)[code][2],
            "opts": admin.opts,
            "reason_form": form,
            "sent": SENT,
            "takes": FIELD in form.fields,
            "action": code,
            "rows": list(rows[:NAMED]),
            "count": count,
            "more": max(0, count - NAMED),
            "chosen": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
            "media": admin.media,
        }
        return TemplateResponse(request, "admin/action_with_reason.html", context)

    return ask


def delete_selected_with_reason(admin: Any, request: PortalRequest, rows: Any) -> HttpResponse | None:
    """Django's action for all lists, which comes back to its page until there is a reason."""
    form = ReasonForm(request.POST if "post" in request.POST else None)
    if form.is_valid():
        with auditing.because(form.cleaned_data[FIELD]):
            return delete_selected(admin, request, rows)
    if form.is_bound:
        asked = request.POST.copy()
        del asked["post"]
        request.POST = asked  # type: ignore[assignment]
    answer: Any = delete_selected(admin, request, rows)
    answer.context_data["reason_form"] = form
    return answer
