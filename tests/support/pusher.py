"""The core's step `push`, run as a user's machine would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.repository import ROOT


@dataclass
class Pusher:
    """Runs the step with a home of the test's own."""

    home: Path

    def start(self, layout: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start it."""
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "pants-plugins")}
        env["TMPDIR"] = str(self.home)
        argv = [sys.executable, "-m", "ociwheel", "push", "--layout", str(layout)]
        argv += ["--known", str(self.home / "known.json"), *arguments]
        return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def fails(self, layout: Path, *arguments: str) -> str:
        """Push, which has to fail; return the error."""
        process = self.start(layout, *arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 21, err
        assert json.loads(out)["kind"] == "registry"
        return err[err.index("error: ") :]

    def __call__(self, layout: Path, *arguments: str) -> dict[str, Any]:
        """Push, which has to work; return the document."""
        process = self.start(layout, *arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        document = json.loads(out)
        assert isinstance(document, dict)
        return document
