"""The one way out: HTTP requests to addresses that people name (providers of single sign-on, receivers of hooks).

A host is resolved once, each of its addresses is checked, and the connection goes to a checked one. `https` only, no
redirects, bounded in size and time, no proxies and no credentials of this machine. Origins in private networks are
called when the operator names them (`OUTBOUND_PRIVATE_ORIGINS`).
"""

from apps.core.outbound.client import OutboundSession, session
from apps.core.outbound.errors import CODES, OutboundError
from apps.core.outbound.origins import Origin, origin_of

__all__ = ["CODES", "Origin", "OutboundError", "OutboundSession", "origin_of", "session"]
