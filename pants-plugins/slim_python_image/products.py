"""What the backend's rules ask of each other: one frozen dataclass per request and per answer.

They hold content (digests, names, hashes) and never a place, because equality of a request is what
decides whether its rule runs again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Mapping

from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image.remote_layers import RemoteLayer

GZIP, ZSTD = "gzip", "zstd"
"""How layers are compressed."""


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class SlimImageError(Exception):
    """An error that a user reads: what is wrong, where, and what to do next."""


# --- steps -----------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class StepInputs:
    """What a step was made from, as canonical JSON; empty where nobody looked."""

    document: str = ""

    def __bool__(self) -> bool:
        return bool(self.document)

    @property
    def key(self) -> str | None:
        """The SHA-256 of the document: equal for two runs that are one in the cache."""
        return hashlib.sha256(self.document.encode()).hexdigest() if self.document else None

    def fields(self) -> dict[str, Any]:
        """Return the document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class Tree:
    """A folder tree that a step unpacked: an interpreter, a sysroot, a compiler.

    :param runtime: of a sysroot: it has a libc and the runtime of a gcc to link to.
    """

    digest: Digest
    runtime: bool = True


# --- targets of a build -----------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class TargetEnvironment:
    """What a wheel must fit: platform, Python and libc of the base."""

    platform: str
    python: str
    libc: str
    libc_version: str

    @staticmethod
    def of(fields: Mapping[str, Any]) -> TargetEnvironment:
        """Return what a lock says of a platform."""
        return TargetEnvironment(*(fields[name] for name in ("platform", "python", "libc", "libc_version")))

    @property
    def minor(self) -> str:
        """``3.11`` of ``3.11.2``."""
        return ".".join(self.python.split(".")[:2])

    def to_json(self) -> bytes:
        """Return the core's ``target`` document."""
        return canonical_json(
            {
                "schema": "ociwheel.target/1",
                "platform": self.platform,
                "python": self.python,
                "libc": self.libc,
                "libc_version": self.libc_version,
            }
        )


# --- lockfiles and plans ----------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Root:
    """A requirement that a target depends on."""

    requirement: str
    origin: str


@dataclass(frozen=True, order=True)
class Artifact:
    """The file that was chosen for a distribution.

    :param sha256: of the file; of one that is made of a commit, what names that commit.
    :param source: JSON of where it comes from, when that is no index.
    """

    name: str
    version: str
    kind: str
    filename: str
    sha256: str
    source: str = ""

    @property
    def pure(self) -> bool:
        """Whether it is a wheel for any platform."""
        return self.kind == "wheel" and self.filename.endswith("-none-any.whl")


# --- wheels -----------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Wheel:
    """A wheel file, at the root of ``digest``.

    :param inputs: what it was built from here; empty when it was fetched.
    :param isolation: what its build was kept from, in the core's words; empty when it was fetched.
    :param requires: what it requires, of a wheel that was built here.
    :param notes: what its build has to say.
    """

    name: str
    version: str
    filename: str
    size: int
    sha256: str
    digest: Digest = field(compare=True)
    inputs: StepInputs = StepInputs()
    isolation: str = ""
    requires: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def built(
        cls, artifact: Artifact, fields: Mapping[str, Any], digest: Digest, inputs: StepInputs
    ) -> Wheel:
        """Return a wheel that was built of an sdist.

        :param fields: the core's ``build`` document.
        """
        return cls(
            name=artifact.name,
            version=artifact.version,
            filename=fields["filename"],
            size=fields["size"],
            sha256=fields["sha256"],
            digest=digest,
            inputs=inputs,
            isolation=fields.get("isolation", ""),
            requires=tuple(fields["requires_dist"]),
            notes=tuple(fields.get("notes", ())),
        )

    @property
    def pure(self) -> bool:
        """Whether it fits every platform."""
        return self.filename.endswith("-none-any.whl")


# --- layers and images ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerOptions:
    """What decides a layer's bytes besides its content."""

    prefix: str
    bytecode: str
    exclude: tuple[str, ...]
    compression: str = GZIP
    strip: bool = True


@dataclass(frozen=True)
class Layer:
    """A layer: its document, its blob, the lists of what is in it, and what it was made from.

    :param facts: its files, and what the audit needs of those that are ELF.
    :param names: its files by name: what an edit of a file leaves as it is.
    :param packages: what the distributions or Debian packages in it say of themselves, where it has some.
    :param remote: the layer of a registry's image, whose blob and list are not here.
    """

    document: str
    digest: str
    size: int
    unpacked_size: int
    elf_files: int
    title: str
    blobs: Digest
    facts: Digest
    names: Digest = EMPTY_DIGEST
    packages: Digest = EMPTY_DIGEST
    inputs: StepInputs = StepInputs()
    remote: RemoteLayer | None = None

    @property
    def zstd(self) -> bool:
        """Whether it is compressed with zstd."""
        return str(self.fields()["descriptor"]["mediaType"]).endswith("+zstd")

    @property
    def opens(self) -> bool:
        """Whether Python code in it opens libraries by name."""
        return "opens" in self.fields()

    def fields(self) -> Mapping[str, Any]:
        """Return the layer's document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class Layers:
    """Layers of an image, bottom first."""

    layers: tuple[Layer, ...]


# --- coverage ---------------------------------------------------------------------------------------
