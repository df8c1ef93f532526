"""Chunks of names: bounded, and the same wherever nothing changed."""

from __future__ import annotations

from slim_python_image.util_rules.chunks import MOST_NAMES, chunks_of_names, divided

NAMES = [f"name-{number}" for number in range(400)]


def test_every_name_is_in_one_chunk_and_no_chunk_is_large() -> None:
    chunks = chunks_of_names(reversed([*NAMES, *NAMES[:9]]))
    assert sorted(name for chunk in chunks for name in chunk) == sorted(NAMES)
    assert all(list(chunk) == sorted(chunk) for chunk in chunks)
    assert max(map(len, chunks)) <= MOST_NAMES
    assert 6 <= len(NAMES) / len(chunks) <= 10
    assert chunks_of_names(["b", "a", "b"]) == [("a", "b")]
    assert chunks_of_names([]) == []


def test_one_name_more_or_less_changes_its_own_chunk_alone() -> None:
    before = set(chunks_of_names(NAMES))
    for name in NAMES:
        less = set(chunks_of_names([one for one in NAMES if one != name]))
        gone, new = before - less, less - before
        # Two halves that have become small enough to be one, or the chunk without it.
        assert len(gone) <= 2
        assert len(new) <= 1
        assert {one for chunk in gone for one in chunk} - {one for chunk in new for one in chunk} == {name}


def test_what_has_one_place_is_one_chunk() -> None:
    assert list(divided(dict.fromkeys("abc", 7), lambda part: len(part) <= 1)) == [("a", "b", "c")]
