"""What `shares/_panel.html` shows on an object's own page."""

from typing import Any

from django.urls import reverse

from apps.core import policy
from apps.core.identity import Actor
from apps.shares.forms import ShareForm
from apps.shares.kinds import kind_of
from apps.shares.models import Level
from apps.shares.selectors import access_of, shares_of


def share_panel(actor: Actor, obj: Any, form: ShareForm | None = None) -> dict[str, Any]:
    """The context of the panel: a constant number of queries."""
    kind = kind_of(obj)
    may_manage = policy.allows(actor, kind.manage, obj)
    return {
        "panel_href": f"{reverse('shares:panel')}?object_type={kind.name}&object_id={obj.pk}",
        "shared": obj,
        "kind": kind,
        "shares": shares_of(actor, obj),
        "levels": Level.choices,
        "access": access_of(actor, obj),
        "may_manage": may_manage,
        "share_form": (form or ShareForm(actor=actor, obj=obj)) if may_manage else None,
        "me": actor.user_id,
    }
