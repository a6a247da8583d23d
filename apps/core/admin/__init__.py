"""Bases of the admin's pages: rows through the policy, writes through operations only."""

from apps.core.admin.base import PolicyAdmin, PolicyInline, ReadOnlyAdmin
from apps.core.admin.reasons import with_reason
from apps.core.admin.selections import each_row

__all__ = ["PolicyAdmin", "PolicyInline", "ReadOnlyAdmin", "each_row", "with_reason"]
