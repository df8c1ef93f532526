"""The two-stage Dockerfile without a daemon: buildah."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import ClassVar

from bench.side.contenders.base import AMD64
from bench.side.contenders.dockerfiles import Classic
from bench.side.repository import SERVICES, Service
from bench.side.site import Command, ContenderError, Site, environment
from tests.support.engine import Engine, find_tool


class Buildah(Classic):
    """buildah with a storage of its own; the Dockerfile is the classic's."""

    name = "buildah"
    title = "buildah, two-stage Dockerfile"
    guide = (
        "the two-stage Dockerfile, by `buildah build --layers`, the services one after the other, because "
        "builds side by side share no layers; no daemon. buildah does not see what a bind mount holds when "
        "it looks for a layer, so the part of the lock is copied before the wheels are installed"
    )

    limits: ClassVar[Mapping[str, str]] = {"arm": "as the two-stage Dockerfile, which is measured"}

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        super().__init__(site, platform)
        self._storage = site.work / "storage" / self.slug
        self._cache = False

    def _buildah(self, *arguments: str) -> Command:
        program = find_tool("buildah")
        if program is None:
            raise ContenderError("this machine has no buildah\n  -> apt-get install buildah")
        storage = ["--root", str(self._storage / "root"), "--runroot", str(self._storage / "run")]
        return Command([program, *storage, *arguments], self.copy.folder)

    def _filled(self, template: str, service: Service) -> str:
        copy = f"COPY requirements/{service.name}/requirements.txt /requirements.txt"
        mount = "RUN --mount=type=bind,from=build"
        if template.count(mount) != 1:
            raise ValueError(f"the Dockerfile has no single line `{mount}`")
        return super()._filled(template.replace(mount, f"{copy}\n{mount}"), service)

    def reset(self) -> None:
        """Remove the storage."""
        self._remove()
        self._cache = False
        self._storage.mkdir(parents=True)

    def _remove(self) -> None:
        if self._storage.exists():
            with contextlib.suppress(ContenderError):
                command = self._buildah("rmi", "--all", "--force")
                subprocess.run(
                    command.argv, env=environment({}), cwd=self.site.work, capture_output=True, check=False
                )
            shutil.rmtree(self._storage, ignore_errors=True)

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Build the images, one after the other."""
        self._export(services)
        for service in services:
            self.site.run(self.name, self._build(service))

    def _build(self, service: Service) -> Command:
        options = ["--layers", "--file", self.dockerfile(service), "--tag", self.reference(service)]
        options += ["--network", "host", "--tls-verify=false", "--isolation", "chroot"]
        if self._cache:
            options += ["--cache-from", self._cache_name]
        return self._buildah("build", *options, ".")

    @property
    def _cache_name(self) -> str:
        return f"{self.site.registry.host}/{self.namespace}/cache"

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Push."""
        for service in services:
            self.site.run(
                self.name, self._buildah("push", "--quiet", "--tls-verify=false", self.reference(service))
            )

    def load(self, engine: Engine, service: Service) -> str:
        """Write a docker-archive and load it into an engine."""
        archive = self.site.work / f"{self.slug}.tar"
        archive.unlink(missing_ok=True)
        target = f"docker-archive:{archive}:{self.reference(service)}"
        self.site.run(self.name, self._buildah("push", "--quiet", self.reference(service), target))
        engine.load(archive)
        archive.unlink()
        return self.reference(service)

    def fill_cache(self) -> None:
        """Build once more, and push each layer to the cache."""
        for service in SERVICES:
            command = self._build(service)
            argv = [*command.argv[:-1], "--cache-to", self._cache_name, "."]
            self.site.run(self.name, Command(argv, command.cwd))

    def take_cache(self) -> None:
        """Remove the storage, and look for layers in the registry."""
        self.reset()
        self._cache = True

    def leave_cache(self) -> None:
        """Look for no layers in the registry."""
        self._cache = False

    def close(self) -> None:
        """Nothing runs."""
