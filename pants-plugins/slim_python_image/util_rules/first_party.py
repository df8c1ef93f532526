"""The layers of an image's first-party code: what an image that it extends has too comes first.

The image holds the same files as in a single layer. What several layers save shows after an edit: code that
an image has in common with the one it extends is compiled, packed, sent and pulled once for both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import AbstractSet, Sequence, Union

from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry, SymlinkEntry

from slim_python_image import engine
from slim_python_image.bases import Base
from slim_python_image.products import TargetEnvironment
from slim_python_image.util_rules.image_content import ImageContent
from slim_python_image.util_rules.image_definition import ImageDefinition
from slim_python_image.util_rules.layers import SourceLayerRequest
from slim_python_image.util_rules.placed import PlacedFiles

Entry = Union[FileEntry, SymlinkEntry]


@dataclass(frozen=True)
class Code:
    """First-party code: of an image, or of one of its layers.

    :param files: what goes to the working folder as it is.
    """

    title: str
    sources: AbstractSet[Entry]
    files: AbstractSet[Entry]
    workdir: str
    scripts: tuple[tuple[str, str], ...]
    time: int | None = None
    placed: PlacedFiles | None = None


def divided(line: Sequence[Code]) -> tuple[Code, ...]:
    """Return the layers of an image's code, bottom first.

    The files of a layer depend on the image and on those it extends, never on images that extend it. The
    image's own layer comes last; it is left out where nothing remains for it.

    :param line: the image, the one that it extends, the one that that one extends, and so on.
    """
    rest, found = line[0], []
    for number in range(len(line) - 1, 0, -1):
        below = line[number]
        same_folder = rest.workdir == below.workdir
        sources = rest.sources & below.sources
        files = rest.files & below.files if same_folder else frozenset()
        if not sources and not files:
            continue
        common = Code(f"shared {below.title}", sources, files, below.workdir, (), below.time)
        # All that the other image has in a layer of its own: then it is that layer.
        theirs = divided(line[number:])[-1]
        found.append(theirs if replace(common, title=theirs.title) == theirs else common)
        rest = replace(rest, sources=rest.sources - sources, files=rest.files - files)
    if found and not (rest.sources or rest.files or rest.scripts or rest.placed):
        return tuple(found)
    return (*found, rest)


def neutral(target: TargetEnvironment) -> TargetEnvironment:
    """Return the target of what is equal on every platform, so that it is made once for all."""
    return replace(target, platform="linux/amd64")


async def _entries(digest: Digest) -> frozenset[Entry]:
    if digest == EMPTY_DIGEST:
        return frozenset()
    return frozenset(
        one for one in await engine.entries(digest) if isinstance(one, (FileEntry, SymlinkEntry))
    )


async def _code(parts: ImageDefinition, content: ImageContent) -> Code:
    return Code(
        title=f"sources of {parts.address}",
        sources=await _entries(content.sources),
        files=await _entries(content.files),
        workdir=parts.config.workdir,
        scripts=parts.scripts,
        time=parts.time,
        placed=content.placed,
    )


async def source_layer_requests(
    line: Sequence[ImageDefinition], contents: Sequence[ImageContent], base: Base
) -> tuple[SourceLayerRequest, ...]:
    """Return the layers of an image's first-party code, bottom first.

    :param line: the image, the one that it extends, the one that that one extends, and so on.
    :param contents: theirs.
    """
    parts = line[0]
    return tuple(
        [
            SourceLayerRequest(
                sources=await engine.create_entries(sorted(layer.sources, key=lambda one: one.path)),
                files=await engine.create_entries(sorted(layer.files, key=lambda one: one.path)),
                workdir=layer.workdir,
                scripts=layer.scripts,
                title=layer.title,
                target=neutral(base.target),
                options=parts.options,
                interpreter=base.interpreter,
                time=layer.time,
                placed=layer.placed,
                max_size=parts.max_layer_size,
            )
            for layer in divided([await _code(*one) for one in zip(line, contents)])
        ]
    )
