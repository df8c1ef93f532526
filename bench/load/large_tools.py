"""The large image and the small one, as ours has them and as a Dockerfile has them."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from bench.load.made_wheels import lock_text
from bench.side.buildkit import VERSION, BuildKit, programs
from bench.side.site import FULL, SLIM, UV, Command, Site
from tests.integration.repository import (
    BASE,
    Caches,
    Repository,
    copy_plugin,
    home_environment,
    make_repository,
)

STOP_SECONDS = 30
_ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
# A process of its own starts the client: the peak counts what a process was before it became the client.
_WATCH = """\
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


class Tool(ABC):
    """What builds the images.

    :param site: where it runs.
    :param images: the names of the distributions of each image, by the image's name.
    :param hashes: of all wheels, by distribution.

    :cvar name: in results.
    :cvar title: in the report.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, site: Site, images: Mapping[str, Sequence[str]], hashes: Mapping[str, str]) -> None:
        self.site = site
        self.images = images
        self.hashes = dict(hashes)
        self.folder = site.work / "large" / self.name

    def source(self, image: str) -> Path:
        """Return the file of an image's own code that edits change."""
        return self.sources(image) / image / "settings.py"

    def edit(self, image: str) -> None:
        """Change one source file."""
        self.source(image).write_text(f"MARK = {time.time_ns()}\n")

    def write_sources(self) -> None:
        """Write the code of each image, which imports all its distributions."""
        for image, names in self.images.items():
            package = self.sources(image) / image
            package.mkdir(parents=True, exist_ok=True)
            imports = "".join(f"import {name}\n" for name in names)
            (package / "__init__.py").write_text("")
            (package / "__main__.py").write_text(
                f"{imports}\nfrom {image} import settings\n\nprint(settings)\n"
            )
            self.edit(image)

    def build(self, image: str) -> None:
        """Build one image: what a developer types.

        :raises ContenderError: it fails.
        """
        self.site.run(f"large-{self.name}", self.command(image))

    def client_bytes(self, image: str) -> int:
        """Build once more; return the peak resident memory of the client alone."""
        command, file = self.command(image), self.folder / "client"
        watched = [sys.executable, "-I", "-S", "-c", _WATCH, str(file), *command.argv]
        self.site.run(f"large-{self.name}", Command(watched, command.cwd, command.env))
        return int(file.read_text()) * 1024

    def daemon_bytes(self) -> int:
        """Return the anonymous memory of the daemon now."""
        found = _ANONYMOUS.search(Path(f"/proc/{self.daemon()}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    @abstractmethod
    def sources(self, image: str) -> Path:
        """Return the folder that an image's package lies in."""

    @abstractmethod
    def command(self, image: str) -> Command:
        """Return the command that builds an image."""

    @abstractmethod
    def daemon(self) -> int:
        """Return the process of the daemon."""

    @abstractmethod
    def start(self) -> None:
        """Write everything and be a machine that has built nothing."""

    @abstractmethod
    def stop(self) -> None:
        """End daemons and remove what was built."""


class Ours(Tool):
    """``slim_python_image``."""

    name = "ours"
    title = "slim_python_image"

    _repository: Repository

    def start(self) -> None:
        """Make the repository, with caches of its own."""
        self.stop()
        self.folder.mkdir(parents=True)
        plugin = copy_plugin(self.folder / "plugin")
        self._repository = make_repository(
            self.folder / "repository", Caches(self.folder / "caches"), plugin=plugin
        )
        write = self._repository.write
        names = sorted({name for each in self.images.values() for name in each})
        write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        write("3rdparty/python/requirements.txt", "".join(f"{name}\n" for name in names))
        write("3rdparty/python/default.lock", lock_text(self.hashes, names))
        for image in self.images:
            write(
                f"src/{image}/BUILD",
                'python_sources(name="lib", sources=["**/*.py"])\n'
                'slim_python_image(\n    name="image", dependencies=[":lib"], '
                f'entry_point="{image}", base="{BASE}", platforms=["linux/amd64"]\n)\n',
            )
        self.write_sources()

    def sources(self, image: str) -> Path:
        """Return the folder of its package."""
        return self._repository.root / "src" / image

    def command(self, image: str) -> Command:
        """Return ``./pants package`` with its daemon."""
        root = self._repository.root
        env = {
            **home_environment(),
            **self._repository.caches.environment(),
            "PANTS_PYTHON_REPOS_INDEXES": json.dumps([self.site.mirror.index]),
            "PANTS_PYTHON_REPOS_FIND_LINKS": "[]",
            "PANTS_SLIM_IMAGE_DEBIAN_MIRRORS": repr(self.site.mirror.debian),
        }
        argv = [str(root / "pants"), "--pantsd", "--no-dynamic-ui", "package", f"src/{image}:image"]
        return Command(argv, root, env)

    def daemon(self) -> int:
        """Return pantsd's process."""
        (file,) = self._repository.root.glob(".pids/*/pantsd/pid")
        return int(file.read_text())

    def stop(self) -> None:
        """End pantsd."""
        if self.folder.exists():
            repository = Repository(self.folder / "repository", Caches(self.folder / "caches"))
            pids = [int(file.read_text()) for file in repository.root.glob(".pids/*/pantsd/pid")]
            repository.stop()
            deadline = time.monotonic() + STOP_SECONDS
            while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
                time.sleep(0.1)
            shutil.rmtree(self.folder)


class Dockerfile(Tool):
    """uv's Dockerfile by a current BuildKit."""

    name = "buildkit"
    title = f"BuildKit {VERSION}, uv's Dockerfile"

    _kit: BuildKit

    def start(self) -> None:
        """Write the context and start a daemon that has nothing."""
        self._kit = BuildKit(
            self.site.work / "e" / "large",
            programs(self.site.work / "buildkit"),
            self.site.meter.group,
            (self.site.registry.host,),
        )
        self.stop()
        self.folder.mkdir(parents=True)
        template = (self.site.root / "bench/side/dockerfiles/uv.Dockerfile").read_text()
        for image, names in self.images.items():
            values = {
                **{f"@{word}@": f"{self.site.registry.host}/{name}" for word, name in _BASES.items()},
                "@INDEX@": self.site.mirror.index,
                "@SERVICE@": image,
                "@MODULE@": image,
                "@SOURCES@": f"COPY src/{image}/{image} ./{image}",
            }
            text = template
            for name, value in values.items():
                text = text.replace(name, value)
            (self.folder / f"{image}.Dockerfile").write_text(text)
            requirements = self.folder / "requirements" / image
            requirements.mkdir(parents=True)
            (requirements / "requirements.txt").write_text(lock_text(self.hashes, list(names)))
        (self.folder / ".dockerignore").write_text("dist\n**/__pycache__\n")
        self.write_sources()
        self._kit.start()

    def sources(self, image: str) -> Path:
        """Return the folder of its package."""
        return self.folder / "src" / image

    def command(self, image: str) -> Command:
        """Return ``buildctl build`` with export to a folder that is an OCI layout."""
        argv = self._kit.ctl("build", "--frontend", "dockerfile.v0", "--progress", "plain")
        argv += ["--local", "context=.", "--local", "dockerfile=.", "--opt", f"filename={image}.Dockerfile"]
        argv += ["--output", f"type=oci,tar=false,dest={self.folder / 'dist' / image}"]
        return Command(argv, self.folder)

    def daemon(self) -> int:
        """Return buildkitd's process."""
        return self._kit.pid

    def stop(self) -> None:
        """End buildkitd."""
        self._kit.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


_BASES = {"FULL": FULL, "SLIM": SLIM, "UV": UV}
TOOLS: tuple[type[Tool], ...] = (Ours, Dockerfile)
