"""Layers that a registry, or a layout in the repository, has: content by digest, and where it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ociwheel.digest import Digest


@dataclass(frozen=True, order=True)
class RemoteLayer:
    """A layer that a registry has.

    :param unpacked: bytes of its archive, 0 where nobody looked.
    """

    digest: str
    size: int
    media_type: str
    diff_id: str
    title: str
    unpacked: int

    @property
    def hex(self) -> str:
        """Its digest without the algorithm."""
        return Digest(self.digest).hex

    @property
    def path(self) -> str:
        """Its blob's path in a layout."""
        return Digest(self.digest).path

    @property
    def zstd(self) -> bool:
        """Whether it is compressed with zstd."""
        return self.media_type.endswith("+zstd")

    def row(self) -> dict[str, str]:
        """Return it as the core's steps read it."""
        return {"digest": self.digest, "diff_id": self.diff_id}

    def document(self) -> dict[str, Any]:
        """Return the core's ``layer`` document, as far as it is known without the layer's bytes."""
        return {
            "schema": "ociwheel.layer/1",
            "descriptor": {"mediaType": self.media_type, "digest": self.digest, "size": self.size},
            "diff_id": self.diff_id,
            "unpacked_size": self.unpacked,
            "title": self.title or "layer of the base image",
            "contents": [],
        }


@dataclass(frozen=True)
class RemoteLayers:
    """The layers of an image in a registry, bottom first.

    :param image_name: the image's name, with its registry. It is in no key of a step, but who has asked one
        registry must ask again when the BUILD file names another.
    :param resolve: the lock's name, for the command in messages.
    :param python: the folder of the image's Python, where steps would not look for it.
    """

    layers: tuple[RemoteLayer, ...]
    image_name: str
    resolve: str
    python: str = ""

    def request(self) -> dict[str, Any]:
        """Return the part of a step's request that names the layers."""
        found = {"python": self.python} if self.python else {}
        return {"layers": [layer.row() for layer in self.layers], **found}
