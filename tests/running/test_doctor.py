"""`manage.py doctor`: what is well is said to be well, what is not comes with its cure."""

import json
import shutil
from collections import namedtuple
from io import StringIO

import boto3
import pytest
from aiosmtpd.controller import Controller
from django.core.management import call_command
from modelyard.supervisor import address, direct_probe, probes
from modelyard_trainer.environments import COMPLETE, locked_environment

from apps.core.storage import storage
from apps.datasets.foreign.environment import LOCK
from tests.stores import KEYS, apart, configured, moto_server, signed_server

Usage = namedtuple("Usage", "total used free")


def one(probe):
    (finding,) = probe()
    return finding


@pytest.mark.django_db
def test_the_database_is_well_and_its_clock_agrees():
    assert one(probes.probe_database).state == probes.OK
    assert one(probes.probe_clock).state == probes.OK


@pytest.mark.django_db
def test_a_missing_migration_is_a_warning(monkeypatch):
    monkeypatch.setattr(probes.MigrationExecutor, "migration_plan", lambda self, targets: [("one", False)])
    finding = one(probes.probe_database)
    assert (finding.state, finding.text) == (probes.WARNING, "1 migrations are missing")
    assert "manage.py migrate" in finding.advice


def test_an_unreachable_database_says_why_and_names_the_cure(monkeypatch):
    parameters = {"host": "/nowhere", "dbname": "modelyard", "user": "modelyard"}
    monkeypatch.setattr(probes.connection, "get_connection_params", lambda: parameters)
    finding = one(probes.probe_database)
    assert finding.state == probes.FAILURE
    assert "/nowhere" in finding.text
    assert "manage.py up" in finding.advice
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/modelyard")
    assert "Check DATABASE_URL" in one(probes.probe_database).advice
    assert list(probes.probe_clock()) == []


def test_the_broker_is_well_and_its_absence_is_told(settings, tmp_path):
    finding = one(probes.probe_broker)
    assert finding.state == probes.OK
    assert "valkey" in finding.text
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": f"unix://{tmp_path}/none.sock?db=2"}}
    finding = one(probes.probe_broker)
    assert finding.state == probes.FAILURE
    assert "none.sock" in finding.text


def test_no_worker_is_a_failure():
    assert one(probes.probe_workers).state == probes.FAILURE


def test_a_web_process_that_does_not_answer_is_a_failure(settings, tmp_path):
    url_file = tmp_path / "portal.url"
    settings.JOBS = {**settings.JOBS, "portal_file": url_file}
    assert one(probes.probe_web).state == probes.WARNING
    url_file.write_text("http://127.0.0.1:9\n")
    finding = one(probes.probe_web)
    assert (finding.state, finding.text) == (probes.FAILURE, "http://127.0.0.1:9: ConnectError")


def test_storage_is_tried_by_writing():
    assert one(probes.probe_storage).state == probes.OK


@pytest.mark.parametrize("kind", ["folders", "buckets"])
def test_datasets_and_results_are_tried_each_in_their_store(settings, tmp_path, kind):
    with apart(kind, settings, tmp_path):
        found = list(probes.probe_storage())
    assert [(finding.part, finding.state) for finding in found] == [
        ("storage of datasets", probes.OK),
        ("storage of results", probes.OK),
    ]


def test_what_the_second_store_lacks_is_told_with_its_own_variables(settings, tmp_path):
    with apart("buckets", settings, tmp_path):
        boto3.client("s3", region_name="us-east-1").delete_bucket(Bucket="results")
        well, bad = probes.probe_storage()
    assert (well.state, bad.state) == (probes.OK, probes.FAILURE)
    assert bad.advice == "Create the bucket, or correct RESULTS_S3_BUCKET."


def test_sending_straight_to_the_store_is_tried_by_its_outer_address(settings, tmp_path):
    assert list(probes.probe_direct_uploads()) == []
    with signed_server(tmp_path, "data") as url:
        keys = {**KEYS, "bucket": "data", "endpoint": url}
        with configured(settings, {**keys, "public_endpoint": url.replace("127.0.0.1", "localhost")}):
            finding = one(probes.probe_direct_uploads)
            assert (finding.state, finding.text.partition(": ")[2]) == (probes.OK, "sent, bounded, joined")
            assert list(storage().keys("")) == []
            settings.DIRECT_UPLOADS, settings.PUBLIC_URL = "browsers", "https://portal.example"
            finding = one(probes.probe_direct_uploads)
            assert (finding.state, "CORS" in finding.text) == (probes.WARNING, True)
            settings.DIRECT_UPLOADS = "off"
            assert list(probes.probe_direct_uploads()) == []
        with configured(settings, {**keys, "public_endpoint": "http://127.0.0.1:9"}):
            settings.DIRECT_UPLOADS = "programs"
            finding = one(probes.probe_direct_uploads)
    assert (finding.state, finding.text) == (probes.WARNING, "127.0.0.1: ConnectError")
    assert "S3_PUBLIC_ENDPOINT_URL" in finding.advice


