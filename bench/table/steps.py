"""Runs the core's steps as the backend does: same arguments, same sandbox entry, a folder of one's own."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a step left."""

    ok: bool
    document: dict[str, Any]
    """The step's answer, or the error's document; empty where it left none."""
    error: str
    """The step's own message, without the word ``error:``; empty when it succeeded."""
    seconds: float
    """Wall time."""


class StepFailedError(Exception):
    """A step that everything else needs has failed; the argument is its message."""

    def __init__(self, message: str, document: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.document = document or {}


@dataclass(frozen=True)
class Steps:
    """The core, laid out as in a sandbox."""

    root: Path
    """Of the repository."""
    work: Path
    """Absolute; everything is made below it."""

    @functools.cached_property
    def core(self) -> Path:
        """The core as a sandbox has it: a copy, which an edit leaves as it is."""
        package = self.root / "pants-plugins/ociwheel"
        files = sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        digest = hashlib.sha256(b"".join(f"{p}\0".encode() + p.read_bytes() for p in files)).hexdigest()
        core = self.work / "core" / digest[:16]
        if not core.exists():
            made = self.work / f"core-{os.getpid()}"
            ignored = shutil.ignore_patterns("__pycache__", "*_test.py", "sandbox")
            shutil.copytree(package, made / "ociwheel", ignore=ignored)
            for name in ("step.sh", "__main__.py"):
                shutil.copyfile(package / "sandbox" / name, made / name)
            core.parent.mkdir(exist_ok=True)
            try:
                made.rename(core)
            except OSError:  # another run was faster
                shutil.rmtree(made)
        return core

    def try_step(self, step: str, *arguments: object, cwd: Path, interpreter: Path | None = None) -> Outcome:
        """Run a step in ``cwd``, with nothing of this process's environment but pip's settings."""
        env = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")}
        if (self.work / "tools/lib").is_dir():
            env["OCIWHEEL_TOOLS"] = str(self.work / "tools")
        if interpreter is not None:
            env["OCIWHEEL_INTERPRETER"] = str(interpreter)
        cwd.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        done = subprocess.run(
            ["/bin/sh", str(self.core / "step.sh"), step, *map(str, arguments)],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = time.monotonic() - start
        if done.returncode == 0:
            return Outcome(True, json.loads(done.stdout), "", seconds)
        lines = done.stderr.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
        message = "\n".join(lines[starts[-1] :]) if starts else done.stderr
        return Outcome(False, _document(done.stdout), message.removeprefix("error: ").strip(), seconds)

    def step(
        self, step: str, *arguments: object, cwd: Path, interpreter: Path | None = None
    ) -> dict[str, Any]:
        """Run a step that must succeed, and return its document.

        :raises StepFailedError: it did not.
        """
        done = self.try_step(step, *arguments, cwd=cwd, interpreter=interpreter)
        if not done.ok:
            raise StepFailedError(f"{step}: {done.error}", done.document)
        return done.document


def _document(text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return value
