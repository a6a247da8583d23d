"""The class table of a set: names, colours, keypoints; and giving classes other names, or one name to several."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from apps.datasets.defects import ERROR, BadInput, DefectLog

MOST_KEYPOINTS = 1000
MOST_BONES = 5000
NAME_CHARACTERS = 100
# A spreadsheet runs cells that begin so; a lone sign or a signed number is an honest name for a class.
FORMULA = re.compile(r"[=+\-@](?![0-9.]*$)")
COLOR = re.compile(r"#[0-9a-f]{6}")


class ClassInfo(NamedTuple):
    """A class: `color` is `#rrggbb`, `skeleton` joins keypoints by their numbers from 0 up."""

    name: str
    color: str | None = None
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()

    def row(self, number: int) -> dict[str, Any]:
        """The row of a class table: id and name, and the rest where there is any."""
        found: dict[str, Any] = {"id": number, "name": self.name}
        if self.color is not None:
            found["color"] = self.color
        if self.keypoints:
            found["keypoints"] = list(self.keypoints)
        if self.skeleton:
            found["skeleton"] = [list(bone) for bone in self.skeleton]
        return found

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "ClassInfo":
        """Read back what `row` made."""
        return cls(
            row["name"],
            row.get("color"),
            tuple(row.get("keypoints", ())),
            tuple((first, second) for first, second in row.get("skeleton", ())),
        )


def class_table(names: Iterable[str]) -> tuple[ClassInfo, ...]:
    """Classes of which the names are all that is known."""
    return tuple(map(ClassInfo, names))


def is_fit_name(name: str) -> bool:
    """Whether a class or keypoint may be called so."""
    return bool(name) and len(name) <= NAME_CHARACTERS and name.isprintable() and not FORMULA.match(name)


def check_names(
    names: Sequence[str], path: str | None, line: int | None, log: DefectLog, limit: int
) -> tuple[str, ...]:
    """Return the names stripped; unfit and repeated ones go to the log. Raises BadInput for more than `limit`."""
    if len(names) > limit:
        raise BadInput("class.many", path, line, limit=limit)
    names = [name.strip() for name in names]
    seen: set[str] = set()
    for name in names:
        if not is_fit_name(name):
            log.add("class.name", ERROR, path, line, name=name)
        if name in seen:
            log.add("class.duplicate", ERROR, path, line, name=name)
        seen.add(name)
    return tuple(names)


def remapped(
    classes: Sequence[ClassInfo], mapping: Mapping[str, str | None]
) -> tuple[tuple[ClassInfo, ...], dict[int, int | None]]:
    """Give classes other names: return the new table, and the new id of each old one (None: left out).

    Names that `mapping` does not hold stay; several that become one name are merged, and the first of them says how
    it looks. Raises ValueError (with the name) for a class that does not exist, for a name that may not be, and for
    classes whose keypoints differ.
    """
    if unknown := mapping.keys() - {found.name for found in classes}:
        raise ValueError(min(unknown))
    table: dict[str, ClassInfo] = {}
    targets: list[str | None] = []
    for found in classes:
        name = mapping.get(found.name, found.name)
        name = name.strip() if name is not None else None
        targets.append(name)
        if name is None:
            continue
        if not is_fit_name(name):
            raise ValueError(name)
        known = table.setdefault(name, found._replace(name=name))
        if known.keypoints != found.keypoints:
            raise ValueError(name)
    numbers = {name: number for number, name in enumerate(table)}
    return tuple(table.values()), {old: None if name is None else numbers[name] for old, name in enumerate(targets)}
