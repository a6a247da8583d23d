"""The OpenAPI schema in docs/api is the one that the code draws, and it is sound."""

import io
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.utils import translation
from openapi_spec_validator import validate

SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "api" / "schema.yml"
COMMAND = "python manage.py spectacular --fail-on-warn --file docs/api/schema.yml"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The schema as of now; a warning while it is drawn fails."""
    target = tmp_path_factory.mktemp("schema") / "schema.yml"
    # A test before may have left its thread in another language.
    with translation.override("en"):
        call_command("spectacular", file=str(target), fail_on_warn=True, stderr=io.StringIO())
    return target.read_text()


def test_the_snapshot_in_docs_is_what_the_code_draws(drawn: str) -> None:
    assert SNAPSHOT.read_text() == drawn, f"The API has changed. Look at the difference, then run:\n  {COMMAND}"


def test_the_schema_is_valid_openapi(drawn: str) -> None:
    validate(yaml.safe_load(drawn))


def test_every_operation_has_a_name_a_description_and_a_problem_answer(drawn: str) -> None:
    lacking = []
    for path, methods in yaml.safe_load(drawn)["paths"].items():
        for method, operation in methods.items():
            if not operation.get("operationId") or "default" not in operation["responses"]:
                lacking.append(f"{method} {path}")
    assert not lacking


def test_schema_and_its_page_are_served_from_here(client: object) -> None:
    page = client.get("/api/docs/")  # type: ignore[attr-defined]
    assert page.status_code == 200
    assert b"//cdn" not in page.content
    assert b"https://" not in page.content
    assert client.get("/api/schema/").status_code == 200  # type: ignore[attr-defined]
