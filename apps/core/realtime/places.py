"""Places for open sockets: so many at once for each person, and for each API key, whichever process holds them.

A place is a lease in the broker's memory, which its socket renews: those of a process that was killed end by
themselves. While the broker does not answer no new socket is let in (without it none would get a hint), and open ones
stay.
"""

import logging
import time
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.core.cache import caches

from apps.core.identity import Actor

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0

# What nobody asks for any more is forgotten.
KEPT_SECONDS = 3600

#: KEYS: the holder's leases. ARGV: now, when the lease ends, the limit, the socket, how long all of it is kept. 1 where a
#: place was left.
TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


def take(actor: Actor, socket: str) -> bool:
    """Whether a place was left for the socket, which has it now."""
    now = time.time()
    given = (now, now + LEASE_SECONDS, settings.SOCKETS_PER_PERSON, socket, KEPT_SECONDS)
    return bool(_client().eval(TAKE, 1, _leases(actor), *given))


def renew(actor: Actor, socket: str) -> None:
    """Keeps the place for another while, also where the broker has forgotten it."""

    def keep(pipeline: Any) -> None:
        pipeline.zadd(_leases(actor), {socket: time.time() + LEASE_SECONDS})
        pipeline.expire(_leases(actor), KEPT_SECONDS)

    _quietly(keep)


def release(actor: Actor, socket: str) -> None:
    _quietly(lambda pipeline: pipeline.zrem(_leases(actor), socket))


def _quietly(work: Any) -> None:
    """An open socket loses nothing by a broker that is away."""
    try:
        pipeline = _client().pipeline()
        work(pipeline)
        pipeline.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("the place of a socket was not noted: %s", error)


def _leases(actor: Actor) -> str:
    """A key has places of its own: a program takes none from its owner's pages."""
    holder = f"key:{actor.key_id}" if actor.key_id is not None else f"person:{actor.user_id}"
    return f"{caches['default'].key_prefix}:sockets:{holder}"


def _client() -> Any:
    return _connected(settings.CACHES["default"]["LOCATION"])


@cache
def _connected(url: str) -> Any:
    """Connections are opened anew in a forked process."""
    return redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=0.3)
