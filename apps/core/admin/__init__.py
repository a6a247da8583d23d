"""Bases of the admin's pages: rows through the policy, writes through operations only."""

from apps.core.admin.base import PolicyAdmin, PolicyInline, ReadOnlyAdmin, search_select
from apps.core.admin.reasons import ActionForm, ReasonForm, with_form, with_reason
from apps.core.admin.selections import each_row
from apps.core.admin.trash import TrashAdmin

__all__ = [
    "ActionForm",
    "PolicyAdmin",
    "PolicyInline",
    "ReadOnlyAdmin",
    "ReasonForm",
    "TrashAdmin",
    "each_row",
    "search_select",
    "with_form",
    "with_reason",
]
