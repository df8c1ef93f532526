"""Each door on some thousands of inputs, as `python -m tests.fuzz` runs them by the hundred thousand."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ociwheel.errors import OciwheelError
from tests.fuzz import harness
from tests.fuzz.doors import DOORS
from tests.fuzz.harness import Door

_INPUTS, _SECONDS = 2000, 1.5


@pytest.mark.parametrize("name", sorted(DOORS))
def test_no_input_breaks_a_rule(name: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--door", name, "--inputs", str(_INPUTS)]
    done = subprocess.run(
        [*command, "--seconds", str(_SECONDS)],
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    match = re.match(r"[\w-]+: (\d+) inputs", done.stdout)
    assert match, done.stdout
    assert int(match[1]) > 20


@pytest.mark.parametrize("name", sorted(name for name, door in DOORS.items() if door.make))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rng=st.randoms(use_true_random=False))
def test_what_is_made_to_do_harm_reads_or_is_an_error_of_ours(
    name: str, rng: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    door = DOORS[name]
    assert door.make is not None
    data = door.make(rng)
    message = "none"
    try:
        door.run(data, tmp_path_factory.mktemp("room"))
    except OciwheelError as e:
        message = e.render()
    assert harness.check_message(data, message) is None


def _sleeps(data: bytes, folder: Path) -> None:
    while True:
        pass


def _takes(data: bytes, folder: Path) -> None:
    assert len(b"x" * (200 << 20)) > 0


def _escapes(data: bytes, folder: Path) -> None:
    (folder.parent / "victim/file").chmod(0o644)


def _breaks(data: bytes, folder: Path) -> None:
    b"\xff".decode()


def _tells(data: bytes, folder: Path) -> None:
    raise OciwheelError("\x1b[2J")


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (_sleeps, "no answer in 2.0 s"),
        (_takes, "200 MB of memory for 1 bytes"),
        (_escapes, "changed outside its folder: "),
        (_tells, ""),
        (_breaks, "UnicodeDecodeError: "),
    ],
)
def test_the_harness_finds_what_it_looks_for(run: object, what: str) -> None:
    result = harness.run(Door("test", run, lambda: [b"x"]), 1, 0)  # type: ignore[arg-type]
    if run is _tells:  # escaped where the error is made, or found here
        assert all("terminal" in finding.what for finding in result.findings)
    else:
        assert [finding.what[: len(what)] for finding in result.findings] == [what]
