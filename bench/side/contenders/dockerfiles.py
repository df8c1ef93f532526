"""Contenders that are Dockerfiles, built by BuildKit in an engine of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from bench.side.contenders.base import AMD64, Contender
from bench.side.engine import GroupedEngine
from bench.side.repository import FOURTH, HISTORY, LOCK, SERVICE, SERVICES, SPARK, Service
from bench.side.site import FULL, SLIM, UV, UV_VERSION, Command, Site, image_name
from bench.sizes.classic import lock_subset
from tests.support.engine import Engine, find_tool

# As the example says for ours: in src/brewblox/BUILD.
NO_BINARY = ("ciso8601", "httptools", "netifaces")
# What `docker build` sends: never more than this.
IGNORE = """\
*
!requirements
!src
**/__pycache__
**/BUILD
"""


class DockerfileSources(Contender):
    """One Dockerfile per service, at the root of the repository, whatever builds it.

    :cvar template: the file in bench/side/dockerfiles.
    """

    template: ClassVar[str]

    def prepare(self) -> None:
        """Make the copy, with a Dockerfile and a part of the lock for each service."""
        super().prepare()
        self.copy.write(".dockerignore", IGNORE)
        for service in SERVICES:
            for path, text in self.files_of(service).items():
                self.copy.write(path, text)

    def files_of(self, service: Service) -> Mapping[str, str]:
        """Return its Dockerfile and its part of the lock."""
        template = (self.site.root / "bench/side/dockerfiles" / f"{self.template}.Dockerfile").read_text()
        return {
            self.dockerfile(service): self._filled(template, service),
            # The same file name for each: BuildKit's key of a COPY has it, but not the folder.
            f"requirements/{service.name}/requirements.txt": self._requirements(service),
        }

    def dockerfile(self, service: Service) -> str:
        """Return the path of a Dockerfile."""
        return f"docker/{service.name}.Dockerfile"

    def _filled(self, template: str, service: Service) -> str:
        copies = "\n".join(
            f"COPY src/brewblox/{part}/brewblox_{part} ./brewblox_{part}" for part in service.parts
        )
        if service == HISTORY:
            copies += "\nCOPY src/brewblox/history/config ./src/brewblox/history/config"
        values = {
            "@FULL@": self._base(FULL),
            "@SLIM@": self._base(SLIM),
            "@UV@": self._base(UV),
            "@INDEX@": self.site.mirror.index,
            "@SERVICE@": service.name,
            "@MODULE@": service.module,
            "@SOURCES@": copies,
        }
        for name, value in values.items():
            template = template.replace(name, value)
        return template

    def _requirements(self, service: Service) -> str:
        """Return a service's part of the lock, as a team would export it for each image."""
        locked = lock_subset(self.copy.read(LOCK), self._distributions(service))
        # One line each: uv takes no list.
        return "".join(f"--no-binary={name}\n" for name in NO_BINARY) + locked

    def _distributions(self, service: Service) -> list[str]:
        """Return the names of the distributions that an image needs."""
        known: dict[str, list[str]] = json.loads((self.site.work / "distributions.json").read_text())
        return known[SPARK.name if service == FOURTH else service.name]

    def _base(self, name: str) -> str:
        return f"{self.site.registry.host}/{image_name(name, self.platform)}"

    def _export(self, services: Sequence[Service]) -> None:
        for service in services:
            self.copy.write(f"requirements/{service.name}/requirements.txt", self._requirements(service))


