"""Bases of the admin's pages: rows through the policy, writes through operations only."""

from apps.core.admin.base import PolicyAdmin, PolicyInline, ReadOnlyAdmin

__all__ = ["PolicyAdmin", "PolicyInline", "ReadOnlyAdmin"]
