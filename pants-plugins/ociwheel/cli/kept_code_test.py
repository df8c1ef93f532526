"""The entry of a sandbox keeps the bytecode of a step's modules: docs/decisions/029."""

from __future__ import annotations

import _imp
import marshal
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ENTRY = Path(__file__).parents[1] / "sandbox/__main__.py"
MAIN = """\
def main(argv):
    from ociwheel import more
    if argv == ["fail"]:
        return 3
    if argv == ["where"]:
        import traceback
        try:
            more.fail()
        except ValueError as e:
            print(traceback.extract_tb(e.__traceback__)[-1].filename)
        return 0
    print(more.VALUE, more.__file__)
    return 0
"""


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """Return a folder like a sandbox's, with a core of three modules."""
    package = tmp_path / "core/ociwheel"
    (package / "cli").mkdir(parents=True)
    for name in ("__init__.py", "cli/__init__.py"):
        (package / name).write_text("")
    (package / "cli/main.py").write_text(MAIN)
    (package / "more.py").write_text("VALUE = 'one'\ndef fail():\n    raise ValueError\n")
    shutil.copy(ENTRY, tmp_path / "core/__main__.py")
    (tmp_path / "code").mkdir()
    return tmp_path / "core"


def test_a_module_that_is_wanted_in_two_threads_is_imported_once(core: Path) -> None:
    (core / "ociwheel/cli/main.py").write_text(
        "import datetime\n"
        "def main(argv):\n"
        "    import sys, threading\n"
        "    found, gate = [], threading.Barrier(8)\n"
        "    def want():\n"
        "        gate.wait()\n"
        "        found.append(datetime.date)\n"
        "    threads = [threading.Thread(target=want) for _ in range(8)]\n"
        "    [one.start() for one in threads]\n"
        "    [one.join() for one in threads]\n"
        "    print(len(found), len(set(found)), sys.modules['datetime'].date is found[0])\n"
        "    return 0\n"
    )
    assert start(core) == (0, "8 1 True\n")


def start(core: Path, *arguments: str, code: str = "../code/plan-1") -> tuple[int, str]:
    """Run the entry; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(core / "__main__.py"), *arguments],
        cwd=core,
        env={"OCIWHEEL_CODE": code} if code else {},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def kept(core: Path) -> Path:
    (file,) = (core.parent / "code").glob("plan-1-*")
    return file


def shared(core: Path) -> Path:
    (file,) = (core.parent / "code").glob("modules-*")
    return file


def with_mark(content: Any) -> bytes:
    """Return a file that counts as whole."""
    data = marshal.dumps(content)
    return bytes(_imp.source_hash(0, data)) + data


def test_code_that_is_kept_is_not_compiled_again(core: Path) -> None:
    more = core / "ociwheel/more.py"
    first = start(core)
    assert first == (0, f"one {more}\n")
    assert sys.implementation.cache_tag in kept(core).name
    # Nothing but what is kept could be imported now.
    more.write_text("this is no Python")
    assert start(core) == first
    more.write_text("VALUE = 'two'\n")
    assert start(core, code="") == (0, f"two {more}\n")


def test_other_sources_are_another_file(core: Path) -> None:
    start(core)
    (core / "ociwheel/more.py").write_text("VALUE = 'two'\n")
    assert start(core, code="../code/plan-2")[1].startswith("two ")


def test_code_that_is_kept_speaks_of_the_sandbox_that_runs_it(core: Path, tmp_path: Path) -> None:
    start(core)
    other = tmp_path / "elsewhere/core"
    shutil.copytree(core, other)
    assert start(other, code="../../code/plan-1") == (0, f"one {other / 'ociwheel/more.py'}\n")
    assert start(other, "where", code="../../code/plan-1") == (0, f"{other / 'ociwheel/more.py'}\n")


@pytest.mark.parametrize("damage", [b"", b"x", b"12345678not-marshal", "cut", "changed"])
def test_a_damaged_file_counts_as_none(core: Path, damage: bytes | str) -> None:
    expected = start(core)
    file = kept(core)
    whole = file.read_bytes()
    cut, changed = whole[:-9], whole[:-9] + b"?" + whole[-8:]
    file.write_bytes(damage if isinstance(damage, bytes) else cut if damage == "cut" else changed)
    assert start(core) == expected
    assert start(core) == expected
    assert file.stat().st_size == len(whole)


def test_where_nothing_can_be_kept_a_step_works_as_before(core: Path) -> None:
    assert start(core, code="../none/plan-1")[0] == 0
    assert start(core, code="")[0] == 0
    assert not list((core.parent / "code").iterdir())


def test_a_step_that_fails_keeps_nothing(core: Path) -> None:
    assert start(core, "fail")[0] == 3
    assert not list((core.parent / "code").iterdir())


def test_what_was_kept_long_ago_goes(core: Path) -> None:
    old, new = core.parent / "code/plan-old", core.parent / "code/plan-new"
    for file, days in ((old, 40), (new, 20)):
        file.write_bytes(b"")
        os.utime(file, (1, time.time() - days * 86400))
    start(core)
    assert new.exists()
    assert not old.exists()
    assert list((core.parent / "code").glob("plan-1-*"))


MAKES = """\
import re
from dataclasses import dataclass

