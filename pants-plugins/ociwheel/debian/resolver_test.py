from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.debian.packages import Universe, split_paragraphs
from ociwheel.debian.resolver import resolve
from ociwheel.errors import BaseError
from tests.support.debian import paragraph

if TYPE_CHECKING:
    from collections.abc import Sequence


def closure(
    paragraphs: Sequence[str], packages: Sequence[str], excluded: Sequence[str] = ()
) -> list[tuple[str, str]]:
    universe = Universe("amd64", split_paragraphs("\n".join(paragraphs), "debian"))
    return [(c.name, c.version) for c in resolve(universe, packages, excluded, "linux/amd64, packages")]


def names(paragraphs: Sequence[str], packages: Sequence[str], excluded: Sequence[str] = ()) -> list[str]:
    return [name for name, _ in closure(paragraphs, packages, excluded)]


def fault(paragraphs: Sequence[str], packages: Sequence[str]) -> str:
    with pytest.raises(BaseError) as e:
        closure(paragraphs, packages)
    return str(e.value)


def test_depends_and_pre_depends_come_along_recommends_do_not() -> None:
    index = [
        paragraph("app", Depends="liba", Pre_Depends="libb", Recommends="docs"),
        paragraph("liba"),
        paragraph("libb", Depends="liba"),
        paragraph("docs"),
    ]
    assert names(index, ["app"]) == ["app", "liba", "libb"]


def test_an_alternative_that_is_chosen_already_wins_over_the_first() -> None:
    index = [paragraph("app", Depends="one | two"), paragraph("one"), paragraph("two")]
    assert names(index, ["app"]) == ["app", "one"]
    assert names(index, ["app", "two"]) == ["app", "two"]


def test_the_first_alternative_that_exists_is_taken() -> None:
    index = [paragraph("app", Depends="gone | two (>= 2) | three"), paragraph("two"), paragraph("three")]
    assert names(index, ["app"]) == ["app", "three"]


def test_a_virtual_package_is_satisfied_by_what_provides_it() -> None:
    index = [paragraph("app", Depends="awk"), paragraph("mawk", Provides="awk")]
    assert names(index, ["app"]) == ["app", "mawk"]
    assert names(index, ["app"], excluded=["mawk"]) == ["app"]


def test_what_is_excluded_goes_with_all_that_only_it_needs() -> None:
    index = [paragraph("app", Depends="debconf"), paragraph("debconf", Depends="perl"), paragraph("perl")]
    assert names(index, ["app"], excluded=["debconf"]) == ["app"]
    assert names(index, ["app", "debconf"], excluded=["debconf"]) == ["app", "debconf", "perl"]


def test_of_several_suites_the_highest_version_wins() -> None:
    index = [paragraph("libx", "1.0-1"), paragraph("libx", "1.0-1+deb12u1")]
    assert closure(index, ["libx"]) == [("libx", "1.0-1+deb12u1")]
    assert closure(index, ["libx (<< 1.0-1+)"]) == [("libx", "1.0-1")]


def test_suites_out_of_step_fall_back_to_versions_that_fit() -> None:
    """The security suite has the program already, but not yet its library."""
    index = [
        paragraph("app", "1", Depends="libapp (= 1)"),
        paragraph("app", "2", Depends="libapp (= 2)"),
        paragraph("libapp", "1"),
    ]
    assert closure(index, ["app"]) == [("app", "1"), ("libapp", "1")]


def test_a_library_ahead_of_its_program_falls_back_too() -> None:
    index = [
        paragraph("app", "1", Depends="libapp (= 1)"),
        paragraph("libapp", "1"),
        paragraph("libapp", "2"),
    ]
    assert closure(index, ["libapp", "app"]) == [("app", "1"), ("libapp", "1")]


def test_all_that_is_unsatisfiable_is_told_with_who_required_it() -> None:
    index = [
        paragraph("app", Depends="liba"),
        paragraph("liba", Depends="libb (>= 2), libc-virtual (>= 3), gone | missing"),
        paragraph("libb"),
        paragraph("provider", Provides="libc-virtual (= 1)"),
    ]
    assert fault(index, ["app"]) == (
        "linux/amd64, packages: these packages cannot be installed together on amd64:\n"
        "  gone | missing: no suite has gone; no suite has missing (required by liba 1.0-1, by app 1.0-1)\n"
        "  libb (>= 2): libb is there as 1.0-1 (required by liba 1.0-1, by app 1.0-1)\n"
        "  libc-virtual (>= 3): libc-virtual is only provided by others, in no fitting version "
        "(required by liba 1.0-1, by app 1.0-1)\n"
        "  -> change packages, extra_packages, builder_packages, excluded_packages or suites"
    )


def test_an_unknown_package_is_told_with_those_of_a_like_name() -> None:
    index = [paragraph("libpq5"), paragraph("libpq-dev"), paragraph("zlib1g")]
    assert fault(index, ["libpq6", "zlib1g"]) == (
        "linux/amd64, packages: these packages cannot be installed together on amd64:\n"
        "  libpq6: no suite has libpq6\n"
        "  -> libpq6: did you mean libpq5?"
    )


@pytest.mark.parametrize(("field", "verb"), [("Conflicts", "conflicts with"), ("Breaks", "breaks")])
def test_a_conflict_is_told_with_both_sides(field: str, verb: str) -> None:
    index = [
        paragraph("app", Depends="liba, libb"),
        paragraph("liba", **{field: "libb (<< 2)"}),
        paragraph("libb"),
    ]
    assert fault(index, ["app"]) == (
        "linux/amd64, packages: these packages cannot be installed together on amd64:\n"
        f"  liba 1.0-1 {verb} libb (<< 2), and libb 1.0-1 is chosen (required by app 1.0-1)\n"
        "  -> change packages, extra_packages, builder_packages, excluded_packages or suites"
    )


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    index = [paragraph("mta-one", Provides="mta", Conflicts="mta"), paragraph("mta-two", Provides="mta")]
    assert names(index, ["mta-one"]) == ["mta-one"]
    assert "conflicts with mta, and mta-two" in fault(index, ["mta-one", "mta-two"])


_GRAPH = st.lists(st.lists(st.integers(min_value=0, max_value=11), max_size=4), min_size=1, max_size=12)


@given(_GRAPH, st.randoms(use_true_random=False))
def test_a_closure_is_complete_minimal_and_the_same_in_any_order(
    graph: list[list[int]], random: object
) -> None:
    index = []
    for number, needs in enumerate(graph):
        depends = ", ".join(f"p{need % len(graph):02}" for need in needs)
        index.append(paragraph(f"p{number:02}", **({"Depends": depends} if depends else {})))
    reached, queue = set(), [0]
    while queue:
        number = queue.pop()
        if number not in reached:
            reached.add(number)
            queue += [need % len(graph) for need in graph[number]]
    shuffled = list(index)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert names(index, ["p00"]) == names(shuffled, ["p00"]) == [f"p{n:02}" for n in sorted(reached)]
