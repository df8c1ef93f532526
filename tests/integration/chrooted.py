"""Programs in the root of an image that was packaged, as a container engine starts them."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.installed import images
from tests.integration.repository import Layout


@dataclass(frozen=True)
class Inside:
    """An unpacked image with its configuration."""

    root: Path
    config: dict[str, Any]

    def run(self, *arguments: str) -> str:
        """Run what the image starts, as its user and in its working folder; return what it printed."""
        enter = ["chroot", f"--userspec={self.config['User']}", "--groups=", str(self.root)]
        # chroot starts in the root; the folder is entered as an engine does, before the program.
        change = "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"
        start = ["/app/bin/python", "-c", change, self.config["WorkingDir"], *self.config["Entrypoint"]]
        env = dict(line.split("=", 1) for line in self.config["Env"])
        done = subprocess.run(
            [*enter, *start, *arguments], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def unpacked(layout: Layout, root: Path) -> Inside:
    """Unpack an image.

    :param root: is replaced by the image's root.
    """
    images.unpack(layout, root)
    # What a container engine mounts, and subprocesses open.
    (root / "dev").mkdir(exist_ok=True)
    os.mknod(root / "dev/null", stat.S_IFCHR, os.makedev(1, 3))
    (root / "dev/null").chmod(0o666)
    return Inside(root, layout.config()["config"])
