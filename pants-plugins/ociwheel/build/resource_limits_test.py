"""Commands within limits; what builds do with them is in ``tests/integration/isolation_test.py``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ociwheel.build.resource_limits import MIB, BuildLimits, _Kept, run_limited

ENV = {"PATH": "/usr/bin:/bin"}


def run(code: str, limits: BuildLimits | None = None) -> tuple[int, tuple[str, ...], str]:
    ended = run_limited([sys.executable, "-I", "-S", "-c", code], env=ENV, limits=limits or BuildLimits())
    return ended.returncode, ended.lines, ended.met


def test_both_streams_in_the_order_of_what_was_said() -> None:
    code = "import os\nfor n in range(4):\n    os.write(1 + n % 2, b'%d\\n' % n)\nraise SystemExit(3)"
    assert run(code) == (3, ("0", "1", "2", "3"), "")


def test_what_is_more_than_the_limit_is_left_out_of_the_middle() -> None:
    kept = _Kept(10)
    for data in (b"one\n", b"two\n", b"three\n", b"four\n", b"five\n"):
        kept.add(data)
    assert kept.lines() == ("one", "t", "[9 bytes of output are left out here]", "four", "five")
    assert kept.left_out == 9


def test_a_line_without_an_end_is_cut() -> None:
    code = "import os\nos.write(1, b'x' * (1 << 20))\nos.write(1, b'\\nend')"
    _, lines, _ = run(code)
    assert [len(line) for line in lines] == [2000, 3]


def test_bytes_that_are_no_text_are_no_problem() -> None:
    assert run("import os\nos.write(1, b'a\\xff\\n')") == (0, ("a\ufffd",), "")


def test_time_is_up() -> None:
    started = time.monotonic()
    _, lines, met = run("import time\nprint('here', flush=True)\ntime.sleep(600)", BuildLimits(seconds=1))
    assert (lines, met) == (("here",), "time")
    assert time.monotonic() - started < 60


def test_one_that_closes_its_output_is_still_watched() -> None:
    code = "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(600)"
    assert run(code, BuildLimits(seconds=1))[2] == "time"
    assert run("import os\nos.close(1)\nos.close(2)\nos._exit(4)") == (4, (), "")


def test_memory_counts_for_all_together() -> None:
    code = (
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        data = b'x' * (60 << 20)\n"
        "        time.sleep(600)\ntime.sleep(600)"
    )
    assert run(code, BuildLimits(memory=150, seconds=120))[2] == "memory"
    assert BuildLimits(memory=150).memory_bytes == 150 * MIB
    assert 0 < BuildLimits().memory_bytes < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    with pytest.raises(FileNotFoundError):
        run_limited([str(tmp_path / "nothing")], env=ENV, limits=BuildLimits())
    if sys.platform == "linux":
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
