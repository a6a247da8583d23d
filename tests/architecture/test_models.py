"""The database keeps to the layers: keys point down, also those given as strings; migrations are complete."""

import re
import tomllib
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[2]


def layers():
    """App → height; a higher app may refer to a lower one. Siblings of one line have one height."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    lines = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    return {name: height for height, line in enumerate(reversed(lines)) for name in re.findall(r"\w+", line)}


def own_models():
    return [
        model for model in apps.get_models(include_auto_created=True) if model.__module__.split(".", 1)[0] == "apps"
    ]


def app_of(model):
    return model.__module__.split(".")[1]


def test_foreign_keys_point_down():
    heights = layers()
    wrong = []
    for model in own_models():
        for field in model._meta.get_fields():
            target = field.related_model if field.is_relation and not field.auto_created else None
            if target is None or target.__module__.split(".", 1)[0] != "apps" or app_of(target) == app_of(model):
                continue
            if heights[app_of(target)] >= heights[app_of(model)]:
                wrong.append(f"{model.__name__}.{field.name} → {target.__name__}")
    assert own_models()
    assert wrong == []


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration():
    told = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=1, stdout=told)
    except SystemExit:
        pytest.fail(told.getvalue())


def test_own_migrations_have_names_that_say_what_they_do():
    files = [path for path in (ROOT / "apps").glob("*/**/migrations/0*.py")]
    assert files
    assert [path.name for path in files if re.match(r"\d{4}_auto_", path.name)] == []
