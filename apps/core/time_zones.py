"""Names of time zones that a person, or a schedule, may be given."""

import zoneinfo

# Names of a file on this machine, and of one not set up: no browser knows them.
NO_PLACES = {"Factory", "localtime"}


def names() -> set[str]:
    return zoneinfo.available_timezones() - NO_PLACES


def choices() -> list[tuple[str, str]]:
    """Each name, and how a form shows it; in the order of the alphabet."""
    return [(name, name.replace("_", " ")) for name in sorted(names())]
