"""Messages that leave with the transaction that wrote them: mirrored runs, mails, notifications.

`put` writes a row in the caller's transaction; a worker delivers it afterwards through the handler that an app
registered for its topic, again and again with growing pauses until it succeeds. Within one `group` messages are
delivered in order, one after the other.
"""

from apps.core.outbox.services import handler, put

__all__ = ["handler", "put"]
