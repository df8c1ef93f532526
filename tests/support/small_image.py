"""An OCI layout of a few hundred bytes, made up for a test."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"


def write_layout(
    folder: Path, source: str, common: bytes = b"the base", *, architecture: str | None = None
) -> Path:
    """Write an image of two platforms: a base layer each, and one source layer for both.

    :param architecture: what all configurations say, whatever the index says.
    """
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
        number = hashlib.sha256(data).hexdigest()
        (blobs / number).write_bytes(data)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{number}", "size": len(data), **more}

    def document(kind: str, value: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        text = json.dumps({"schemaVersion": 2, "mediaType": f"{_OCI}.{kind}", **value})
        return put(text.encode(), kind, **more)

    manifests = []
    for name in ("amd64", "arm64"):
        archives = (common * 5000 + name.encode(), source.encode())
        layers = [put(gzip.compress(data, mtime=0), "layer.v1.tar+gzip") for data in archives]
        diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in archives]
        values = {
            "architecture": architecture or name,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
        config = put(json.dumps(values).encode(), "config.v1+json")
        platform = {"os": "linux", "architecture": name}
        value = {"config": config, "layers": layers}
        manifests.append(document("manifest.v1+json", value, platform=platform))
    index = document("index.v1+json", {"manifests": manifests})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return folder


def digest_of(layout: Path) -> str:
    """Return the digest of the image in a layout."""
    (root,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert isinstance(root["digest"], str)
    return root["digest"]


def manifests_of(layout: Path) -> list[dict[str, Any]]:
    """Return the manifests of the image in a layout."""

    def read(digest: str) -> Any:
        return json.loads((layout / "blobs/sha256" / digest.partition(":")[2]).read_bytes())

    return [read(one["digest"]) for one in read(digest_of(layout))["manifests"]]
