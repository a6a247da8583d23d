"""System check: audit codes have the form `thing.verb`."""

import re
from typing import Any

from django.core.checks import Error, register

from apps.core.auditing.actions import actions

FORM = re.compile(r"^[a-z_]+(\.[a-z_]+)+$")


@register()
def actions_are_sound(app_configs: Any, **options: Any) -> list[Error]:
    return [
        Error(f"The audit action {action.code!r} is not of the form thing.verb.", id="core.E003")
        for action in actions()
        if not FORM.match(action.code)
    ]
