"""Bases of the admin's pages: rows through the policy, writes through operations only."""

from apps.core.admin.base import PolicyAdmin, PolicyInline, ReadOnlyAdmin
from apps.core.admin.reasons import ReasonForm, with_reason

__all__ = ["PolicyAdmin", "PolicyInline", "ReadOnlyAdmin", "ReasonForm", "with_reason"]
