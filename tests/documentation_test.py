"""The pages of the documentation: links lead somewhere, no page is lost, decisions have one number each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("tests/**/*.md")),
]
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Yield the links of a page that lead into the repository."""
    yield from (link for link in _LINK.findall(text_of(page)) if not re.match(r"[a-z]+:", link))


def anchors(page: Path) -> set[str]:
    """Return what ``#...`` may name in a page, as forges make it of headings."""
    headings = re.findall(r"^#+ +(.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert faults(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# What's *here*, now\n")
    page.write_text(
        "[a](other.md) [b](other.md#whats-here-now) [c](gone.md) [d](other.md#gone) [e](#f) [x](https://x.example/y)\n"
        "```\n# f\n[g](gone.md)\n```\n"
    )
    assert faults(page) == ["gone.md", "other.md#gone", "#f"]


@pytest.mark.parametrize(
    "index", [DOCS / "README.md", DOCS / "decisions/README.md"], ids=["docs", "decisions"]
)
def test_an_index_lists_every_page_below_it(index: Path) -> None:
    listed = {(index.parent / link).resolve() for link in links(index)}
    pages = {page for page in index.parent.rglob("*.md") if page != index}
    if index.parent == DOCS:
        pages = {page for page in pages if page.parent.name != "decisions" or page.name == "README.md"}
    assert sorted(page.name for page in pages - listed) == []


def test_each_decision_has_the_number_of_its_file_and_the_title_of_the_index() -> None:
    index = (DOCS / "decisions/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{3})\]\((.+?)\) \| (.+) \|$", index, re.MULTILINE)
    numbers = [number for number, _, _ in rows]
    assert numbers == sorted(set(numbers))
    for number, file, title in rows:
        assert file.startswith(f"{number}-")
        first = (DOCS / "decisions" / file).read_text(encoding="utf-8").partition("\n")[0]
        assert first == f"# {number} {title}"