def test_a_store_that_does_not_keep_to_what_is_signed_is_found_and_one_with_cors_is_let_in(settings, tmp_path):
    with moto_server(tmp_path, "data") as url, configured(settings, {**KEYS, "bucket": "data", "endpoint": url}):
        finding = one(probes.probe_direct_uploads)
        assert (finding.state, "more bytes" in finding.text) == (probes.WARNING, True)
        page = "https://portal.example"
        rules = {"CORSRules": [{"AllowedOrigins": [page], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}]}
        storage().client.put_bucket_cors(Bucket="data", CORSConfiguration=rules)
        direct_probe._preflight(f"{url}/data/key", page)
        with pytest.raises(direct_probe.Unfit, match="CORS"):
            direct_probe._preflight(f"{url}/data/key", "https://elsewhere.example")


@pytest.mark.parametrize(
    ("free", "state"), [(100 * 1024**3, probes.OK), (2 * 1024**3, probes.WARNING), (1024**2, probes.FAILURE)]
)
def test_a_disk_that_runs_full_is_told_in_time(monkeypatch, settings, tmp_path, free, state):
    settings.HOME = settings.CACHE_DIR = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, free))
    finding = one(probes.probe_disk)
    assert finding.state == state
    assert bool(finding.advice) == (state != probes.OK)


def test_each_trainer_is_found_and_a_broken_one_named(settings, tmp_path):
    names = {finding.part: finding.state for finding in probes.probe_trainers()}
    assert names["trainer reference"] == probes.OK
    settings.TRAINERS_DIR = tmp_path
    assert one(probes.probe_trainers).state == probes.FAILURE
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "trainer.toml").write_text("contract = 99\n")
    finding = one(probes.probe_trainers)
    assert (finding.part, finding.state) == ("trainer bad", probes.FAILURE)


def test_mail_is_tried_against_a_real_server(settings):
    assert one(probes.probe_mail).state == probes.WARNING
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS = False
    server = Controller(object(), hostname="127.0.0.1", port=address.free_port())
    server.start()
    try:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.hostname, server.port
        assert one(probes.probe_mail).state == probes.OK
    finally:
        server.stop()
    finding = one(probes.probe_mail)
    assert finding.state == probes.FAILURE
    assert "EMAIL_HOST" in finding.advice


def test_a_probe_that_breaks_is_a_finding_and_the_others_go_on(monkeypatch):
    def probe_broken_part():
        raise RuntimeError("surprise")
        yield

    monkeypatch.setattr(probes, "PROBES", (probe_broken_part, probes.probe_python))
    broken, python = probes.examine()
    assert (broken.part, broken.state, broken.text) == ("broken part", probes.FAILURE, "RuntimeError: surprise")
    assert python.part == "python"


@pytest.mark.parametrize(("state", "status"), [(probes.OK, None), (probes.WARNING, None), (probes.FAILURE, 1)])
def test_the_command_tells_programs_and_people(monkeypatch, state, status):
    finding = probes.Finding("disk", state, "3 GiB free", "Make room.")
    monkeypatch.setattr(probes, "PROBES", (lambda: iter([finding]),))

    def told(*arguments):
        output = StringIO()
        try:
            call_command("doctor", *arguments, stdout=output, no_color=True)
        except SystemExit as end:
            return output.getvalue(), end.code
        return output.getvalue(), None

    text, code = told("--json")
    assert (json.loads(text), code) == ([finding.as_dict()], status)
    text, code = told()
    assert code == status
    assert "→ Make room." in text


def test_the_extra_that_reads_further_formats_says_whether_it_is_there(settings, tmp_path, monkeypatch):
    assert one(probes.probe_datumaro).text.startswith("off: DATASET_DATUMARO=true")
    settings.DATASET_DATUMARO, settings.CACHE_DIR = True, tmp_path
    finding = one(probes.probe_datumaro)
    assert (finding.state, "datumaro_build" in finding.text) == (probes.OK, True)
    folder = locked_environment(LOCK, tmp_path).folder
    folder.mkdir(parents=True)
    (folder / COMPLETE).touch()
    assert one(probes.probe_datumaro).text.startswith("environment ready")
    monkeypatch.setattr(probes.foreign, "lack", lambda: "no Landlock")
    finding = one(probes.probe_datumaro)
    assert (finding.state, "no Landlock" in finding.text) == (probes.WARNING, True)
