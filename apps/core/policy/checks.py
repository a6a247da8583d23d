"""System check: every rule names a model that exists and a permission in Django's own form."""

import re
from typing import Any

from django.apps import apps
from django.core.checks import Error, register

from apps.core.policy import rules

FORM = re.compile(r"^[a-z]+\.[a-z]+_[a-z_]+$")


@register()
def rules_are_sound(app_configs: Any, **options: Any) -> list[Error]:
    errors = []
    for name in rules.names():
        if not FORM.match(name):
            errors.append(Error(f"The permission {name!r} is not of the form app.verb_model.", id="core.E001"))
        try:
            apps.get_model(rules.rule_of(name).on)
        except LookupError:
            errors.append(Error(f"The rule of {name!r} is on a model that does not exist.", id="core.E002"))
    return errors
