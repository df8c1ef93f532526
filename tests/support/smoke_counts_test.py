"""`bench/smoke` fails where a count changed, and its file says what was counted."""

from __future__ import annotations

from pathlib import Path

from bench.load.smoke_counts import differences, read, render

COUNTS = {"cold": {"step: Layer": 3, "steps": 3}, "nothing changed, daemon": {"steps": 0}}


def test_what_is_kept_is_what_was_counted(tmp_path: Path) -> None:
    file = tmp_path / "counts.toml"
    file.write_text(render(COUNTS))
    assert read(file) == COUNTS
    assert list(differences(read(file), COUNTS)) == []


def test_a_difference_names_scenario_and_count() -> None:
    found = {"cold": {"step: Layer": 4, "step: Plan": 1, "steps": 5}, "nothing changed, daemon": {"steps": 0}}
    assert list(differences(COUNTS, found)) == [
        "cold: step: Layer: 3 expected, 4 found (+1)",
        "cold: steps: 3 expected, 5 found (+2)",
        "cold: step: Plan: 0 expected, 1 found (+1)",
    ]


def test_nothing_kept_is_a_difference_and_so_is_nothing_found(tmp_path: Path) -> None:
    assert len(list(differences(read(tmp_path / "missing.toml"), COUNTS))) == 2
    assert len(list(differences(COUNTS, {}))) == 2
