"""The native builds of the table."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.table import native
from bench.table.listing import Distribution, Package
from bench.table.workshop import isolated


def test_a_native_build_has_a_proc_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CMake finds its modules by ``/proc/self/exe``: without it pyzmq counted as not built natively."""
    sdist = tmp_path / "demo-1.tar.gz"
    sdist.touch()
    locked = {"demo": Distribution("demo", "1", sdist.name, "")}
    workshop: Any = SimpleNamespace(distributions=lambda: locked, fetch=lambda _: sdist)
    seen: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        seen.extend(command)
        return SimpleNamespace(stdout="error: no\n", stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    root = tmp_path / "root"
    root.mkdir()
    assert native.build(workshop, Package("demo", ""), root) == {
        "ok": False,
        "reason": "error: no",
        "elf": {},
    }
    assert seen[: -len(("/bin/sh", "-c", "..."))] == isolated(root)
    assert {"--mount-proc", "--kill-child"} <= set(seen)
    # The pip of bookworm fails without a `wheel` in the environment where an sdist has no pyproject.toml.
    assert "pip wheel --use-pep517 " in seen[-1]
    assert (root / "proc").is_dir()
