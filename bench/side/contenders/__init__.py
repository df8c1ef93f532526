"""The contenders, in the order of the report."""

from __future__ import annotations

from bench.side.contenders.base import Contender
from bench.side.contenders.buildah import Buildah
from bench.side.contenders.buildkit import BuildKitUv
from bench.side.contenders.dockerfiles import Classic, Inherited, Uv
from bench.side.contenders.ours import Floor, Ours
from bench.side.contenders.pants_docker import PantsDocker

CONTENDERS: tuple[type[Contender], ...] = (
    Ours,
    Classic,
    Inherited,
    Uv,
    BuildKitUv,
    PantsDocker,
    Buildah,
    Floor,
)
OURS = Ours.name

__all__ = ["CONTENDERS", "OURS", "Contender"]
