"""Counters in the broker's memory: what is called, and how often. Nothing is written to the database per request.

When the broker is away requests go on uncounted and unlimited; it is asked again after a pause.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.core.cache import caches

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60
PAUSE_SECONDS = 5.0
_away_until = 0.0

#: KEYS: for each subject the counter of this minute and of the one before. ARGV: the share of the minute before that
#: still counts, then each subject's limit. Counts the request for all of them, or for none when one has no place left.
TAKE = """
local used, full = {}, 0
for i = 1, #KEYS / 2 do
  local now = tonumber(redis.call('GET', KEYS[2 * i - 1]) or '0')
  local before = tonumber(redis.call('GET', KEYS[2 * i]) or '0')
  used[2 * i - 1], used[2 * i] = now, before
  if full == 0 and now + before * tonumber(ARGV[1]) >= tonumber(ARGV[i + 1]) then full = i end
end
if full == 0 then
  for i = 1, #KEYS / 2 do
    redis.call('INCR', KEYS[2 * i - 1])
    redis.call('EXPIRE', KEYS[2 * i - 1], 130)
  end
end
return {full, unpack(used)}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to whom the limits are tightest. `wait` is 0 where the request may go on, else seconds."""

    subject: str
    limit: int
    remaining: int
    reset: int
    wait: float


def take(subjects: Sequence[tuple[str, str, int]]) -> Allowance | None:
    """Counts one request for `(kind, id, limit per minute)` each; None when the broker does not answer.

    The window slides: of the minute before counts the share that is not a minute past yet.
    """
    now = time.time()
    minute, elapsed = int(now // WINDOW_SECONDS), now % WINDOW_SECONDS
    share = 1 - elapsed / WINDOW_SECONDS
    keys = [
        _name(f"rate:{kind}:{identifier}:{minute - back}") for kind, identifier, _limit in subjects for back in (0, 1)
    ]
    answer = _asked(lambda client: client.eval(TAKE, len(keys), *keys, share, *(limit for *_rest, limit in subjects)))
    if answer is None:
        return None
    full, counts = int(answer[0]), [int(count) for count in answer[1:]]
    reset = max(1, round(WINDOW_SECONDS - elapsed))
    found = []
    for number, (kind, _identifier, limit) in enumerate(subjects):
        current, before = counts[2 * number], counts[2 * number + 1]
        used = current + before * share + (0 if full else 1)
        wait = _wait(current, before, limit, elapsed) if full == number + 1 else 0.0
        found.append(Allowance(kind, limit, max(0, int(limit - used)), reset, wait))
    return max(found, key=lambda allowance: (allowance.wait > 0, -allowance.remaining))


def used(kind: str, identifier: str) -> float | None:
    """Requests of the last minute that were counted for a subject; None when the broker does not answer."""
    now = time.time()
    minute, elapsed = int(now // WINDOW_SECONDS), now % WINDOW_SECONDS
    keys = [_name(f"rate:{kind}:{identifier}:{minute - back}") for back in (0, 1)]
    answer = _asked(lambda client: client.mget(keys))
    if answer is None:
        return None
    current, before = (int(count or 0) for count in answer)
    return current + before * (1 - elapsed / WINDOW_SECONDS)


def _wait(current: int, before: int, limit: int, elapsed: float) -> float:
    """Seconds until there is place for one request again."""
    if current >= limit:
        return WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - limit / current)
    return max(1.0, WINDOW_SECONDS * (1 - (limit - current) / before) - elapsed)


def count(name: str, fields: dict[str, int]) -> None:
    """Adds to the fields of the tally `name`, and remembers that there is such a tally."""

    def add(client: Any) -> Any:
        pipeline = client.pipeline()
        pipeline.sadd(_name("tallies"), name)
        for field, amount in fields.items():
            pipeline.hincrby(_name(f"tally:{name}"), field, amount)
        return pipeline.execute()

    _asked(add)


def tallies() -> list[str]:
    """Names of the tallies that hold something."""
    return sorted(name.decode() for name in _asked(lambda client: client.smembers(_name("tallies"))) or ())


def taken(name: str) -> dict[str, int]:
    """The fields of a tally, which is empty afterwards."""

    def empty(client: Any) -> Any:
        pipeline = client.pipeline()
        pipeline.hgetall(_name(f"tally:{name}"))
        pipeline.delete(_name(f"tally:{name}"))
        pipeline.srem(_name("tallies"), name)
        return pipeline.execute()[0]

    return {field.decode(): int(amount) for field, amount in (_asked(empty) or {}).items()}


def _asked(call: Any) -> Any:
    global _away_until
    if time.monotonic() < _away_until:
        return None
    try:
        return call(_client(settings.CACHES["default"]["LOCATION"]))
    except (redis.RedisError, OSError) as error:
        _away_until = time.monotonic() + PAUSE_SECONDS
        log.warning("requests are not counted for %s s: %s", PAUSE_SECONDS, error)
        return None


@cache
def _client(url: str) -> Any:
    """Connections are opened anew in a forked process."""
    return redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=0.3)


def _name(name: str) -> str:
    return f"{caches['default'].key_prefix}:api:{name}"
