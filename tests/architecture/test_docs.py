"""Links between the pages of the documentation, and the tests that its status names, lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
#: A path in backticks that begins with `tests/`; names that follow it without their folder are passed over.
TEST = re.compile(r"`(tests/[\w/.]+)`")


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in addresses."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)  # `#` is a comment in a shell
    headings = re.findall(r"^#+ (.+)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_tests_that_the_status_names_are_there() -> None:
    named = set(TEST.findall((ROOT / "docs" / "status.md").read_text()))
    assert len(named) > 50
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
