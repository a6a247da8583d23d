"""Lets Django's authentication framework, which the admin asks, answer from the policy."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.db.models import Model

from apps.core.policy import answers


class PolicyBackend(BaseBackend):
    """Rights only; people are authenticated elsewhere."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        return None

    def has_perm(self, user_obj: Any, perm: str, obj: Model | None = None) -> bool:
        return answers.has_perm(user_obj, perm, obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return answers.has_module_perms(user_obj, app_label)
