"""One run of `pants publish`, as its pushes know each other: what the first of them is told of the others."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Mapping

from pants.option.global_options import GlobalOptions

from ociwheel.image_name import ImageName
from slim_python_image import engine
from slim_python_image.by_name import collect_rules, uncacheable_rule
from slim_python_image.files import replace_file
from slim_python_image.products import canonical_json
from slim_python_image.util_rules.image import BuiltImage
from slim_python_image.util_rules.machine import CACHE_NAME, MachineReady
from slim_python_image.util_rules.references import Destination
from slim_python_image.util_rules.registry_locks import layout_folder
from slim_python_image.util_rules.steps import MACHINE

_RUNS = "publish"
_KEPT_SECONDS = 86400
# Of a layer: it is read here and written for the first push of a run, whether or not that has to send it.
_LEFT_BYTES = 1 << 20


def origins(image: BuiltImage, destination: Destination) -> dict[str, list[str]]:
    """Return, by digest, the repository of ``destination``'s registry that has a base layer."""
    here = ImageName.parse(destination.repository).domain
    return {
        layer.digest: [name.repository_name]
        for layers in image.remote
        if layout_folder(layers.image_name) is None
        for name in (ImageName.parse(layers.image_name),)
        if name.domain == here
        for layer in layers.layers
    }


@dataclass(frozen=True)
class LeftImage:
    """What the first push of a run needs of another image.

    :param origins: repositories that have a blob, by digest.
    :param files: by path of its layout, its documents and what an edit changes of its layers.
    """

    digest: str
    origins: Mapping[str, list[str]]
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class PublishRun:
    """One run of Pants, as its pushes know each other: a folder among the machine's settings.

    Pants runs them one after the other. The first of them sends the others too, where it has all that their
    registry lacks; those start no Python: docs/decisions/030.
    """

    folder: str
    name: str

    def leave(self, destination: Destination, left: LeftImage) -> str:
        """Tell the first push of an image; return the file that says that nothing is left to do."""
        key = hashlib.sha256(destination.repository.encode()).hexdigest()[:32]
        place = Path(self.folder) / self.name
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, data in left.files.items():
            file = place / key / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        document = {
            "images": list(destination.references),
            "digest": left.digest,
            "origins": left.origins,
        }
        replace_file(place / f"{key}.json", canonical_json(document))
        return f"{MACHINE}/{_RUNS}/{self.name}/{key}.done"


async def left_image(image: BuiltImage, destination: Destination) -> LeftImage:
    """Return what is left of an image to the first push of the run."""
    code = dict.fromkeys(
        layer.blobs
        for one in image.platforms
        for layer in one.code
        if layer.remote is None and layer.size <= _LEFT_BYTES
    )
    files = await engine.contents(await engine.merge((image.documents, *code)))
    return LeftImage(image.index_digest, origins(image, destination), files)


@uncacheable_rule(desc="Begin a publish")
async def begin_run(global_options: GlobalOptions, _: MachineReady) -> PublishRun:
    folder = Path(global_options.named_caches_dir) / CACHE_NAME / _RUNS
    for old in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    return PublishRun(str(folder), uuid.uuid4().hex)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
