from __future__ import annotations

import shlex
import sys
from pathlib import Path

from slim_python_image.util_rules.machine import container_engines, find_interpreter


def interpreter(path: Path, version: str = "3, 11", behind: Path | None = None) -> Path:
    """Write a program that does what a Python of a version does with the question that is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fake = f"import sys; sys.version_info = ({version}); sys.executable = {str(behind or path)!r}; "
    own = shlex.quote(sys.executable)
    path.write_text(f'#!/bin/sh\n[ "$1 $2 $3" = "-I -S -c" ] && exec {own} -c "{fake}$4"\nexit 2\n')
    path.chmod(0o755)
    return path


def test_the_first_folder_with_a_fitting_python_wins(tmp_path: Path) -> None:
    interpreter(tmp_path / "old" / "python3.9", "3, 9")
    fits = interpreter(tmp_path / "new" / "python3.12", "3, 12")
    interpreter(tmp_path / "newer" / "python3.13", "3, 13")
    folders = [str(tmp_path / name) for name in ("old", "missing", "new", "newer")]
    assert find_interpreter(folders) == str(fits)


def test_a_file_may_be_named_too(tmp_path: Path) -> None:
    fits = interpreter(tmp_path / "python3.11")
    assert find_interpreter([str(fits)]) == str(fits)
    assert find_interpreter([str(interpreter(tmp_path / "python3.9", "3, 9"))]) is None


def test_what_cannot_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "python3.11").write_text("")
    (tmp_path / "python3.12").write_text("#!/no/such/program\n")
    (tmp_path / "python3.12").chmod(0o755)
    interpreter(tmp_path / "python3.13", "3, 10")
    assert find_interpreter([str(tmp_path)]) is None
    fits = interpreter(tmp_path / "python3.14", "3, 14")
    assert find_interpreter([str(tmp_path)]) == str(fits)


def test_a_shim_is_left_out_of_the_way(tmp_path: Path) -> None:
    real = interpreter(tmp_path / "versions" / "python3.11")
    shim = interpreter(tmp_path / "shims" / "python3.11", behind=real)
    assert find_interpreter([str(shim.parent)]) == str(real)
    real.unlink()
    assert find_interpreter([str(shim.parent)]) is None


def test_a_python_that_is_installed_meanwhile_is_found(tmp_path: Path) -> None:
    shim = interpreter(tmp_path / "python3.11", "3, 10")
    assert find_interpreter([str(shim)]) is None
    interpreter(shim)
    assert find_interpreter([str(shim)]) == str(shim)


def test_container_engines_are_those_on_the_users_path(tmp_path: Path) -> None:
    podman = tmp_path / "podman"
    podman.write_text("")
    podman.chmod(0o755)
    env = {"PATH": str(tmp_path), "DOCKER_HOST": "unix:///x"}
    assert container_engines(env) == {"engines": [str(podman)], "env": env}
