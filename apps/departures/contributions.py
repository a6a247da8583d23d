"""What each app puts into an organization's export, and what of it goes with the organization or with a person."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.identity import Actor

#: Rows that one query of an export holds in memory.
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """One list of the export, a JSON object a line. `fields` says what each member of every line is."""

    name: str
    fields: Mapping[str, str]
    rows: Callable[[UUID], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the export as its app writes it, in pieces, for who asked for it."""

    name: str
    content: Callable[[Actor, UUID], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Removal:
    """Rows of an organization that go in batches, each in a transaction of its own.

    `ahead` removes what lies outside the database, before the transaction; `within` is called in it. Both get the
    batch's rows and may be called again for the same ones after a crash.
    """

    rows: Callable[[UUID], QuerySet[Any]]
    ahead: Callable[[QuerySet[Any]], None] | None = None
    within: Callable[[QuerySet[Any]], None] | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """All that one app knows about leaving.

    `removals` in their order; those of apps above come first, for their rows refer to the ones below. `folders` are
    places in the object store where nothing but the organization's own lies. `halt` stops what works for it and returns
    how much still does. `erase` removes what the app keeps about a person beside the person's own row, and returns
    further ids under which the audit log keeps values about them.
    """

    parts: tuple[Part, ...] = ()
    documents: tuple[Document, ...] = ()
    removals: tuple[Removal, ...] = ()
    folders: tuple[Callable[[UUID], str], ...] = ()
    halt: Callable[[UUID], int] | None = None
    erase: Callable[[User], list[UUID]] | None = None


@dataclass(slots=True)
class Forgetting:
    """How the audit log forgets; `audit` registers it."""

    person: Callable[[UUID], None] | None = None
    organization: Callable[[UUID], None] | None = None


_contributions: dict[str, Contribution] = {}
forgetting = Forgetting()


def register_contribution(app: str, contribution: Contribution) -> None:
    """Adds an app's; apps register from the lowest up. One of the same name is replaced."""
    _contributions[app] = contribution


def register_forgetting(*, person: Callable[[UUID], None], organization: Callable[[UUID], None]) -> None:
    forgetting.person, forgetting.organization = person, organization


def contributions() -> list[Contribution]:
    """From the lowest app up."""
    return list(_contributions.values())


def removals() -> list[Removal]:
    """In the order in which rows can go."""
    return [removal for found in reversed(contributions()) for removal in found.removals]


def listed(name: str, rows: Callable[[UUID], QuerySet[Any]], columns: Mapping[str, tuple[str, str]]) -> Part:
    """A list of columns: `{name: (path, what it is)}`. Memory does not grow with the rows."""

    def read(organization_id: UUID) -> Iterator[dict[str, Any]]:
        paths = [path for path, _told in columns.values()]
        for row in rows(organization_id).order_by("pk").values_list(*paths).iterator(chunk_size=CHUNK):
            yield dict(zip(columns, row, strict=True))

    return Part(name, {column: told for column, (_path, told) in columns.items()}, read)
