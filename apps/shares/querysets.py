from typing import Any

from apps.core.policy import PermittedQuerySet


class ShareQuerySet(PermittedQuerySet[Any]):
    """Rows of any table of shares."""
