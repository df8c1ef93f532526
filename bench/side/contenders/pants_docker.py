"""Pants's own way to an image: `docker_image` with two `pex_binary`, dependencies and sources."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from bench.side.contenders.base import AMD64
from bench.side.contenders.dockerfiles import NO_BINARY
from bench.side.contenders.ours import PantsContender
from bench.side.engine import GroupedEngine
from bench.side.repository import SERVICES, Service
from bench.side.site import SLIM, Site
from tests.support.engine import Engine

_BUILD = """\
python_sources(name="lib", sources=["{module}/**/*.py"]{more})
{extra}
pex_binary(
    name="dependencies",
    dependencies=[":lib"],
    entry_point="{module}.__main__",
    include_sources=False,
    include_tools=True,
    layout="packed",
)

pex_binary(
    name="sources",
    dependencies=[":lib"],
    entry_point="{module}.__main__",
    include_requirements=False,
    include_tools=True,
    layout="packed",
)

docker_image(
    name="image",
    repository="{namespace}/{name}",
    dependencies=[":dependencies", ":sources"],
    registries=["{registry}"],
    image_tags=["latest"],
)
"""
# The example's own fields, of targets that are not ours.
_MORE = {
    "service": (
        ', dependencies=[":page", "//3rdparty/python:reqs#websockets"]',
        'resources(name="page", sources=["brewblox_service/*.html"])',
    ),
    "history": (', dependencies=[":config"]', 'files(name="config", sources=["config/*.json"])'),
}
_OWN_FOLDERS = ("src/brewblox/BUILD", "3rdparty/debian/BUILD")


class PantsDocker(PantsContender):
    """Pants with its Docker backend, and an engine."""

    name = "pants-docker"
    title = "Pants `docker_image` of two `pex_binary`"
    guide = (
        "Pants's guide for Python in Docker: one PEX of the dependencies and one of the sources, each turned "
        "into its part of a virtual environment in a stage of its own; `./pants package`. Its "
        "shared cache is Pants's; in 2.17 it names no cache to BuildKit"
    )
    python = "/app/bin/python"
    limits: ClassVar[Mapping[str, str]] = {
        "arm": "a PEX of what is compiled has to be built on the platform; its guide leaves that open",
    }

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        super().__init__(site, platform)
        # With a bridge: `docker_image` of Pants 2.17 cannot ask for the host's network.
        self.engine = GroupedEngine(site.work / "e" / self.slug, group=site.meter.group, publishes=True)

    def environment(self) -> dict[str, str]:
        """Return the variables of Pants, with the engine."""
        return {**super().environment(), **self.engine.pants_variables()}

    def prepare(self) -> None:
        """Make the copy, with targets of Pants's own instead of ours."""
        super().prepare()
        toml = self.copy.read("pants.toml")
        toml = toml.replace('  "slim_python_image",\n', '  "pants.backend.docker",\n')
        # The environment is made on this machine, so for this machine; as the example says for ours.
        names = json.dumps(NO_BINARY)
        toml = toml.replace(
            "[python.resolves]\n",
            f"[python.resolves_to_no_binary]\npython-default = {names}\n\n[python.resolves]\n",
        )
        self.copy.write("pants.toml", toml)
        for path in _OWN_FOLDERS:
            (self.copy.folder / path).unlink()
        for service in SERVICES:
            for path, text in self.files_of(service).items():
                self.copy.write(path, text)

    def files_of(self, service: Service) -> Mapping[str, str]:
        """Return its BUILD file and its Dockerfile."""
        more, extra = _MORE.get(service.name, ("", ""))
        folder = f"src/brewblox/{service.name}"
        base = f"{self.site.registry.host}/{SLIM}"
        template = (self.site.root / "bench/side/dockerfiles/pants.Dockerfile").read_text()
        dockerfile = template.replace("@SLIM@", base).replace("@MODULE@", service.module)
        build = _BUILD.format(
            module=service.module,
            name=service.name,
            namespace=self.namespace,
            registry=self.site.registry.host,
            more=more,
            extra=extra,
        )
        return {
            f"{folder}/BUILD": build,
            f"{folder}/Dockerfile": dockerfile.replace("@FOLDER@", folder.replace("/", ".")),
        }

    def reset(self) -> None:
        """Forget what Pants knows, and replace the engine by an empty one."""
        super().reset()
        self.engine.stop()
        self.engine.start()

    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Package the images: they are in the engine then."""
        self.pants("package", *(f"src/brewblox/{service.name}:image" for service in services))

    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Publish with Pants."""
        self.pants("publish", *(f"src/brewblox/{service.name}:image" for service in services))

    def reference(self, service: Service) -> str:
        """Return the name of an image, published or not."""
        return f"{self.site.registry.host}/{self.namespace}/{service.name}:latest"

    def load(self, engine: Engine, service: Service) -> str:
        """Save from our engine and load into another."""
        archive = self.site.work / f"{self.slug}.tar"
        self.engine.docker("save", "--output", str(archive), self.reference(service))
        engine.load(archive)
        archive.unlink()
        return self.reference(service)

    def close(self) -> None:
        """Stop the daemons; what the engine holds is removed."""
        super().close()
        self.engine.stop()
