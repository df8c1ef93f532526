"""What a picture shows of a report: each platform's layers, and what is in them, by bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

BASE, DEB, WHEEL, SOURCE, OTHER = "base image", "Debian package", "distribution", "first-party code", "other"
_KINDS = {"deb": DEB, "wheel": WHEEL, "source": SOURCE, "rootfs": OTHER}


@dataclass(frozen=True)
class Part:
    """Something in a layer.

    :param size: bytes of its files, unpacked.
    """

    kind: str
    name: str
    version: str
    size: int

    @property
    def key(self) -> tuple[str, str]:
        """What it is called in other images too."""
        return self.kind, self.name

    @property
    def label(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class LayerPart:
    """A layer, and what is in it, largest first.

    :param compressed: bytes of its blob.
    """

    title: str
    size: int
    compressed: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Platform:
    """One platform of an image."""

    image: str
    name: str
    layers: tuple[LayerPart, ...]

    @property
    def size(self) -> int:
        """Bytes of all files in the layers."""
        return sum(layer.size for layer in self.layers)

    @property
    def compressed(self) -> int:
        """Bytes of all blobs of layers."""
        return sum(layer.compressed for layer in self.layers)

    def parts(self) -> Iterator[Part]:
        """Yield what is in all layers."""
        for layer in self.layers:
            yield from layer.parts


def _layer(document: Mapping[str, Any]) -> LayerPart:
    total = document["unpacked_size"]
    contents = document["contents"]
    if not contents:
        # A layer of a registry's image: what is in it is not known here.
        parts = [Part(BASE, document["title"], "", total)]
    elif any("unpacked_size" not in one for one in contents):
        # A report of before there were sizes of each.
        kind = _KINDS.get(contents[0]["type"], OTHER)
        label = contents[0]["name"] if len(contents) == 1 else f"{len(contents)} parts of {document['title']}"
        parts = [Part(kind, label, contents[0]["version"] if len(contents) == 1 else "", total)]
    else:
        parts = [
            Part(_KINDS.get(one["type"], OTHER), one["name"], one["version"], one["unpacked_size"])
            for one in contents
        ]
        rest = total - sum(part.size for part in parts)
        parts += [Part(OTHER, f"made for {document['title']}", "", rest)] if rest > 0 else []
    ordered = sorted(parts, key=lambda part: (-part.size, part.kind, part.name, part.version))
    return LayerPart(document["title"], total, document["size"], tuple(ordered))


def platforms(report: Mapping[str, Any]) -> tuple[Platform, ...]:
    """Return what a report says of each platform."""
    return tuple(
        Platform(report["target"], one["platform"], tuple(_layer(layer) for layer in one["layers"]))
        for one in report["platforms"]
    )
