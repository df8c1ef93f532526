"""What every contender can be asked to do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from bench.side.repository import SERVICES, Service, WorkingCopy
from bench.side.site import Site
from tests.support.engine import Engine

AMD64 = "linux/amd64"
ARM = "linux/arm/v7"


class Contender(ABC):
    """A tool as its own guide says to use it, with a copy of the example of its own.

    :param platform: what images are built for.

    :cvar name: in file names and on the command line.
    :cvar title: in the report.
    :cvar guide: how it is set up, for the report.
    :cvar python: the interpreter in its images that has a service's distributions.
    :cvar uses_bases: whether its images stand on those of the registry.
    :cvar limits: scenarios that it cannot do, with the reason.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    guide: ClassVar[str]
    python: ClassVar[str]
    uses_bases: ClassVar[bool] = True
    limits: ClassVar[Mapping[str, str]] = {}

    def __init__(self, site: Site, platform: str = AMD64) -> None:
        self.site = site
        self.platform = platform
        self.slug = self.name if platform == AMD64 else f"{self.name}-{platform.replace('/', '-')}"
        # Of this turn alone: the registry is kept from run to run, and shall have none of its images yet.
        self.namespace = f"{self.slug}-{time.time_ns():x}"
        self.copy = WorkingCopy(site.work / "copies" / self.slug)

    def prepare(self) -> None:
        """Make the copy and write what is the contender's own into it."""
        # A run that was killed may have left daemons that work in the folder.
        self.close()
        self.copy.create(self.site.root)

    @abstractmethod
    def reset(self) -> None:
        """Forget everything that was built or fetched, as on a machine that has just been set up."""

    @abstractmethod
    def build(self, services: Sequence[Service] = SERVICES) -> None:
        """Build images: what a developer types after an edit.

        :raises ContenderError: it fails.
        """

    @abstractmethod
    def files_of(self, service: Service) -> Mapping[str, str]:
        """Return the files that a service needs for this contender beside its sources, by path."""

    @abstractmethod
    def publish(self, services: Sequence[Service] = SERVICES) -> None:
        """Push the images, from which no edit is left to build, to the registry."""

    def deliver(self, services: Sequence[Service] = SERVICES) -> None:
        """Build the images and push them: what a developer types to have an edit in the registry."""
        self.build(services)
        self.publish(services)

    @abstractmethod
    def reference(self, service: Service) -> str:
        """Return the name of a published image."""

    @abstractmethod
    def load(self, engine: Engine, service: Service) -> str:
        """Bring an image that was built into an engine; return its name there."""

    @abstractmethod
    def fill_cache(self) -> None:
        """Give what was built to the cache that machines share; called when everything has been built."""

    @abstractmethod
    def take_cache(self) -> None:
        """Be a machine that has nothing but the shared cache; called instead of :meth:`reset`."""

    @abstractmethod
    def leave_cache(self) -> None:
        """Use the shared cache no longer."""

    @abstractmethod
    def close(self) -> None:
        """End daemons."""
