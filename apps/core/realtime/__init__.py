"""Publishing to sockets: one group per object, called on commit, never at the cost of the write."""

from apps.core.realtime.publisher import group_name, publish

__all__ = ["group_name", "publish"]
