"""Bad input in the words of the domain's errors: code, sentence, hint, and where it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

from apps.core.errors import DomainError, Invalid, TooLarge
from apps.datasets.defects import BadInput, Defect, describe

TOO_LARGE = frozenset({"archive.too_big", "archive.member_too_big", "archive.too_many_members", "archive.ratio"})


def as_domain_error(refused: BadInput | Defect) -> DomainError:
    """The error that an edge can show; `params` names path and line where they are known."""
    defect = refused.defect if isinstance(refused, BadInput) else refused
    sentence, hint = describe(defect)
    kind = TooLarge if defect.code in TOO_LARGE else Invalid
    where = {"path": defect.path, "line": defect.line}
    params = {name: value for name, value in where.items() if value is not None} | defect.params
    return kind(sentence, code=defect.code, hint=hint, params=params)


@contextmanager
def domain_errors() -> Iterator[None]:
    """Around a service, or above it as a decorator: what it refuses is raised as an error that an edge can show."""
    try:
        yield
    except BadInput as refused:
        raise as_domain_error(refused) from refused
