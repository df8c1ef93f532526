"""Chunks of names: bounded, and the same wherever nothing changed."""

from __future__ import annotations

import pytest

from slim_python_image.util_rules.chunks import cut_chunks

NAMES = [f"name-{number}" for number in range(400)]


def test_every_name_is_in_one_chunk_and_no_chunk_is_large() -> None:
    chunks = cut_chunks(reversed([*NAMES, *NAMES[:9]]))
    assert [name for chunk in chunks for name in chunk] == sorted(NAMES)
    assert max(map(len, chunks)) <= 16
    assert 5 <= len(NAMES) / len(chunks) <= 10
    assert cut_chunks([]) == []


def test_a_run_without_a_cut_of_its_own_is_cut_all_the_same() -> None:
    chunks = cut_chunks(NAMES, average=10**9, most=16)
    assert max(map(len, chunks)) <= 16
    assert [name for chunk in chunks for name in chunk] == sorted(NAMES)


@pytest.mark.parametrize("average", [8, 10**9])
def test_one_name_more_or_less_changes_what_is_beside_it(average: int) -> None:
    before = set(cut_chunks(NAMES, average))
    changed = []
    for name in NAMES:
        less = set(cut_chunks([one for one in NAMES if one != name], average))
        changed.append(max(len(less - before), len(before - less)))
    # Two become one, one becomes two, or one is another. What is cut anew for its size stays near it.
    assert max(changed) <= 4
    assert sum(changed) / len(changed) < 1.3
