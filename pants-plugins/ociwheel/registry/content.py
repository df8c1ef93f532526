"""What a push sends: an index, its manifests, and where the bytes of their blobs are."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.digest import BLOBS, Digest
from ociwheel.errors import ImageError
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.reading import LIMITS, bytes_of, parse_json


@dataclass(frozen=True)
class Manifest:
    """One platform's manifest, and the blobs that must be in a repository before it."""

    descriptor: Descriptor
    data: bytes
    blobs: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Content:
    """An image index, or a single manifest where ``index.json`` names that."""

    root: Descriptor
    data: bytes
    manifests: tuple[Manifest, ...]
    files: Mapping[Digest, Path]
    """Blobs by digest. One that is not here has to be in the registry already."""

    def blobs(self) -> dict[str, Descriptor]:
        """Return the blobs of all manifests by digest, each once."""
        return {blob.digest: blob for manifest in self.manifests for blob in manifest.blobs}


def read(folder: Path, others: Iterable[Path] = ()) -> Content:
    """Read a layout of one image.

    :param folder: the layout; it may lack layers.
    :param others: further folders with ``blobs/sha256`` in them.
    :raises ImageError: there is no image, or more than one, or a document is damaged.
    """
    layout = Layout(folder)
    roots = layout.roots()
    if len(roots) != 1:
        raise ImageError(f"a push sends one image, index.json has {len(roots)}", where=str(folder))
    manifests = []
    for descriptor in layout.manifests():
        value = layout.read(descriptor)
        parts = [value.get("config"), *(value.get("layers") or ())]
        blobs = tuple(
            Descriptor.parse(part, f"{descriptor.digest}: blob {number}") for number, part in enumerate(parts)
        )
        manifests.append(Manifest(descriptor, layout.blob(descriptor).read_bytes(), blobs))
    if not manifests:
        raise ImageError("there is no manifest in the layout", where=str(folder))
    layout.read(roots[0])
    found = {
        Digest.of_hex(path.name): path
        for each in (*others, folder)
        for path in sorted((each / BLOBS).glob("[0-9a-f]*"))
    }
    return Content(roots[0], layout.blob(roots[0]).read_bytes(), tuple(manifests), _checked(manifests, found))


def _checked(manifests: Iterable[Manifest], found: Mapping[Digest, Path]) -> dict[Digest, Path]:
    """Return the files of the manifests' blobs, with the sizes that the manifests say."""
    files = {}
    for manifest in manifests:
        for blob in manifest.blobs:
            if blob.digest in found:
                size = found[blob.digest].stat().st_size
                if size != blob.size:
                    what = f"the blob {blob.digest} has {size} bytes, its descriptor says {blob.size}"
                    raise ImageError(what, where=str(found[blob.digest]))
                files[blob.digest] = found[blob.digest]
    return files


@dataclass
class KnownRepositories:
    """Which repositories of a registry have a blob, as earlier pushes saw it; a hint that may be wrong.

    Kept in a file between pushes, so that images of one publish find each other's blobs; pushes at the same
    time share it.
    """

    path: Path | None
    _repositories: dict[str, dict[str, list[str]]]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turns: dict[tuple[str, str], threading.Lock] = field(default_factory=dict)

    KEPT = 4
    """Repositories per blob."""
    LIMIT = 20_000
    """Blobs per registry; the oldest go."""

    @classmethod
    def load(cls, path: Path | None) -> KnownRepositories:
        """Read the file; one that is damaged counts as empty."""
        repositories: dict[str, dict[str, list[str]]] = {}
        if path is not None and path.is_file():
            try:
                value = parse_json(bytes_of(path, LIMITS.size))
                for domain, blobs in value.items():
                    repositories[str(domain)] = {
                        str(d): [str(r) for r in names] for d, names in blobs.items()
                    }
            except (OSError, ValueError, AttributeError, TypeError):
                repositories = {}
        return cls(path, repositories)

    def of(self, domain: str, digest: str) -> tuple[str, ...]:
        """Return the repositories that had a blob, the newest first."""
        with self._lock:
            return tuple(reversed(self._repositories.get(domain, {}).get(digest, ())))

    def turn(self, domain: str, digest: str) -> contextlib.AbstractContextManager[object]:
        """Return what is held while a blob is sent: the next that wants to finds it where it went."""
        with self._lock:
            return self._turns.setdefault((domain, digest), threading.Lock())

    def add(self, domain: str, digest: str, repository: str) -> None:
        """Remember that a repository has a blob."""
        with self._lock:
            blobs = self._repositories.setdefault(domain, {})
            names = [name for name in blobs.pop(digest, []) if name != repository]
            blobs[digest] = [*names, repository][-self.KEPT :]
            while len(blobs) > self.LIMIT:
                del blobs[next(iter(blobs))]

    def forget(self, domain: str, digest: str, repository: str) -> None:
        """Remember that a repository has a blob no more."""
        with self._lock:
            names = self._repositories.get(domain, {}).get(digest, [])
            if repository in names:
                names.remove(repository)

    def save(self) -> None:
        """Write the file, at once or not at all; where it cannot be written, nothing is kept."""
        if self.path is None:
            return
        partial = self.path.with_name(f".{self.path.name}.{id(self)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self._repositories, separators=(",", ":")))
            partial.replace(self.path)
        except OSError:
            partial.unlink(missing_ok=True)
