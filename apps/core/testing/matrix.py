"""Permission matrices: a table of persona × operation, written as text, becomes one test per line.

    class TestProjects(PermissionMatrix):
        rest = '''
                                    owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
        GET    /projects/{project}  200    200     200     404     200      200    404    404       401        200
        PATCH  /projects/{project}  200    403     403     404     200      200    404    404       401        200
        '''
        bodies = {"PATCH /projects/{project}": {"name": "renamed"}}

`{project}` is the key of the sample of that name. Each cell runs in a savepoint that is rolled back, so cells do not
see each other's writes. `portal` and `admin` are tables of the same form for the person's session; paths there are
whole. `=` in a line stands for the cell to its left.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from apps.core.testing.personas import Cast, Persona

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True)
class Line:
    door: str
    method: str
    path: str
    expected: tuple[tuple[Persona, int], ...]

    def __str__(self) -> str:
        return f"{self.door} {self.method} {self.path}"


def parse(door: str, text: str) -> list[Line]:
    """Reads a table. Raises `ValueError` for a line that does not fit its header."""
    rows = [row.split() for row in text.splitlines() if row.strip()]
    if not rows:
        return []
    personas = [Persona(name) for name in rows[0]]
    return [_line(door, personas, row) for row in rows[1:]]


def _line(door: str, personas: list[Persona], row: list[str]) -> Line:
    method, path, *cells = row
    if method not in METHODS or len(cells) != len(personas):
        raise ValueError(f"A line needs a method, a path and {len(personas)} cells: {' '.join(row)}")
    statuses: list[int] = []
    for cell in cells:
        statuses.append(statuses[-1] if cell == "=" else int(cell))
    return Line(door, method, path, tuple(zip(personas, statuses, strict=True)))


class PermissionMatrix:
    """Subclass with tables; see the module's docstring. The tests need the fixture `cast`."""

    rest = ""
    portal = ""
    admin = ""
    #: "METHOD path" of a line → what is sent with it: a value, or a function of the cast.
    bodies: dict[str, Any] = {}

    @classmethod
    def lines(cls) -> list[Line]:
        return [*parse("rest", cls.rest), *parse("portal", cls.portal), *parse("admin", cls.admin)]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "line" in metafunc.fixturenames:
            lines = self.lines()
            assert lines, f"{type(self).__name__} has no table"
            metafunc.parametrize("line", lines, ids=str)

    def test_every_persona_gets_what_the_table_says(self, line: Line, cast: Cast) -> None:
        path = cast.path(line.path)
        body = self.bodies.get(f"{line.method} {line.path}", {})
        body = body(cast) if callable(body) else body
        wrong = []
        for persona, expected in line.expected:
            status = self._status(cast, persona, line, path, body)
            if status != expected:
                wrong.append(f"  {persona}: {status}, expected {expected}")
        assert not wrong, f"{line}\n" + "\n".join(wrong)

    @staticmethod
    def _status(cast: Cast, persona: Persona, line: Line, path: str, body: Any) -> int:
        person = cast.person(persona)
        if line.door != "rest":
            client: Any = person.portal
            if line.door == "admin" and person.user and not person.user.is_staff:
                # Rights, not the staff flag, are what the table is about.
                person.user.is_staff = True
                person.user.save(update_fields=["is_staff"])
        else:
            client = person.rest
        with transaction.atomic():
            response = getattr(client, line.method.lower())(path, body or None)
            transaction.set_rollback(True)
        return int(response.status_code)
