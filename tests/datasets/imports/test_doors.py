"""Imports by REST and by the pages."""

import pytest

from apps.core.testing import Cast
from apps.datasets.models import Upload
from tests.core.test_outbound import Canary

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "source"),
        ({"source": "sent"}, "source"),
        ({"source": "address"}, "url"),
        ({"source": "address", "url": "https://10.0.0.1:22/"}, "url"),
        ({"source": "bucket"}, "bucket"),
        ({"source": "bucket", "bucket": "a/b"}, "bucket"),
        ({"source": "bucket", "bucket": "shapes", "access_key": "a"}, "secret_key"),
        ({"source": "bucket", "bucket": "shapes", "endpoint": "http://10.0.0.1"}, "endpoint"),
        ({"source": "folder"}, "folder_id"),
    ],
)
def test_what_is_missing_or_wrong_is_named(body: dict[str, str], field: str, cast: Cast) -> None:
    answer = cast.editor.rest.post(f"/datasets/{cast.sample('dataset').pk}/import", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Upload.objects.filter(state="fetching").exists()


def test_pages_begin_imports_and_show_how_far_they_are(cast: Cast, allowed: Canary) -> None:
    dataset, folder = cast.sample("dataset"), cast.sample("server-folder")
    base = f"/datasets/{dataset.pk}/import"
    for way in ("address", "bucket", "folder"):
        assert cast.editor.portal.get(f"{base}/{way}/").status_code == 200
        assert cast.viewer.portal.get(f"{base}/{way}/").status_code == 403
    shown = cast.editor.portal.get(f"{base}/folder/?folder={folder.pk}&path=shapes").content.decode()
    assert "data.yaml" in shown
    assert cast.editor.portal.get(f"{base}/folder/?folder={folder.pk}&path=absent").status_code == 422
    for way, sent, place in (
        ("address", {"url": f"{allowed.url}a.zip"}, f"{allowed.url}a.zip"),
        ("bucket", {"bucket": "shapes", "endpoint": allowed.url, "region": "eu-west-1"}, "s3://shapes/"),
        ("folder", {"folder": str(folder.pk), "path": "shapes"}, f"{folder.name}/shapes"),
    ):
        answer = cast.editor.portal.post(f"{base}/{way}/", sent)
        assert answer.status_code == 302, answer.content.decode()
        page = cast.editor.portal.get(answer["Location"]).content.decode()
        assert "hx-trigger" in page
        assert place in page
        given_up = cast.editor.portal.post(f"{answer['Location']}cancel/")
        assert given_up.status_code == 302
        assert not Upload.objects.filter(state="fetching").exists()
    wrong = cast.editor.portal.post(f"{base}/address/", {"url": "https://localhost/"})
    assert wrong.status_code == 422
    assert cast.viewer.portal.post(f"{base}/address/", {"url": f"{allowed.url}a.zip"}).status_code == 403
