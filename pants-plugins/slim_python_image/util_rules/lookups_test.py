"""Which lines one process looks up: chunks of a lock of which enough is needed, and single lines."""

from __future__ import annotations

import pytest

from slim_python_image.util_rules.locks import LockedLine
from slim_python_image.util_rules.lookups import together

NAMES = ("a", "b", "c", "d", "e", "f")


def lines(*names: str) -> dict[str, list[LockedLine]]:
    return {name: [LockedLine(name, "1", ("0" * 64,))] for name in names}


def asked(size: int, *names: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names that each process looks up where chunks have a size."""
    chunks = [NAMES[start : start + size] for start in range(0, len(NAMES), size)]
    monkeypatch.setattr("slim_python_image.util_rules.lookups.chunks_of_names", lambda _names: chunks)
    return ["".join(line.name for line in one) for one in together(lines(*NAMES), names)]


@pytest.mark.parametrize(
    ("size", "names", "processes"),
    [
        (2, NAMES, ["ab", "cd", "ef"]),
        (2, "abc", ["ab", "c"]),
        (2, "c", ["c"]),
        (2, "", []),
        # At least half, and more than one.
        (4, "ac", ["abcd"]),
        (4, "ae", ["a", "e"]),
        (6, "ac", ["a", "c"]),
        (6, "ace", ["abcdef"]),
        (1, "a", ["a"]),
    ],
)
def test_chunks_of_which_enough_is_needed_are_looked_up_by_one_process(
    size: int, names: str, processes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(size, *names, monkeypatch=monkeypatch) == processes


def test_images_that_need_different_lines_share_what_is_looked_up() -> None:
    many = lines(*(f"name-{number}" for number in range(60)))
    names = sorted(many)
    ways = {one for start in range(60) for one in together(many, {*names[start:], *names[: start // 3]})}
    # A chunk, or the line by itself: no image has a way of its own.
    assert all(sum(line in one for one in ways) <= 2 for rows in many.values() for line in rows)
    assert len(ways) < 60 + 12


def test_two_versions_of_a_name_are_looked_up_together() -> None:
    many = {**lines("b"), "a": [LockedLine("a", version, ("0" * 64,)) for version in ("1", "2")]}
    (chunk,) = together(many, "ab")
    assert [line.key for line in chunk] == [("a", "1"), ("a", "2"), ("b", "1")]
