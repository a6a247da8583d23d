"""Publishing to sockets: one group per object, after commit, never at the cost of the write."""

from apps.core.realtime.publisher import group_name, publish, publish_on_commit

__all__ = ["group_name", "publish", "publish_on_commit"]
