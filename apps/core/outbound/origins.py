"""Which addresses may be called."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from apps.core.outbound.errors import OutboundError

LONGEST_URL = 2000
#: Of hosts that the operator has not named: others are databases, mail and the like.
PORTS = frozenset({443, 8443})
DEFAULT_PORTS = {"http": 80, "https": 443}
#: Spaces, control characters, and the backslash that browsers and libraries read differently.
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
#: IPv6 addresses that stand for an IPv4 address behind a translator.
NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host in lower case, and port. `is_private` when the operator has named it."""

    scheme: str
    host: str
    port: int
    is_private: bool = False


def origin_of(url: str) -> Origin:
    """Where a request to the URL goes. Raises `OutboundError` (`url_refused`) for one that may not be called.

    Whether its address may be called is seen when it is resolved, on connecting.
    """
    if not isinstance(url, str) or len(url) > LONGEST_URL or not url.isascii() or UNSAFE.search(url):
        raise OutboundError("url_refused")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise OutboundError("url_refused") from error
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in DEFAULT_PORTS or not host or host.endswith(".") or "@" in parts.netloc or port == 0:
        raise OutboundError("url_refused")
    found = (scheme, host, port or DEFAULT_PORTS[scheme])
    if found in settings.OUTBOUND_PRIVATE_ORIGINS:
        return Origin(*found, is_private=True)
    if scheme != "https" or found[2] not in PORTS or host in _own_hosts():
        raise OutboundError("url_refused")
    return Origin(*found)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, also where IPv6 wraps an IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 6:
        wrapped = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if wrapped is None and found in NAT64:
            wrapped = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        # Given up by the standard, and still what some networks use within.
        if found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _own_hosts() -> set[str]:
    """The names of this portal, as far as it knows them."""
    own = {host.lower() for host in settings.ALLOWED_HOSTS if not host.startswith((".", "*"))}
    return own | {urlsplit(settings.PUBLIC_URL).hostname or ""}
