"""Runs steps of the core as the backend does: through ``step.sh``, from content, one at a time."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HOSTS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}


class StepError(Exception):
    """A step that failed; the argument is its message."""


@dataclass
class Steps:
    """A folder in which steps run, and how long each took."""

    core: Path
    """The folder that holds the package of the core."""
    work: Path
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def machine(self) -> str:
        """This machine."""
        return os.uname().machine

    @property
    def host_platform(self) -> str:
        """The OCI platform of this machine."""
        return _HOSTS[self.machine]

    def write(self, name: str, value: object) -> None:
        """Write a JSON document."""
        (self.work / name).write_text(json.dumps(value))

    def prepare(self) -> None:
        """Lay out the core as a sandbox has it."""
        sandbox = self.work / "core"
        sandbox.mkdir()
        (sandbox / "ociwheel").symlink_to(self.core / "ociwheel")
        for name in ("__main__.py", "step.sh"):
            (sandbox / name).symlink_to(self.core / "ociwheel/sandbox" / name)

    def run(self, step: str, *arguments: str, interpreter: bool = False) -> dict[str, Any]:
        """Run a step and return its document.

        :param interpreter: under the unpacked Python of the base, not this machine's.
        :raises StepError: it failed.
        """
        env = {key: os.environ[key] for key in ("HOME", "PIP_CONFIG_FILE") if key in os.environ}
        if step != "toolbox":
            env["OCIWHEEL_TOOLS"] = "tools"
        if interpreter:
            env["OCIWHEEL_INTERPRETER"] = "interpreter"
        command = ["/bin/sh", "core/step.sh", step, *arguments]
        done = subprocess.run(command, cwd=self.work, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepError(f"{step}: {done.stderr.strip()[-3000:]}")
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def timed(self, name: str, step: str, *arguments: str, interpreter: bool = False) -> dict[str, Any]:
        """Run a step and keep how long it took, under a name."""
        start = time.monotonic()
        try:
            return self.run(step, *arguments, interpreter=interpreter)
        finally:
            self.seconds[name] = time.monotonic() - start
