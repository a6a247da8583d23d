"""The portal's pages of datasets, as people with a session get them."""

from typing import Any

import pytest
from django.urls import reverse

from apps.core.testing import Cast, assert_constant_queries
from apps.datasets.models import Blob, Dataset, SplitMethod, Upload, UploadState
from apps.datasets.services import snapshot_for_training
from apps.datasets.services.reading import refused_error, upload_analyse, upload_read
from apps.projects.services import project_create
from tests.datasets.factories.archives import zip_of
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes, uploaded

pytestmark = pytest.mark.django_db


def get(cast: Cast, name: str, *args: Any, person: str = "editor", **query: Any) -> str:
    answer = cast.person(person).portal.get(reverse(f"datasets:{name}", args=args), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_every_page_of_a_dataset_is_drawn(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    for name in ("detail", "classes", "versions", "compare", "uploads", "usage", "change", "upload"):
        page = get(cast, name, dataset.pk)
        assert dataset.name in page, name
        assert "style=" not in page.split("<main")[1].split("</main>")[0], name
    assert "v1" in get(cast, "versions", dataset.pk)
    assert get(cast, "detail", dataset.pk).count("image-tile") == 2
    assert "train-0000.jpg" in get(cast, "image", dataset.pk, cast.sample("dataset-image").pk)
    assert "train-0000.jpg" not in get(cast, "detail", dataset.pk, split="val")
    assert "No image like that" in get(cast, "detail", dataset.pk, q="nowhere")


def test_a_dataset_is_created_and_leads_to_the_drop_zone(cast: Cast) -> None:
    page = cast.editor.portal.post(
        reverse("datasets:create"),
        {"project": cast.sample("project").pk, "name": "Gears", "description": "", "visibility": "project"},
    )
    made = Dataset.objects.get(name="Gears")
    assert page.status_code == 302 and page["Location"] == reverse("datasets:upload", args=[made.pk])
    drop = get(cast, "upload", made.pk)
    assert f'data-url="/api/v1/datasets/{made.pk}"' in drop and 'data-complete="analyze"' in drop
    again = cast.editor.portal.post(
        reverse("datasets:create"),
        {"project": cast.sample("project").pk, "name": "gears", "description": "", "visibility": "project"},
    )
    assert again.status_code == 422 and "dataset of this name" in again.content.decode()


def test_a_new_dataset_begins_with_the_only_project_and_folds_what_can_wait(cast: Cast) -> None:
    only = cast.editor.portal.get(reverse("datasets:create")).context["form"]
    assert only["project"].value() == cast.sample("project").pk
    assert not only.opens_further and only.further == ("description", "tags", "licence", "people", "consent")
    project_create(actor=cast.editor.actor, organization=cast.sample("project").organization, name="A second")
    assert not cast.editor.portal.get(reverse("datasets:create")).context["form"]["project"].value()
    page = cast.editor.portal.post(reverse("datasets:create"), {"name": "", "licence": "MIT"})
    assert page.status_code == 422 and page.context["form"].opens_further
    assert (
        cast.editor.portal.get(reverse("datasets:change", args=[cast.sample("dataset").pk])).context["form"].further
        == ()
    )


def test_who_may_add_to_no_project_is_led_to_one_of_their_own(cast: Cast) -> None:
    empty = get(cast, "list", person="stranger").split('id="datasets"')[1]
    assert reverse("projects:create") in empty and reverse("datasets:create") not in empty
    guest = get(cast, "list", person="guest").split('id="datasets"')[1]
    assert reverse("projects:create") not in guest, "a project of their own would not help"
    page = get(cast, "create", person="guest")
    assert "Engineers of the organization make datasets" in page and "First a project" not in page
    assert reverse("datasets:create") in get(cast, "list", person="editor")


def test_viewers_see_no_way_to_change(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    page = get(cast, "detail", dataset.pk, person="viewer")
    assert reverse("datasets:upload", args=[dataset.pk]) not in page
    settings = reverse("datasets:change", args=[dataset.pk])
    assert '<form method="post" novalidate' not in cast.viewer.portal.get(settings).content.decode()
    assert cast.viewer.portal.post(settings, {"name": "Mine"}).status_code == 403
    assert cast.viewer.portal.get(reverse("datasets:upload", args=[dataset.pk])).status_code == 403
    assert cast.stranger.portal.get(reverse("datasets:detail", args=[dataset.pk])).status_code == 404


def test_a_report_names_each_defect_and_offers_what_is_possible(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    files = dict(shapes(seed=2))
    label = next(path for path in files if path.startswith("labels/"))
    files[label] += b"0 nan 0.5 0.1 0.1\n"
    upload = uploaded(dataset, files)
    assert upload.state == UploadState.REFUSED
    page = get(cast, "upload-detail", dataset.pk, upload.pk)
    line = len(files[label].splitlines())
    assert f"{label}:{line}" in page and "Analyse leniently" in page
    assert reverse("datasets:upload-publish", args=[dataset.pk, upload.pk]) not in page
    answer = cast.editor.portal.post(reverse("datasets:upload-lenient", args=[dataset.pk, upload.pk]))
    assert answer.status_code == 302
    upload.refresh_from_db()
    assert upload.state == UploadState.ANALYSING
    part = cast.editor.portal.htmx(reverse("datasets:upload-detail", args=[dataset.pk, upload.pk])).content.decode()
    assert 'hx-trigger="every 1s"' in part and "<html" not in part


def test_a_lenient_analysis_is_not_advised_again(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    files = dict(shapes(seed=2))
    label = next(path for path in files if path.startswith("labels/"))
    files[label] += b"0 nan 0.5 0.1 0.1\n"
    files[next(path for path in files if path.startswith("images/"))] = b"no picture"
    strict = get(cast, "upload-detail", dataset.pk, uploaded(dataset, files).pk)
    assert "lenient check" in strict and "A lenient analysis" in strict and "Analyse leniently" in strict
    upload = uploaded(dataset, files)
    upload_analyse(actor=SYSTEM, upload=upload, lenient=True)
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.REFUSED
    lenient = get(cast, "upload-detail", dataset.pk, upload.pk)
    assert "choose the lenient check" not in lenient
    assert "A lenient analysis" not in lenient and "Analyse leniently" not in lenient
    assert "Nothing to do: the lenient check" in lenient
    assert "leniently" not in str(refused_error(upload).hint)


@pytest.mark.parametrize(
    "files",
    [
        {"photos.zip": b"no archive at all"},
        {**dict(shapes(seed=2)), "images/more.zip": zip_of({"a.txt": b"x"})},
        {"set.zip": zip_of({"../images/a.jpg": b"x"})},
    ],
    ids=["no archive", "a packed file inside", "a path that leads out"],
)
def test_what_was_refused_unread_is_not_offered_another_reading(cast: Cast, files: dict[str, bytes]) -> None:
    dataset = cast.sample("dataset")
    page = get(cast, "upload-detail", dataset.pk, uploaded(dataset, files).pk)
    assert "refused before they were read" in page and "Upload again" in page
    assert "leniently" not in page and "Read it as another format" not in page and "Unknown" not in page


def test_what_was_read_and_is_nothing_is_offered_another_reading(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    page = get(cast, "upload-detail", dataset.pk, uploaded(dataset, {"set.zip": zip_of({"notes.txt": b"x"})}).pk)
    assert "refused before they were read" not in page and "Read it as another format" in page


def test_the_splits_of_a_report_stand_in_their_own_order(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    upload = uploaded(dataset, dict(shapes(seed=2)))
    splits = upload.analysis["splits"]
    upload.change(
        analysis={**upload.analysis, "splits": {name: splits[name] for name in sorted(splits, reverse=True)}}
    )
    assert list(Upload.objects.get(pk=upload.pk).analysis["splits"]) != ["train", "val"]
    answer = cast.editor.portal.get(reverse("datasets:upload-detail", args=[dataset.pk, upload.pk]))
    assert [row["label"] for row in answer.context["split_rows"]] == ["Training", "Validation"]


def test_a_watched_upload_that_is_published_loads_the_whole_page_anew(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    upload = uploaded(dataset, dict(shapes(seed=2)))
    address = reverse("datasets:upload-detail", args=[dataset.pk, upload.pk])
    assert "HX-Refresh" not in cast.editor.portal.htmx(address)
    upload.change(state=UploadState.PUBLISHED)
    assert cast.editor.portal.htmx(address)["HX-Refresh"] == "true"
    assert "HX-Refresh" not in cast.editor.portal.get(address)


def test_an_upload_is_published_from_its_report(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    upload = cast.sample("analysed-upload")
    page = get(cast, "upload-detail", dataset.pk, upload.pk)
    assert 'href="#publish"' in page and 'id="publish"' in page
    address = reverse("datasets:upload-publish", args=[dataset.pk, upload.pk])
    cast.editor.portal.post(address, {"mode": "replace", "note": "second try"})
    upload.refresh_from_db()
    assert (upload.state, upload.mode, upload.note) == ("publishing", "replace", "second try")


def test_a_split_is_set_and_taken_back(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    address = reverse("datasets:split", args=[dataset.pk])
    wrong = cast.editor.portal.post(address, {"method": "auto", "train": 0.5, "val": 0.2, "test": 0.2, "seed": 1})
    assert wrong.status_code == 422 and "add up to 1" in wrong.content.decode()
    assert cast.editor.portal.get(address)["Location"] == reverse("datasets:classes", args=[dataset.pk])
    cast.editor.portal.post(address, {"method": "auto", "train": 0.5, "val": 0.5, "test": 0, "seed": 1})
    dataset.refresh_from_db()
    assert dataset.split_plan.method == SplitMethod.AUTO
    cast.editor.portal.post(reverse("datasets:split-remove", args=[dataset.pk]))
    dataset.refresh_from_db()
    assert dataset.split_plan is None


def test_a_picture_in_quarantine_is_asked_for_nowhere(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    first = cast.sample("dataset-image")
    address = f"/images/{first.pk}/thumbnail"
    assert address in get(cast, "list") and address in get(cast, "detail", dataset.pk)
    Blob.objects.filter(entries__item=first).update(damage="missing")
    page = get(cast, "detail", dataset.pk)
    assert address not in page and "image-absent" in page
    listed = get(cast, "list")
    assert address not in listed and f"/datasets/{dataset.pk}/images/" in listed, "another picture stands for the set"
    image = get(cast, "image", dataset.pk, first.pk)
    assert address not in image and "damaged or missing" in image and 'aria-disabled="true"' in image


def test_the_trash_gives_back(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    cast.editor.portal.post(reverse("datasets:delete", args=[dataset.pk]))
    assert dataset.name not in get(cast, "list") and dataset.name in get(cast, "trash")
    cast.editor.portal.post(reverse("datasets:restore", args=[dataset.pk]))
    assert dataset.name in get(cast, "list")


def test_what_cannot_be_brought_back_says_why_beside_the_trash(cast: Cast) -> None:
    trashed = cast.sample("trashed-dataset")
    DatasetFactory(project=cast.sample("project"), name=trashed.name)
    answer = cast.editor.portal.post(reverse("datasets:restore", args=[trashed.pk]), follow=True)
    assert answer.redirect_chain == [(reverse("datasets:trash"), 302)]
    assert "The organization has a dataset of this name." in answer.content.decode()


def test_the_list_costs_the_same_for_one_and_for_twenty(cast: Cast) -> None:
    def add(count: int) -> None:
        for _number in range(count):
            DatasetFactory(project=cast.sample("project"))

    assert_constant_queries(lambda: get(cast, "list"), add_rows=add, at_most=12)


def test_the_images_cost_the_same_for_few_and_for_many(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    done = iter(range(1000))

    def add(count: int) -> None:
        picture = shapes()["images/train/train-0000.jpg"]
        published(
            dataset, {f"images/train/more-{next(done)}.jpg": picture for _ in range(count)}, person=cast.owner.user
        )

    assert_constant_queries(lambda: get(cast, "detail", dataset.pk), add_rows=add, at_most=17)


def test_what_is_said_of_a_dataset_is_shown_as_text(cast: Cast) -> None:
    """D11: description in Markdown, licence, consent, by the form, by REST, in history and in an export."""
    dataset = cast.sample("dataset")
    long = "# Pins\n\n<script>alert(1)</script> **from** [line 4](https://lines.example/4)\n\n" + "- one more\n" * 80
    sent = {"name": dataset.name, "project": dataset.project_id, "visibility": "project", "description": long}
    sent |= {"licence": "CC-BY-4.0", "people": "agreed", "consent": "Signed on paper,\nkept by A & B"}
    answer = cast.editor.portal.post(reverse("datasets:change", args=[dataset.pk]), sent)
    assert answer.status_code == 302, answer.content.decode()
    page = get(cast, "detail", dataset.pk, person="viewer").split("<main")[1]
    assert "<h3>Pins</h3>" in page and "<strong>from</strong>" in page and "<script>alert" not in page
    assert 'href="https://lines.example/4" rel="noopener noreferrer nofollow"' in page
    for shown in ("<summary>", "CC-BY-4.0", "Everybody who can be recognised has agreed", "kept by A &amp; B"):
        assert shown in page
    assert "CC-BY-4.0" in get(cast, "change", dataset.pk, person="viewer")
    assert "Pins &lt;script&gt;" in get(cast, "list")

    read = cast.viewer.rest.get(f"/datasets/{dataset.pk}").json()
    assert (read["licence"], read["people"], read["description"]) == ("CC-BY-4.0", "agreed", long.strip())
    for wrong in ({"people": "some"}, {"licence": "a\x00b"}, {"licence": "x" * 201}, {"consent": "x" * 2001}):
        assert cast.editor.rest.patch(f"/datasets/{dataset.pk}", wrong).status_code == 400
    assert cast.viewer.rest.patch(f"/datasets/{dataset.pk}", {"licence": "MIT"}).status_code == 403
    changed = cast.editor.rest.patch(f"/datasets/{dataset.pk}", {"licence": " MIT ", "people": "", "consent": ""})
    assert changed.json()["licence"] == "MIT"
    bare = get(cast, "detail", dataset.pk)
    assert "kept by A" not in bare and "MIT" in bare
