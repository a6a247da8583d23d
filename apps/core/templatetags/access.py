"""Whether the reader of a page may do a thing, and if not, what they lack: one answer for the button and the refusal."""

from typing import Any

from django import template
from django.db.models import Model
from django.template.context import Context
from django.utils.translation import gettext as _

from apps.core import policy

register = template.Library()


@register.simple_tag(takes_context=True)
def lacking(context: Context, permission: str, obj: Model) -> str:
    """Why the reader may not do this with the object, for a button's `disabled_reason`; "" when they may.

    `{% lacking "datasets.change_dataset" dataset as refused %}`. Asked once for a page, however many buttons want it.
    """
    request: Any = context["request"]
    known: dict[Any, str] = request.__dict__.setdefault("_lacking", {})
    key = (permission, obj.pk)
    if key not in known:
        known[key] = _lacking(request.actor, permission, obj)
    return known[key]


def _lacking(actor: Any, permission: str, obj: Model) -> str:
    if policy.allows(actor, permission, obj):
        return ""
    return policy.lack_of(actor, permission, obj).text or _("You may not do this.")
