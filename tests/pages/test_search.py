"""What the palette finds beside pages."""

import itertools

from apps.core.testing import assert_constant_queries
from tests.factories.datasets import DatasetFactory
from tests.factories.jobs import JobFactory
from tests.factories.projects import ProjectFactory
from tests.factories.training import TrainingJobFactory


def found(person, text):
    response = person.portal.get("/search/", {"q": text})
    assert response.status_code == 200
    return response.json()["results"]


def names(person, text):
    return [row["name"] for row in found(person, text)]


def filled(cast, number=1):
    """One project, dataset and training whose names have something in common."""
    project = ProjectFactory(organization_id=cast.owner.organization_id, name=f"Zebra yard {number}")
    dataset = DatasetFactory(project=project, organization=project.organization, name=f"Big zebra set {number}")
    training = TrainingJobFactory(job=JobFactory(project=project, name="zebra no 1"))
    return project, dataset, training


def test_a_part_of_a_name_finds_projects_datasets_and_trainings(cast):
    rows = filled(cast)
    assert [(row["name"], row["url"]) for row in found(cast.admin, " ZEBRA ")] == [
        (str(row), row.get_absolute_url()) for row in rows
    ]
    assert all(cast.admin.portal.get(row["url"]).status_code == 200 for row in found(cast.admin, "zebra"))


def test_nothing_of_what_one_may_not_see_is_found(cast):
    filled(cast)
    assert names(cast.admin, "zebra")
    assert names(cast.stranger, "zebra") == []


def test_names_that_begin_so_come_first_and_five_of_a_kind_at_most(cast):
    for number in range(7):
        ProjectFactory(organization_id=cast.owner.organization_id, name=f"a zebra {number}")
    ProjectFactory(organization_id=cast.owner.organization_id, name="zebra")
    ProjectFactory(organization_id=cast.owner.organization_id, name="b zebra")
    assert names(cast.admin, "zebra") == ["zebra", "b zebra", "a zebra 6", "a zebra 5", "a zebra 4"]


def test_nothing_is_searched_for_without_a_text(cast):
    assert found(cast.admin, "  ") == found(cast.admin, "\0") == []


def test_signs_of_patterns_stand_for_themselves(cast):
    filled(cast)
    assert names(cast.admin, "z%a") == []


def test_search_costs_the_same_however_much_there_is(cast):
    client = cast.admin.portal

    numbers = itertools.count()

    def more(count):
        for _ in range(count):
            filled(cast, next(numbers))

    assert_constant_queries(lambda: client.get("/search/", {"q": "zebra"}), add_rows=more, at_most=6)
