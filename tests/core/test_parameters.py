"""Numbers in the query of an address: what is one, and what only Python takes for one."""

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core.api.parameters import integer, number
from apps.core.errors import Invalid


def request(value: str | None) -> Request:
    return Request(APIRequestFactory().get("/", {} if value is None else {"n": value}))


@pytest.mark.parametrize(("value", "found"), [(None, 7), ("5", 5), ("-3", 0), ("007", 7), ("10", 9), ("9" * 30, 9)])
def test_a_whole_number_is_moved_into_its_range(value: str | None, found: int) -> None:
    assert integer(request(value), "n", 7, 0, 9) == found


@pytest.mark.parametrize("value", ["", "x", "1.0", "1_0", "+9", "٣", " 1", "1\n", "0x1", "9" * 5000])
def test_another_text_is_no_whole_number(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        integer(request(value), "n", 7, 0, 9)
    assert list(refused.value.fields) == ["n"]


@pytest.mark.parametrize(
    ("value", "found"), [(None, None), ("1", 1.0), ("-1.5e3", -1500.0), (".5", 0.5), ("2.", 2.0), ("1e-07", 1e-07)]
)
def test_a_number_is_read(value: str | None, found: float | None) -> None:
    assert number(request(value), "n") == found


@pytest.mark.parametrize(
    "value", ["", "x", "nan", "inf", "-Infinity", "1e999", "1_0.5", "١.٥", " 1", "1\n", "e5", "."]
)
def test_another_text_is_no_number(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        number(request(value), "n")
    assert list(refused.value.fields) == ["n"]