WORD = re.compile("[a-z]+", re.IGNORECASE)
RAW = re.compile(b"(?P<first>.)(.)")


@dataclass(frozen=True)
class Pair:
    \"\"\"Two.\"\"\"

    one: int
    two: int = 2


def main(argv):
    found = re.compile(argv[0]).fullmatch("run-time"), WORD.match("Ab1").group(), RAW.match(b"xy").groupdict()
    print(found[0] is not None, *found[1:], Pair(1) == Pair(1, 2), hash(Pair(1)) == hash(Pair(1, 2)), Pair(3))
    return 0
"""


def test_what_modules_make_when_they_are_imported_is_kept_and_no_more(core: Path) -> None:
    (core / "ociwheel/cli/main.py").write_text(MAKES)
    first = start(core, "run-t.*")
    assert first == (0, "True Ab {'first': b'x'} True True Pair(one=3, two=2)\n")
    before = kept(core).read_bytes()
    _, made, patterns = marshal.loads(before[8:])  # noqa: S302 (written by the entry)
    assert any("def __init__" in text for text in made)
    assert set(patterns) >= {("[a-z]+", 2), (b"(?P<first>.)(.)", 0)}
    assert not [key for key in patterns if key[0] == "run-t.*"]
    # The second start reads them, and writes nothing.
    stamp = kept(core).stat().st_mtime_ns
    assert start(core, "run-.*") == first
    assert kept(core).read_bytes() == before
    assert kept(core).stat().st_mtime_ns == stamp


def test_what_is_printed_and_what_is_to_be_done_at_the_end_is_done(core: Path) -> None:
    (core / "ociwheel/cli/main.py").write_text(
        "import atexit, sys\n"
        "def main(argv):\n"
        "    atexit.register(lambda: print('last'))\n"
        "    sys.stdout.write('first ')\n"
        "    return 7\n"
    )
    assert start(core) == (7, "first last\n")


def test_a_step_of_another_kind_takes_what_the_first_compiled(core: Path) -> None:
    (core / "ociwheel/cli/main.py").write_text(MAKES)
    assert start(core, "run-t.*")[0] == 0
    file = shared(core)
    modules, made, patterns = marshal.loads(file.read_bytes()[8:])  # noqa: S302 (written by the entry)
    name = "ociwheel.cli.main"
    assert set(modules) == {"ociwheel", "ociwheel.cli", name}
    # Told apart from what the second would compile itself.
    other = marshal.dumps(compile(MAKES.replace("Pair(3)", "Pair(4)"), "main.py", "exec"))
    file.write_bytes(with_mark(({**modules, name: (*modules[name][:-1], other)}, made, patterns)))
    before = file.read_bytes()
    assert start(core, "run-t.*", code="../code/check-1")[1].endswith("Pair(one=4, two=2)\n")
    assert file.read_bytes() == before
    # Of another source it takes none.
    (core / "ociwheel/cli/main.py").write_text(MAKES.replace("Pair(3)", "Pair(5)"))
    assert start(core, "run-t.*", code="../code/check-2")[1].endswith("Pair(one=5, two=2)\n")
    again = marshal.loads(shared(core).read_bytes()[8:])  # noqa: S302 (written by the entry)
    assert again[0][name] != modules[name]
    assert (again[1], again[2]) == (made, patterns)


def test_damage_of_what_steps_share_counts_as_none(core: Path) -> None:
    first = start(core)
    whole = shared(core).read_bytes()
    shared(core).write_bytes(whole[:-9] + b"?" + whole[-8:])
    assert start(core, code="../code/check-1") == first
    assert shared(core).read_bytes() == whole


def test_what_steps_share_does_not_grow_without_end(core: Path) -> None:
    start(core)
    (core / "ociwheel/another.py").write_text(f"VALUE = '{'x' * (8 << 20)}'\n")
    (core / "ociwheel/cli/main.py").write_text("def main(argv):\n    import ociwheel.another\n    return 0\n")
    start(core, code="../code/check-1")
    modules, *_ = marshal.loads(shared(core).read_bytes()[8:])  # noqa: S302 (written by the entry)
    assert "ociwheel.another" in modules
    assert "ociwheel.more" not in modules
