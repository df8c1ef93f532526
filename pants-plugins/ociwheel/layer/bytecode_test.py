import importlib.util
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ociwheel
from ociwheel.layer.bytecode import NotCompilable, compile_source, pyc_path

# What differs between processes in naive bytecode: names that other code shares, sets, one-letter
# strings, nested code, constants that are equal.
_SOURCE = b'''"""doc"""
import os.path as p
NAMES = {"join", "split", "self", "path", "zeta", "a", "b"}
def check(self, value, *args, **kwargs):
    if value in {"join", "split", "zeta", "path", " ", ".", "x"}:
        return [v for v in args if v in (1, 2.5, b"x", ("a", "b", frozenset()))]
    class Inner:
        attribute: int = 257
        def method(self): return lambda: (self, value, "join", 1e100)
    return Inner, p.join, ".", "\\u00fc"
'''

_SCRIPT = """
import sys, hashlib
exec(sys.argv[1])
from ociwheel.layer.bytecode import compile_source
data = bytes.fromhex(sys.argv[2])
other = b"import json\\ndef zeta(join, split): return '.', ' ', join\\n"
keep = [compile(other, "o", "exec"), "zeta join split attribute method".split(), sys.intern("zeta")]
if len(sys.argv) > 3:
    compile_source(other, "other.py")
    keep.append(compile(data, "/app/m.py", "exec"))
print(hashlib.sha256(compile_source(data, "app/m.py")).hexdigest())
"""


def _in_process(seed: str, prelude: str, *more: str) -> str:
    path = os.pathsep.join([str(Path(ociwheel.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, prelude, _SOURCE.hex(), *more],
        env={"PYTHONPATH": path, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_bytes_do_not_depend_on_the_process_that_compiles() -> None:
    found = {
        _in_process("0", ""),
        _in_process("1", "import argparse, email.message, decimal"),
        _in_process("2", "import sys; sys.intern('.'); x = ['zeta', 'Inner']", "warm"),
        _in_process("random", "import ast", "warm"),
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "names", ["'first_of', 'second_of'", "'first of', 'second_of'", "('first_of', 2), 'x'", "'x', 'y'"]
)
def test_equal_sets_are_written_alike_whoever_interned_their_names(names: str) -> None:
    """Of two functions with one set, CPython makes one object or two (``ftplib`` has such a pair)."""
    source = f"def one(v): return v in {{{names}}}\ndef two(v): return 7.5, v in {{{names}}}\n".encode()
    script = (
        "import sys\nfrom ociwheel.layer.bytecode import compile_source\n"
        "kept = [sys.intern('-'.join(s).replace('-', '')) for s in sys.argv[2:]]\n"
        "print(compile_source(bytes.fromhex(sys.argv[1]), 'm.py').hex())"
    )
    path = os.pathsep.join([str(Path(ociwheel.__file__).parents[1]), *sys.path])
    made = {
        subprocess.run(
            [sys.executable, "-c", script, source.hex(), *interned],
            env={"PYTHONPATH": path}, capture_output=True, text=True, check=True,
        ).stdout
        for interned in ([], ["first_of"], ["second_of"], ["first_of", "second_of"])
    }  # fmt: skip
    assert len(made) == 1


def test_a_pyc_is_unchecked_and_says_its_path_in_the_image() -> None:
    pyc = compile_source(_SOURCE, "app/lib/m.py")
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert pyc[4:8] == b"\x01\0\0\0"
    assert pyc[8:16] == importlib.util.source_hash(_SOURCE)
    code = marshal.loads(pyc[16:])  # noqa: S302 (made by this test)
    assert code.co_filename == "/app/lib/m.py"
    assert code.co_consts[0] == "doc"


def test_the_interpreter_imports_it_without_the_source(tmp_path: Path) -> None:
    source = b"VALUE = 42\n"
    (tmp_path / "m.py").write_bytes(source)
    cached = tmp_path / pyc_path("m.py", sys.implementation.cache_tag)
    cached.parent.mkdir()
    cached.write_bytes(compile_source(source, "app/m.py"))
    (tmp_path / "m.py").write_bytes(b"VALUE = 'the source was read'\n")
    done = subprocess.run(
        [sys.executable, "-c", "import m; print(m.VALUE)"],
        env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "42\n"


@pytest.mark.parametrize(
    "source", [b"print 'two'", b"{{ template }} x", b"\0", b"# coding: nonsense\n", b"\xff"]
)
def test_source_of_another_python_is_no_bytecode(source: bytes) -> None:
    with pytest.raises(NotCompilable):
        compile_source(source, "m.py")


def test_warnings_of_source_are_not_ours() -> None:
    compile_source(b"x = '\\d'\n", "m.py")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/lib/m.py", "app/lib/__pycache__/m.cpython-311.pyc"),
        ("m.py", "__pycache__/m.cpython-311.pyc"),
        ("a/b.c.py", "a/__pycache__/b.c.cpython-311.pyc"),
    ],
)
def test_pyc_path(path: str, expected: str) -> None:
    assert pyc_path(path, "cpython-311") == expected


@pytest.mark.parametrize("checked", [True, False])
def test_a_source_that_was_replaced_counts_where_bytecode_is_checked(tmp_path: Path, checked: bool) -> None:
    module = tmp_path / "m.py"
    cached = tmp_path / pyc_path("m.py", sys.implementation.cache_tag)
    cached.parent.mkdir()
    cached.write_bytes(compile_source(b"print(1)", "app/m.py", checked=checked))

    def said() -> str:
        command = [sys.executable, "-B", "-c", "import m"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    module.write_bytes(b"print(1)")
    assert said() == "1\n"
    module.write_bytes(b"print(2)")
    assert said() == ("2\n" if checked else "1\n")
