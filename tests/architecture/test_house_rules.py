"""Rules of writing that are read off the syntax trees of the apps: edges, views, services."""

import ast
from collections.abc import Iterator
from pathlib import Path

from apps.core.storage.locks import Family

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "apps"
LONGEST_VIEW = 25
#: What turns `Model.objects` into rows that an actor may have.
RESTRICTED = {"permitted", "visible", "get_visible", "none"}
#: What reads rows. `select_related`, `order_by` and the like only shape a query that is restricted later.
READING = {"get", "filter", "all", "exclude", "first", "last", "exists", "count", "values", "values_list", "in_bulk"}
READING |= {"get_or_create", "update_or_create", "create", "bulk_create", "update", "delete", "aggregate", "iterator"}
#: Addresses without a person behind them: the attempt API, whose every request proves a machine's token.
MACHINES = {"apps/jobs/attempt_api"}


def sources(*parts: str) -> Iterator[tuple[str, ast.Module, list[str]]]:
    """Modules of the apps whose path has one of the parts (`views`, `api`, …), all of them without parts."""
    for path in sorted(APPS.rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if "/migrations/" in name or (parts and not {*path.with_suffix("").parts} & {*parts}):
            continue
        text = path.read_text()
        yield name, ast.parse(text), text.splitlines()


def chains(tree: ast.AST) -> Iterator[tuple[int, list[str]]]:
    """Every longest chain that starts at `.objects`, as its line and the names called on it."""
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):
        if node in inner or not isinstance(node, ast.Call | ast.Attribute):
            continue
        names: list[str] = []
        part: ast.AST = node
        while isinstance(part, ast.Call | ast.Attribute):
            inner.add(part)
            if isinstance(part, ast.Attribute):
                names.append(part.attr)
                part = part.value
            else:
                part = part.func
        if "objects" in names:
            yield node.lineno, names[names.index("objects") - 1 :: -1] if names[0] != "objects" else []


def test_each_lock_of_the_database_is_for_one_purpose() -> None:
    """Every purpose has a number of its own, from the one list of them, and is taken in one module."""
    takers: dict[str, set[str]] = {}
    for name, tree, _lines in sources("services", "storage"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "held":
                takers.setdefault(ast.unparse(node.args[2]), set()).add(name)
    assert takers.keys() == {f"Family.{family.name}" for family in Family}
    assert {family: names for family, names in takers.items() if len(names) > 1} == {}
    assert len({int(family) for family in Family}) == len(Family.__members__)


def test_edges_take_objects_through_the_policy_only() -> None:
    """Rule 15: in views, api, admin and consumers no `.objects.get`, `.objects.filter` and the like.

    Where the rows hang on an object that was asked for already, the line says so: `# permitted: <reason>`.
    """
    wrong, seen = [], 0
    for name, tree, lines in sources("views", "api", "admin", "consumers", "attempt_api"):
        if any(name.startswith(folder) for folder in MACHINES) or name.startswith("apps/core/"):
            continue
        for line, calls in chains(tree):
            seen += 1
            excused = lines[line - 1].partition("# permitted:")[2].strip()
            if set(calls) & READING and not set(calls) & RESTRICTED and not excused:
                wrong.append(f"{name}:{line}: objects.{'.'.join(calls)}")
    assert seen > 10, "the edges do ask for objects"
    assert not wrong, "use .permitted(actor, permission), .visible(actor) or .get_visible(actor, …):\n" + "\n".join(
        wrong
    )


def is_view(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = [argument.arg for argument in function.args.args]
    answers = function.returns is None or "Response" in ast.unparse(function.returns)
    return "request" in names[:2] and answers


def test_views_are_short() -> None:
    """Rule 30: a view that takes a request has at most 25 lines, decorators and signature included."""
    wrong, seen = [], 0
    site = [ROOT / "platform/modelyard" / name for name in ("dashboard.py", "profile.py", "health.py")]
    trees = [(name, tree) for name, tree, _lines in sources("views", "api")]
    trees += [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in site]
    for name, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and is_view(node):
                seen += 1
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_VIEW:
                    wrong.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
    assert seen > 20, "there are views"
    assert not wrong, "\n".join(wrong)


def decorated(function: ast.FunctionDef) -> set[str]:
    found = set()
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        found.add(target.id if isinstance(target, ast.Name) else getattr(target, "attr", ""))
    return found


def test_operations_take_keywords_only_and_every_argument_is_annotated() -> None:
    """Rule 6."""
    wrong, seen = [], 0
    for name, tree, _lines in sources("services"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or not decorated(node) & {"operation", "ingest"}:
                continue
            seen += 1
            arguments = node.args
            if arguments.args or arguments.posonlyargs or arguments.vararg:
                wrong.append(f"{name}:{node.lineno}: {node.name} takes positional arguments")
            if node.returns is None or any(argument.annotation is None for argument in arguments.kwonlyargs):
                wrong.append(f"{name}:{node.lineno}: {node.name} is not annotated")
    assert seen > 15, "there are operations"
    assert not wrong, "\n".join(wrong)


def test_lower_parts_of_an_app_do_not_know_its_edges() -> None:
    """Services never import views, api, admin, consumers or tasks: tasks are sent by name."""
    wrong = []
    edges = ("views", "api", "admin", "consumers", "tasks", "forms", "urls")
    for name, tree, _lines in sources("services", "selectors", "policies", "models", "querysets"):
        app = name.split("/")[1]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"apps.{app}."):
                part = str(node.module).split(".")[2]
                if part in edges:
                    wrong.append(f"{name}:{node.lineno}: imports {node.module}")
    assert not wrong, "\n".join(wrong)


def test_the_chain_reader_finds_what_it_is_for() -> None:
    """Guards the first test: the forms that it must and must not catch."""
    code = """
Project.objects.get(pk=1)
Project.objects.select_related("x").filter(pk=1).first()
Project.objects.visible(actor).filter(pk=1).order_by("id")
rows = Project.objects.select_related("x")
Project.objects.none()
"""
    found = [calls for _line, calls in chains(ast.parse(code))]
    assert found == [
        ["get"],
        ["select_related", "filter", "first"],
        ["visible", "filter", "order_by"],
        ["select_related"],
        ["none"],
    ]
    refused = [calls for calls in found if set(calls) & READING and not set(calls) & RESTRICTED]
    assert refused == found[:2]
