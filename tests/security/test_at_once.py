"""The same request many times at once has one effect; committed, because each has a connection of its own."""

import threading
from typing import Any

import pytest
from django.db import connections

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, RestClient
from apps.experiments.models import Run
from tests.factories.cast import build
from tests.security.report import BAD_INPUT

pytestmark = pytest.mark.security(BAD_INPUT, "REST operations in general")


@pytest.mark.parametrize("times", [4], ids=["bad-X10"])
def test_a_submit_sent_many_times_at_once_has_one_effect(
    transactional_db: None, sample_factories: None, times: int
) -> None:
    cast = Cast(build)
    path, token = f"/training-jobs/{cast.sample('training-job').pk}/start", cast.owner.token
    barrier = threading.Barrier(times)
    answers: list[Any] = []

    def submit() -> None:
        try:
            barrier.wait(10)
            answers.append(RestClient(token).post(path))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=submit) for _number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (times - 1)
    assert AuditEvent.objects.filter(action="training.started").count() == 1
    assert Run.objects.count() == 1
