from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel import process
from ociwheel.errors import ToolError


def test_what_a_program_leaves() -> None:
    done = process.run(["/bin/sh", "-c", "cat; echo $A >&2; exit 3"], env={"A": "b"}, stdin=b"in\xff")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in�", "b\n")
    assert done.tail() == ("in�", "b")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere", "is not there"),
        ("folder", "cannot be started: "),
        ("plain", "cannot be started: "),
        ("noise", "cannot be started: Exec format error"),
    ],
)
def test_programs_that_cannot_be_started(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "noise").write_bytes(b"\x7fELF nothing more")
    (tmp_path / "noise").chmod(0o755)
    with pytest.raises(ToolError) as caught:
        process.run([str(tmp_path / name)], env={}, install_hint="install it")
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_arguments_that_no_program_can_have() -> None:
    with pytest.raises(ToolError, match="cannot be started: embedded null byte"):
        process.run(["/bin/true", "a\0b"], env={})
    with pytest.raises(ToolError, match="cannot be started: Argument list too long"):
        process.run(["/bin/true", "x" * (1 << 22)], env={})
