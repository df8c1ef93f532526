"""A current BuildKit by its own client, without Docker."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.side.buildkit import VERSION, BuildKit, BuildKitError, programs
from bench.side.contenders.base import AMD64
from bench.side.contenders.dockerfiles import DockerfileSources
from bench.side.repository import SERVICES, Service
from bench.side.site import Command, ContenderError, Site
from tests.support.engine import Engine


class BuildKitUv(DockerfileSources):
    """uv's Dockerfile, built by ``buildctl``."""

    name = "buildkit"
    title = "BuildKit, uv's Dockerfile"
    guide = (
        f"BuildKit {VERSION} by `buildctl`, its own client, without Docker: uv's Dockerfile, the three at "
        "the same time, each exported to a folder that is an OCI layout, or pushed. Its shared cache is "
        "`--export-cache type=registry,mode=max`"
    )
    python = "/app/.venv/bin/python"
    template = "uv"

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        super().__init__(site, platform)
        self._cache: tuple[str, ...] = ()
        self._daemon: BuildKit | None = None

    def prepare(self) -> None:
        """Make the copy, and the programs where this is the first run."""
        try:
            made = programs(self.site.work / "buildkit")
        except BuildKitError as error:
            raise ContenderError(str(error)) from error
        super().prepare()
        folder = self.site.work / "e" / self.slug
        self._daemon = BuildKit(folder, made, self.site.meter.group, (self.site.registry.host,))

    def reset(self) -> None:
        """Replace the daemon by one that has nothing."""
        self._cache = ()
        daemon = self._running()
        daemon.stop()
        shutil.rmtree(self.copy.folder / "dist", ignore_errors=True)
        try:
            daemon.start()
        except BuildKitError as error:
            raise ContenderError(str(error)) from error

    def _running(self) -> BuildKit:
        if self._daemon is None:
            raise ContenderError("buildkit: not prepared")
        return self._daemon

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Build the images, all at the same time, as OCI layouts in ``dist``."""
        self._each(services, *self._cache)

    def _each(self, services: Sequence[Service], *options: str) -> None:
        self._export(services)
        commands = [
            self._build(service, f"type=oci,tar=false,dest={self.layout(service)}") for service in services
        ]
        self.site.run(self.name, *(Command([*one.argv, *options], one.cwd) for one in commands))

    def _build(self, service: Service, output: str) -> Command:
        argv = self._running().ctl("build", "--frontend", "dockerfile.v0", "--progress", "plain")
        argv += ["--local", "context=.", "--local", "dockerfile=docker"]
        argv += ["--opt", f"filename={Path(self.dockerfile(service)).name}", "--output", output]
        if self.platform != AMD64:
            argv += ["--opt", f"platform={self.platform}"]
        return Command(argv, self.copy.folder)

    def layout(self, service: Service) -> Path:
        """Return the OCI layout of an image."""
        return self.copy.folder / "dist" / service.name

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Build again with another output, the registry: that is how BuildKit pushes."""
        self._export(services)
        commands = (
            self._build(service, f"type=image,push=true,name={self.reference(service)}")
            for service in services
        )
        self.site.run(self.name, *commands)

    def deliver(self, services: Sequence[Service] = SERVICES) -> None:
        """Build with the registry as output, which is one command."""
        self.publish(services)

    def reference(self, service: Service) -> str:
        """Return the name of a published image."""
        return f"{self.site.registry.host}/{self.namespace}/{service.name}:latest"

    def load(self, engine: Engine, service: Service) -> str:
        """Export what Docker loads, and load it."""
        archive = self.site.work / f"{self.slug}.tar"
        name = self.reference(service)
        self.site.run(self.name, self._build(service, f"type=docker,dest={archive},name={name}"))
        engine.load(archive)
        archive.unlink()
        return name

    def fill_cache(self) -> None:
        """Build once more, and send every layer and record to the registry."""
        for service in SERVICES:
            cache = f"type=registry,mode=max,ref={self._cache_name(service)}"
            self._each([service], "--export-cache", cache)

    def _cache_name(self, service: Service) -> str:
        return f"{self.site.registry.host}/{self.namespace}/cache-{service.name}:latest"

    def take_cache(self) -> None:
        """Start a daemon that has nothing, and name the caches."""
        self.reset()
        named = (f"type=registry,ref={self._cache_name(service)}" for service in SERVICES)
        self._cache = tuple(word for one in named for word in ("--import-cache", one))

    def leave_cache(self) -> None:
        """Name no cache."""
        self._cache = ()

    def close(self) -> None:
        """Stop the daemon; what it holds is removed."""
        if self._daemon is not None:
            self._daemon.stop()
