"""Image, workflows and commands say the same, and name only what exists."""

import functools
import os
import re
import shlex
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from django.test import Client

from apps.jobs.states import JobState
from apps.training.models import TrainingJob
from tests.factories.accounts import PASSWORD
from tests.factories.jobs import JobFactory
from tests.factories.training import TrainingJobFactory

ROOT = Path(__file__).resolve().parents[2]


def dockerfile():
    """The Dockerfile's instructions as (word, arguments, stage), continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    stage, instructions = "", []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, arguments = line.strip().partition(" ")
        if word == "FROM":
            stage = arguments.split()[-1] if " AS " in arguments else "final"
        instructions.append((word, arguments.strip(), stage))
    return instructions


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def ignored_for_image(name):
    """Whether .dockerignore keeps a top-level name out (everything is out that is not named with `!`)."""
    lines = (ROOT / ".dockerignore").read_text().split()
    return lines[0] == "*" and f"!{name}" not in lines


def test_the_image_is_built_from_files_that_exist_and_are_sent():
    copied = []
    for word, arguments, _ in dockerfile():
        if word == "COPY" and "--from=" not in arguments:
            copied += shlex.split(arguments)[:-1]
    assert len(copied) > 10
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {name for name in copied if ignored_for_image(name.rstrip("/").split("/")[0])} == set()


def test_stages_that_are_copied_from_exist():
    stages = {stage for word, _, stage in dockerfile() if word == "FROM"}
    named = {match for _, arguments, _ in dockerfile() for match in re.findall(r"--from=(\S+)", arguments)}
    assert named
    assert named - stages == set()


def test_the_image_runs_as_nobody_special_under_tini_and_is_checked():
    final = {word: arguments for word, arguments, stage in dockerfile() if stage == "final"}
    uid, gid = final["USER"].split(":")
    assert min(int(uid), int(gid)) > 0
    assert yaml.safe_load(final["ENTRYPOINT"]) == ["tini", "--", "python", "manage.py"]
    assert "/healthz" in final["HEALTHCHECK"]
    assert "apt-get install -y --no-install-recommends tini" in " ".join(
        arguments for word, arguments, stage in dockerfile() if word == "RUN" and stage == "final"
    )
    environment = dict(part.split("=", 1) for part in shlex.split(final["ENV"]))
    assert environment["PYTHONPATH"] == "/app/platform:/app:/app/trainers/sdk"
    assert yaml.safe_load(final["CMD"])[0] == "up"


def test_the_image_installs_from_hashed_locks_as_the_makefile_does():
    image = " ".join(arguments for word, arguments, _ in dockerfile() if word == "RUN")
    makefile = (ROOT / "Makefile").read_text()
    for part in ("pip sync", "--require-hashes", "requirements-bootstrap.txt", "npm ci --ignore-scripts"):
        assert part in image, part
        assert part in makefile, part
    assert "scripts/vendor_assets.py" in image


@pytest.mark.parametrize("workflow", sorted(path.name for path in (ROOT / ".github" / "workflows").glob("*.yml")))
def test_workflows_are_restricted_and_run_commands_that_exist(workflow):
    content = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text())
    assert content["permissions"]["contents"] == "read"
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
                assert target in targets()
            if "with" in step and "file" in step["with"]:
                assert (ROOT / step["with"]["file"]).is_file()


def test_continuous_integration_runs_what_the_readme_says():
    script = (ROOT / ".ci" / "run").read_text()
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("make lint", "make test"):
        assert command in script
        assert command in workflow
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    for command in re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE):
        assert command in targets()
    assert {"demo", "test"} <= set(re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE))


def test_every_target_explains_itself():
    told = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    listed = set(re.findall(r"^\s+\x1b\[36m([a-z-]+)", told.stdout, re.MULTILINE))
    assert {"demo", "up", "test", "lint", "format", "lock", "resilience", "bench", "security", "messages"} <= listed
    phony = set(re.findall(r"^\.PHONY: ([a-z-]+)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert phony - listed == set()


def test_the_program_of_the_readme_signs_in_lists_and_starts(cast, monkeypatch, tmp_path, capsys):
    """As pasted, against this portal instead of one over the network."""
    code = re.search(r"<<'END'\n(.*?)\nEND\n", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    training = TrainingJobFactory(job=JobFactory(project=cast.sample("project"), name="First", state="succeeded"))
    (tmp_path / "var/run").mkdir(parents=True)
    (tmp_path / "var/run/portal.url").write_text("http://localhost\n")
    (tmp_path / "var/secrets").mkdir()
    (tmp_path / "var/secrets/demo_password").write_text(PASSWORD)
    monkeypatch.chdir(tmp_path)

    def answer(request):
        sent = {"content_type": request.headers.get("content-type", ""), "headers": dict(request.headers)}
        response = Client().generic(request.method, request.url.path, request.content, **sent)
        return httpx.Response(response.status_code, content=response.content)

    monkeypatch.setattr(httpx, "Client", functools.partial(httpx.Client, transport=httpx.MockTransport(answer)))
    exec(code.replace("demo@modelyard.example", cast.owner.user.email), {})  # noqa: S102
    assert capsys.readouterr().out.split("\n")[:2] == ["First succeeded", "queued"]
    assert TrainingJob.objects.exclude(pk=training.pk).get().job.state == JobState.QUEUED
