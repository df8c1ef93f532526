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
        "called": False,
    }
    assert seen[: -len(("/bin/sh", "-c", "..."))] == isolated(root)
    assert {"--mount-proc", "--kill-child"} <= set(seen)
    # The pip of bookworm fails without a `wheel` in the environment where an sdist has no pyproject.toml.
    assert "pip wheel --use-pep517 " in seen[-1]
    assert (root / "proc").is_dir()


@pytest.mark.parametrize(
    ("output", "called", "reason"),
    [
        ("Looking in indexes: https://index.invalid\nfine\n", True, ""),
        (
            "Looking in links: /some/folder\nImportError: undefined symbol: x\n",
            False,
            "ImportError: undefined symbol: x",
        ),
    ],
)
def test_what_was_built_natively_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, called: bool, reason: str
) -> None:
    """pymssql builds with bookworm's FreeTDS, and cannot be imported."""
    sdist = tmp_path / "demo-1.tar.gz"
    sdist.touch()
    locked = {
        "demo": Distribution("demo", "1", sdist.name, ""),
        "six": Distribution("six", "2", "six.whl", ""),
    }
    workshop: Any = SimpleNamespace(distributions=lambda: locked, fetch=lambda _: sdist)
    monkeypatch.setattr(native, "_elf", lambda *_: {"demo.so": ["libc.so.6"]})
    calls: list[tuple[str, str]] = []

    def run(command: list[str], env: dict[str, str], **_: object) -> SimpleNamespace:
        calls.append((command[-1], env.get("SMOKE", "")))
        return SimpleNamespace(returncode=0, stdout=output, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    root = tmp_path / "root"
    root.mkdir()
    found = native.build(workshop, Package("demo", "open('/app/bin/demo')", needs=("six",)), root)
    assert found == {"ok": True, "reason": reason, "elf": {"demo.so": ["libc.so.6"]}, "called": called}
    script, smoke = calls[1]
    assert "pip install --no-cache-dir --prefer-binary out/*.whl six==2 && exec venv/bin/python -I " in script
    assert smoke == "open('/build-table/venv/bin/demo')\nprint('fine')"
