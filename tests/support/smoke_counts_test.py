"""`bench/smoke` fails where a count changed, and its file says what was counted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.load.smoke_counts import differences, read, render
from bench.load.step_use import Use, in_units, metered, processes, slips, table, uses
from tests.integration.repository import copy_plugin

COUNTS = {"cold": {"step: Layer": 3, "steps": 3}, "nothing changed, daemon": {"steps": 0}}


def test_what_is_kept_is_what_was_counted(tmp_path: Path) -> None:
    file = tmp_path / "counts.toml"
    units = {"plan": 3.5}
    file.write_text(render(COUNTS, units))
    assert read(file) == (COUNTS, units)
    assert list(differences(read(file)[0], COUNTS)) == []


def test_a_difference_names_scenario_and_count() -> None:
    found = {"cold": {"step: Layer": 4, "step: Plan": 1, "steps": 5}, "nothing changed, daemon": {"steps": 0}}
    assert list(differences(COUNTS, found)) == [
        "cold: step: Layer: 3 expected, 4 found (+1)",
        "cold: steps: 3 expected, 5 found (+2)",
        "cold: step: Plan: 0 expected, 1 found (+1)",
    ]


def test_nothing_kept_is_a_difference_and_so_is_nothing_found(tmp_path: Path) -> None:
    assert len(list(differences(read(tmp_path / "missing.toml")[0], COUNTS))) == 2
    assert len(list(differences(COUNTS, {}))) == 2


def test_a_kind_of_step_that_takes_twice_as_long_is_told_and_one_that_varies_is_not() -> None:
    # Seconds on a machine where an empty step takes 0.02: the first plan waits for bytecode, one is slowed down.
    found = [Use("plan", seconds, 1) for seconds in (0.3, 0.09, 0.06, 0.07)]
    found += [Use("unpack", 1.0, 3), *(Use("fetch", 0.05, 1) for _ in range(4))]
    units = in_units(found, 0.02)
    assert units == {"fetch": 2.5, "plan": 3.0}
    assert processes(found) == {"processes: fetch": 4, "processes: plan": 4, "processes: unpack": 3}
    assert list(slips({"plan": 1.5, "fetch": 2.4}, units)) == []
    assert list(slips({"plan": 1.4}, units)) == [
        "processor time: fetch: nothing kept, 2.5 empty steps found",
        "processor time: plan: 1.4 empty steps kept, 3.0 found, more than 2.8",
    ]
    assert "plan                     4         4    0.060     0.52" in table(found).splitlines()


def test_a_metered_copy_notes_what_a_step_uses_and_does_the_same(tmp_path: Path) -> None:
    plugin, log = copy_plugin(tmp_path / "plugin"), tmp_path / "log"
    core = tmp_path / "sandbox/ociwheel/cli"
    core.mkdir(parents=True)
    (core / "main.py").write_text(
        "import subprocess\n\n\ndef main(argv):\n    subprocess.run(['true'], check=True)\n    print(argv)\n    return 7\n"
    )
    said = []
    for instrumented in (False, True):
        if instrumented:
            metered(plugin, log)
        # As a sandbox has it: the entry beside the core.
        entry = shutil.copy2(plugin / "ociwheel/sandbox/__main__.py", tmp_path / "sandbox")
        command = [sys.executable, "-I", "-S", "-B", entry, "plan", "--lock", "a"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        said.append((ran.returncode, ran.stdout, ran.stderr))
    assert said == [(7, "['plan', '--lock', 'a']\n", "")] * 2
    (use,) = uses(log)
    assert (use.step, use.processes) == ("plan", 2)
    assert 0.005 < use.seconds < 60
    (plugin / "ociwheel/sandbox/__main__.py").write_text("code = 0\n")
    with pytest.raises(ValueError, match="0 times, not once"):
        metered(plugin, log)
