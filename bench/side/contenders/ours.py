"""The product of this repository, and Pants's own floor."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.side.contenders.base import AMD64, Contender
from bench.side.repository import SERVICES, Service
from bench.side.site import Command, Site
from bench.side.wire import Relay
from tests.support.engine import Engine
from tests.support.remote_cache import BuildGrid

STOP_SECONDS = 30
_PLATFORMS = re.compile(r"platforms=\[[^\]]*\]")


class PantsContender(Contender):
    """Pants with its daemon, with a store of its own."""

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        super().__init__(site, platform)
        self._caches = site.work / "caches" / self.slug
        self._remote: BuildGrid | None = None
        self._env: dict[str, str] = {}

    def pants(self, *arguments: str) -> None:
        """Run ``./pants``."""
        argv = [str(self.copy.folder / "pants"), "--pantsd", "--no-dynamic-ui", *arguments]
        self.site.run(self.name, Command(argv, self.copy.folder, self.environment()))

    def environment(self) -> dict[str, str]:
        """Return the variables of Pants: its caches and the local mirrors."""
        home = Path.home()
        return {
            "PANTS_LOCAL_STORE_DIR": str(self._caches / "store"),
            "PANTS_NAMED_CACHES_DIR": str(self._caches / "named"),
            "PANTS_PYTHON_REPOS_INDEXES": json.dumps([self.site.mirror.index]),
            "PANTS_PYTHON_REPOS_FIND_LINKS": "[]",
            # The launcher's: Pants itself is installed before anything is measured.
            "PANTS_SETUP_CACHE": os.environ.get("XDG_CACHE_HOME", str(home / ".cache")),
            **self._env,
        }

    def reset(self) -> None:
        """Stop the daemon, and remove caches and results."""
        self.close()
        for folder in (self._caches, *(self.copy.folder / name for name in ("dist", ".pants.d", ".pids"))):
            shutil.rmtree(folder, ignore_errors=True)

    def deliver(self, services: Sequence[Service] = SERVICES) -> None:
        """Publish, which builds what is not built yet."""
        self.publish(services)

    def fill_cache(self) -> None:
        """Build everything once more, with a remote cache that is written to."""
        self.reset()
        folder = self.site.work / "remote" / self.slug
        shutil.rmtree(folder, ignore_errors=True)
        self._remote = BuildGrid(folder)
        self._remote.start()
        self.site.meter.cache = Relay(self._remote.port)
        self._env = {
            **self._remote.environment(),
            "PANTS_REMOTE_STORE_ADDRESS": f"grpc://{self.site.meter.cache.host}",
            # As docs/how-to/remote.md has it where the way to the server is what costs.
            "PANTS_CACHE_CONTENT_BEHAVIOR": "validate",
            # What the server takes in one message.
            "PANTS_REMOTE_STORE_BATCH_API_SIZE_LIMIT": "4000000",
        }
        self.build()

    def take_cache(self) -> None:
        """Forget everything but the remote cache."""
        self.reset()

    def leave_cache(self) -> None:
        """End the remote cache."""
        self._env = {}
        self.reset()
        if self._remote is not None:
            self._remote.stop()
        if self.site.meter.cache is not None:
            self.site.meter.cache.close()
            self.site.meter.cache = None

    def close(self) -> None:
        """Stop the daemon."""
        for file in self.copy.folder.glob(".pids/*/pantsd/pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                pid = int(file.read_text())
                os.kill(pid, signal.SIGTERM)
                deadline = time.monotonic() + STOP_SECONDS
                while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                    time.sleep(0.1)


class Ours(PantsContender):
    """``slim_python_image``."""

    name = "ours"
    title = "slim_python_image"
    guide = (
        "the example as it is in this repository, one platform; `./pants package` with its daemon. "
        'Its shared cache is BuildGrid, with `cache_content_behavior = "validate"`: what is not '
        "written is not fetched"
    )
    python = "/app/bin/python"
    uses_bases = False

    def environment(self) -> dict[str, str]:
        """Return the variables of Pants, with the Debian mirrors."""
        return {**super().environment(), "PANTS_SLIM_IMAGE_DEBIAN_MIRRORS": repr(self.site.mirror.debian)}

    def prepare(self) -> None:
        """Make the copy, for one platform."""
        super().prepare()
        path = "src/brewblox/BUILD"
        text, count = _PLATFORMS.subn(f'platforms=["{self.platform}"]', self.copy.read(path))
        if count != 1:
            raise ValueError(f"{path} names platforms {count} times, not once")
        self.copy.write(path, text)

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Package the images: OCI layouts in ``dist``."""
        self.pants("package", *map(_address, services))

    def files_of(self, service: Service) -> Mapping[str, str]:
        """Return its BUILD file."""
        return {
            f"src/brewblox/{service.name}/BUILD": f"""\
python_sources(name="lib", sources=["{service.module}/**/*.py"])

slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="{service.module}",
    extends="src/brewblox/service:image",
    ports=["5000"],
)
"""
        }

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Publish, without a container tool."""
        registries = repr({"bench": {"address": self.site.registry.host, "default": True}})
        options = [
            f"--docker-registries={registries}",
            f"--docker-default-repository={self.namespace}/{{directory}}",
        ]
        self.pants(*options, "publish", *map(_address, services))

    def reference(self, service: Service) -> str:
        """Return the name of a published image."""
        return f"{self.site.registry.host}/{self.namespace}/{service.name}:latest"

    def layout(self, service: Service) -> Path:
        """Return the OCI layout of an image."""
        return self.copy.folder / "dist" / f"src.brewblox.{service.name}" / "image"

    def load(self, engine: Engine, service: Service) -> str:
        """Pack the layout and load it."""
        name = f"bench-ours-{service.name}:latest"
        archive = self.site.work / "ours.tar"
        command = [sys.executable, "-m", "ociwheel", "archive", "--format", "docker-archive"]
        command += ["--layout", str(self.layout(service)), "--platform", self.platform]
        command += ["--tag", name, "--output", str(archive)]
        # Run in the core's folder: it is not installed anywhere.
        subprocess.run(command, cwd=self.copy.folder / "pants-plugins", check=True, stdout=subprocess.DEVNULL)
        engine.load(archive)
        archive.unlink()
        return name

    def distributions(self) -> dict[str, list[str]]:
        """Return the names of the distributions in each image that was built, normalized, by service."""
        found = {}
        for service in SERVICES:
            report = json.loads(self.layout(service).with_suffix(".json").read_text())
            (platform,) = report["platforms"]
            contents = [content for layer in platform["layers"] for content in layer["contents"]]
            found[service.name] = sorted({c["name"] for c in contents if c["type"] == "wheel"})
        return found


class Floor(PantsContender):
    """What Pants itself takes: as many of its own ``archive`` targets."""

    name = "floor"
    title = "Pants's `archive`, three of them"
    guide = "`package` of three `archive` targets of one small file: the least that Pants takes"
    python = ""
    uses_bases = False
    limits = dict.fromkeys(
        (
            *("source", "shared", "pure", "compiled", "fourth", "cache", "publish", "deliver"),
            *("start", "size", "arm"),
        ),
        "builds no image",
    )

    def prepare(self) -> None:
        """Make the copy, with the archives."""
        super().prepare()
        for service in SERVICES:
            name = f"archives/{service.name}"
            self.copy.write(f"{name}/text.txt", f"{service.name}\n")
            self.copy.write(
                f"{name}/BUILD",
                'file(name="text", source="text.txt")\n'
                'archive(name="archive", format="tar", files=[":text"])\n',
            )

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Package the archives."""
        self.pants("package", *(f"archives/{service.name}:archive" for service in services))

    def files_of(self, service: Service) -> Mapping[str, str]:
        """Not for archives."""
        raise NotImplementedError

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Not for archives."""
        raise NotImplementedError

    def reference(self, service: Service) -> str:
        """Not for archives."""
        raise NotImplementedError

    def load(self, engine: Engine, service: Service) -> str:
        """Not for archives."""
        raise NotImplementedError


def _address(service: Service) -> str:
    return f"src/brewblox/{service.name}:image"