class DockerfileContender(DockerfileSources):
    """Dockerfiles that an engine builds side by side."""

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        super().__init__(site, platform)
        self.engine = GroupedEngine(site.work / "e" / self.slug, group=site.meter.group)
        self._cache_from = False

    def reset(self) -> None:
        """Replace the engine by one that is empty."""
        self._cache_from = False
        self.engine.stop()
        self.engine.start()

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Build the images, all at the same time."""
        self._export(services)
        self.site.run(self.name, *(self._build(service) for service in services))

    def _build(self, service: Service) -> Command:
        options = ["--file", self.dockerfile(service), "--tag", self.reference(service)]
        # The host's network: the local mirror is on the loopback interface.
        options += ["--network", "host", "--progress", "plain"]
        if self.platform != AMD64:
            options += ["--platform", self.platform]
        # So that a published image is a cache, which is all that BuildKit without buildx can do.
        options += ["--build-arg", "BUILDKIT_INLINE_CACHE=1"]
        if self._cache_from:
            options += ["--cache-from", self.reference(service)]
        return self.docker("build", *options, ".")

    def docker(self, *arguments: str) -> Command:
        """Return a command of the engine's client."""
        argv = [find_tool("docker") or "docker", "--host", self.engine.address, *arguments]
        return Command(argv, self.copy.folder, {"DOCKER_BUILDKIT": "1"})

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Push."""
        self.site.run(self.name, *(self.docker("push", self.reference(service)) for service in services))

    def reference(self, service: Service) -> str:
        """Return the name of an image, published or not."""
        return f"{self.site.registry.host}/{self.namespace}/{service.name}:latest"

    def load(self, engine: Engine, service: Service) -> str:
        """Save from our engine and load into another."""
        archive = self.site.work / f"{self.name}.tar"
        self.engine.docker("save", "--output", str(archive), self.reference(service))
        engine.load(archive)
        archive.unlink()
        return self.reference(service)

    def fill_cache(self) -> None:
        """Push: the cache is in the images."""
        self.publish()

    def take_cache(self) -> None:
        """Start an empty engine, and name the published images as a cache."""
        self.reset()
        self._cache_from = True

    def leave_cache(self) -> None:
        """Name no cache."""
        self._cache_from = False

    def close(self) -> None:
        """Stop the engine; what it holds is removed."""
        self.engine.stop()


class Classic(DockerfileContender):
    """Wheels in the full image, installed in the slim one."""

    name = "classic"
    title = "two-stage Dockerfile"
    guide = (
        "wheels built in `python:3.11` with pip's cache mounted, installed `--no-index` in "
        "`python:3.11-slim` from a bind mount, sources last; BuildKit, the three services at the same time"
    )
    python = "python3"
    template = "classic"


class Inherited(DockerfileContender):
    """The same, but the wheels of ``service`` are built once and inherited."""

    name = "inherited"
    title = "two-stage, wheels inherited"
    guide = (
        "as the two-stage Dockerfile; the wheels of `service` are an image of their own, from which the two "
        "others take them, so it is built before them"
    )
    python = "python3"
    template = "inherited"
    limits: ClassVar[Mapping[str, str]] = {"arm": "as the two-stage Dockerfile, which is measured"}

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Build the wheels of the service, then the images."""
        self._export(services)
        wheels = ["--file", self.dockerfile(SERVICE), "--target", "build", "--tag", "service-wheels"]
        wheels += ["--network", "host", "--progress", "plain"]
        self.site.run(self.name, self.docker("build", *wheels, "."))
        self.site.run(self.name, *(self._build(service) for service in services))

    def _filled(self, template: str, service: Service) -> str:
        wheels = self._base(FULL) if service == SERVICE else "service-wheels"
        return super()._filled(template, service).replace("@WHEELS@", wheels)

    def _distributions(self, service: Service) -> list[str]:
        inherited = () if service == SERVICE else super()._distributions(SERVICE)
        return [name for name in super()._distributions(service) if name not in inherited]


class Uv(DockerfileContender):
    """uv in a multi-stage Dockerfile."""

    name = "uv"
    title = "uv, multi-stage"
    guide = (
        f"uv {UV_VERSION}, by its guide for Docker: cache and bind mounts, `UV_LINK_MODE=copy`, "
        "`UV_COMPILE_BYTECODE=1`, the environment copied into `python:3.11-slim`, sources last; BuildKit, "
        "the three at the same time"
    )
    python = "/app/.venv/bin/python"
    template = "uv"
