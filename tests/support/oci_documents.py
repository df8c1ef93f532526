"""Checks an OCI layout against the image specification: its JSON schemas, and what only its text says.

Nothing here is the core's own: the schemas are those that the specification's authors publish, in Debian's
package golang-github-opencontainers-image-spec-dev. Each rule that a schema cannot express stands with its
sentence beside it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

import zstandard
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

PACKAGE = "golang-github-opencontainers-image-spec-dev"

_OCI = "application/vnd.oci.image"
INDEX = f"{_OCI}.index.v1+json"
MANIFEST = f"{_OCI}.manifest.v1+json"
CONFIG = f"{_OCI}.config.v1+json"
_SCHEMAS = {
    INDEX: "image-index-schema.json",
    MANIFEST: "image-manifest-schema.json",
    CONFIG: "config-schema.json",
}
_COMPRESSIONS = {
    f"{_OCI}.layer.v1.tar": b"",
    f"{_OCI}.layer.v1.tar+gzip": b"\x1f\x8b",
    f"{_OCI}.layer.v1.tar+zstd": b"\x28\xb5\x2f\xfd",
}
# annotations.md, Pre-Defined Annotation Keys.
_PREDEFINED = {
    f"org.opencontainers.image.{name}"
    for name in (
        *("created", "authors", "url", "documentation", "source", "version", "revision", "vendor"),
        *("licenses", "ref.name", "title", "description", "base.digest", "base.name"),
    )
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_REF_NAME = re.compile(r"[A-Za-z0-9]+((--|[-._:@+/])[A-Za-z0-9]+)*")


class SpecificationError(Exception):
    """A document or a blob that is not as the specification says."""


@cache
def schema_folder() -> Path:
    """Return where Debian's package has the schemas.

    :raises SpecificationError: it is not installed.
    """
    done = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=False)
    found = [Path(line).parent for line in done.stdout.splitlines() if line.endswith(_SCHEMAS[MANIFEST])]
    if not found:
        raise SpecificationError(f"no schemas on this machine\n  -> apt-get install {PACKAGE}")
    return found[0]


@cache
def _validator(name: str) -> Draft4Validator:
    def retrieve(uri: str) -> Resource[Any]:
        # The schemas name each other by file, below an address where none of them is.
        text = (schema_folder() / uri.rpartition("/")[2]).read_text()
        return Resource.from_contents(json.loads(text), default_specification=DRAFT4)

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return Draft4Validator(json.loads((schema_folder() / name).read_text()), registry=registry)


def check_schema(value: Any, name: str, where: str) -> None:
    """Validate a document.

    :raises SpecificationError: all that is wrong with it.
    """
    faults = [
        f"{where}{error.json_path[1:]}: {error.message}" for error in _validator(name).iter_errors(value)
    ]
    if faults:
        raise SpecificationError("\n".join(faults))


def check_annotations(annotations: Mapping[str, Any], where: str) -> None:
    """Check annotations, or labels.

    :raises SpecificationError: one that the specification does not allow.
    """
    for key, value in annotations.items():
        # annotations.md: "a key-value map where both the key and value MUST be strings".
        _expect(bool(key) and isinstance(value, str), f"{where}: {key!r}: {value!r}")
        # "The prefix org.opencontainers is reserved for keys defined in Open Container Initiative (OCI)
        # specifications and MUST NOT be used by other specifications and extensions."
        _expect(
            not key.startswith("org.opencontainers.") or key in _PREDEFINED, f"{where}: {key} is reserved"
        )
    created = annotations.get("org.opencontainers.image.created")
    _expect(created is None or _is_time(created), f"{where}: created {created!r}")
    digest = annotations.get("org.opencontainers.image.base.digest")
    _expect(digest is None or _DIGEST.fullmatch(digest) is not None, f"{where}: base.digest {digest!r}")
    name = annotations.get("org.opencontainers.image.ref.name")
    _expect(name is None or _REF_NAME.fullmatch(name) is not None, f"{where}: ref.name {name!r}")


@dataclass
class Seen:
    """What a layout holds, by media type."""

    digests: dict[str, set[str]] = field(default_factory=dict)

    def add(self, media_type: str, digest: str) -> bool:
        """Count a blob and tell whether it is new."""
        known = self.digests.setdefault(media_type, set())
        new = digest not in known
        known.add(digest)
        return new

    def count(self, media_type: str) -> int:
        """Return how many blobs of a media type there are."""
        return len(self.digests.get(media_type, ()))

    @property
    def layers(self) -> int:
        """How many layers there are, of any compression."""
        return sum(self.count(media_type) for media_type in _COMPRESSIONS)


def check_layout(folder: Path) -> Seen:
    """Check everything in a layout: documents, digests, sizes, compressions, what layers hold unpacked.

    :returns: what was found, so that a test can say how much it has checked.
    :raises SpecificationError: the first thing that is not as the specification says.
    """
    # image-layout.md: oci-layout and index.json MUST exist, the second "MUST be an image index JSON object".
    check_schema(_json(folder / "oci-layout"), "image-layout-schema.json", "oci-layout")
    seen = Seen()
    _check_index(folder, _json(folder / "index.json"), "index.json", seen)
    there = {f"sha256:{file.name}" for file in (folder / "blobs/sha256").iterdir()}
    named = {digest for digests in seen.digests.values() for digest in digests}
    _expect(there == named, f"{folder}: blobs that nothing names: {sorted(there - named)}")
    return seen


def _check_index(folder: Path, index: Any, where: str, seen: Seen) -> None:
    check_schema(index, _SCHEMAS[INDEX], where)
    # image-index.md and manifest.md: mediaType SHOULD be there and, where it is, MUST name the document's own type.
    _expect(index.get("mediaType") == INDEX, f"{where}: mediaType {index.get('mediaType')!r}")
    check_annotations(index.get("annotations", {}), where)
    for number, descriptor in enumerate(index["manifests"]):
        place = f"{where} manifests[{number}]"
        value = _document(folder, descriptor, place, seen)
        if descriptor["mediaType"] == INDEX:
            _check_index(folder, value, descriptor["digest"], seen)
        else:
            _expect(descriptor["mediaType"] == MANIFEST, f"{place}: {descriptor['mediaType']}")
            _check_manifest(folder, value, descriptor, seen)


def _check_manifest(folder: Path, manifest: Any, descriptor: Any, seen: Seen) -> None:
    where = descriptor["digest"]
    check_schema(manifest, _SCHEMAS[MANIFEST], where)
    _expect(manifest.get("mediaType") == MANIFEST, f"{where}: mediaType {manifest.get('mediaType')!r}")
    check_annotations(manifest.get("annotations", {}), where)
    _expect(
        manifest["config"]["mediaType"] == CONFIG, f"{where}: config is {manifest['config']['mediaType']}"
    )
    config = _document(folder, manifest["config"], f"{where} config", seen)
    check_schema(config, _SCHEMAS[CONFIG], manifest["config"]["digest"])
    _check_config(config, descriptor, len(manifest["layers"]))
    for number, (layer, diff_id) in enumerate(
        zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    ):
        _check_layer(folder, layer, diff_id, f"{where} layers[{number}]", seen)


def _check_config(config: Any, descriptor: Any, layers: int) -> None:
    where = f"config of {descriptor['digest']}"
    platform = {key: config[key] for key in ("os", "architecture", "variant") if key in config}
    # image-index.md: platform "describes the minimum runtime requirements of the image".
    _expect(descriptor.get("platform") == platform, f"{where}: {platform}, {descriptor.get('platform')}")
    _expect(len(config["rootfs"]["diff_ids"]) == layers, f"{where}: layers and diff_ids differ in number")
    # config.md: what has no empty_layer in the history stands for one layer, in order.
    history = [row for row in config.get("history", ()) if not row.get("empty_layer")]
    _expect(
        not history or len(history) == layers, f"{where}: {len(history)} rows of history, {layers} layers"
    )
    # config.md: "formatted as defined by RFC 3339, section 5.6".
    for row in (config, *config.get("history", ())):
        _expect("created" not in row or _is_time(row["created"]), f"{where}: created {row.get('created')!r}")
    run = config.get("config", {})
    # config.md: "Entries are in the format of VARNAME=VARVALUE"; keys of ports: port/tcp, port/udp, port.
    _expect(all(re.match(r"[^=]+=", entry) for entry in run.get("Env", ())), f"{where}: {run.get('Env')}")
    ports = run.get("ExposedPorts", {})
    _expect(all(re.fullmatch(r"\d+(/(tcp|udp))?", port) for port in ports), f"{where}: {ports}")
    # config.md, Labels: "This property MUST use the annotation rules".
    check_annotations(run.get("Labels", {}), f"{where} Labels")


def _check_layer(folder: Path, descriptor: Any, diff_id: str, where: str, seen: Seen) -> None:
    media_type = descriptor["mediaType"]
    _expect(media_type in _COMPRESSIONS, f"{where}: {media_type}")
    check_annotations(descriptor.get("annotations", {}), where)
    if not seen.add(media_type, descriptor["digest"]):
        return
    file = _blob(folder, descriptor, where)
    with file.open("rb") as content:
        magic = _COMPRESSIONS[media_type]
        _expect(content.read(len(magic)) == magic, f"{where}: is not compressed as {media_type} says")
        content.seek(0)
        # config.md: a DiffID is the digest over the layer's uncompressed tar archive.
        digest = hashlib.sha256()
        for chunk in _unpacked(content, media_type):
            digest.update(chunk)
    _expect(f"sha256:{digest.hexdigest()}" == diff_id, f"{where}: is not {diff_id} when unpacked")


def _unpacked(content: IO[bytes], media_type: str) -> Iterator[bytes]:
    stream: Any = content
    if media_type.endswith("+gzip"):
        stream = gzip.GzipFile(fileobj=content)
    elif media_type.endswith("+zstd"):
        stream = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
    while chunk := stream.read(1 << 20):
        yield chunk


def _document(folder: Path, descriptor: Any, where: str, seen: Seen) -> Any:
    check_schema(descriptor, "content-descriptor.json", where)
    check_annotations(descriptor.get("annotations", {}), where)
    seen.add(descriptor["mediaType"], descriptor["digest"])
    return _json(_blob(folder, descriptor, where))


def _blob(folder: Path, descriptor: Any, where: str) -> Path:
    check_schema(descriptor, "content-descriptor.json", where)
    digest = str(descriptor["digest"])
    _expect(_DIGEST.fullmatch(digest) is not None, f"{where}: digest {digest!r}")
    file = folder / "blobs/sha256" / digest.partition(":")[2]
    # image-layout.md: "The content of blobs/<alg>/<encoded> MUST match the digest <alg>:<encoded>."
    with file.open("rb") as content:
        _expect(hashlib.file_digest(content, "sha256").hexdigest() == file.name, f"{where}: is damaged")
    # descriptor.md, size: in bytes, of the raw content.
    _expect(file.stat().st_size == descriptor["size"], f"{where}: has {file.stat().st_size} bytes")
    return file


def _json(file: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # As annotations.md asks for: json.loads would keep the last of two.
        _expect(len(dict(pairs)) == len(pairs), f"{file}: a key twice")
        return dict(pairs)

    return json.loads(file.read_bytes(), object_pairs_hook=unique)


def _is_time(text: Any) -> bool:
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        return False
    datetime.fromisoformat(text)
    return True


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise SpecificationError(what)
