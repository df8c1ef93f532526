from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ociwheel.build.target_programs import write_without_checks


def run(folder: Path, *command: str, programs: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{folder}/venv:{folder}/bin:{programs}"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("venv", "bin", "usr"):
        (tmp_path / name).mkdir()
    (tmp_path / "usr/make").write_text('#!/bin/sh\nfor word do echo "<$word>"; done\n')
    (tmp_path / "usr/make").chmod(0o755)
    (tmp_path / "venv/ctest").write_text("#!/bin/sh\nexit 8\n")
    (tmp_path / "venv/ctest").chmod(0o755)
    write_without_checks(tmp_path / "bin", tmp_path / "venv")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["-j4", "check"], []),  # PyNaCl
        (["test", "V=1"], []),
        (["all", "check", "install"], ["all", "install"]),
        (["-C", "test", "all"], ["-C", "test", "all"]),
        (["-C", "check", "check"], []),
        ([], []),
        (["V=a b", "lib check"], ["V=a b", "lib check"]),
    ],
)
def test_make_runs_no_program_of_the_target(folder: Path, arguments: list[str], called: list[str]) -> None:
    done = run(folder, "make", *arguments, programs=folder / "usr")
    assert (done.returncode, done.stdout.splitlines()) == (0, [f"<{word}>" for word in called])
    left_out = called != arguments
    assert ("which would run programs of the target" in done.stderr) is left_out


def test_without_make_its_absence_is_told(folder: Path) -> None:
    done = run(folder, f"{folder}/bin/make", "all", programs=folder / "bin")
    assert (done.returncode, done.stderr) == (127, "sh: make: not found\n")


def test_cmake_s_own_ctest_is_replaced(folder: Path) -> None:
    for name in ("venv", "bin"):
        done = run(folder, f"{folder}/{name}/ctest", "--output-on-failure", programs=folder / "usr")
        assert (done.returncode, done.stdout) == (0, "")
    assert os.access(folder / "venv/ctest", os.X_OK)
