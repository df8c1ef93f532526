"""The lock of a base from registries: what was resolved and what was learned, as text that diffs read well.

It names no registry: only digests, and the names of images as the BUILD file has them, without the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ociwheel.documents import document
from ociwheel.errors import BaseError, ErrorCollector

_LAYER_KEYS = ("digest", "size", "mediaType", "diff_id", "created_by")


def registry_lock(
    names: Mapping[str, str],
    platforms: Sequence[str],
    resolved: Mapping[str, Any],
    learned: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the lock.

    :param names: ``image`` and ``builder_image`` without their registries.
    :param platforms: OCI platforms.
    :param resolved: a ``registry-resolve`` document.
    :param learned: ``base-image`` documents by platform.
    :raises BaseError: the images do not fit each other.
    """
    image, builder = resolved["image"], resolved.get("builder_image")
    rows = {name: _platform(name, image, builder, learned[name]) for name in platforms}
    _check(rows, image, builder)
    first = learned[platforms[0]]
    hosts = sorted(set(image["platforms"]) - set(platforms))
    return document(
        "registry-lock",
        {
            "inputs": {**names, "platforms": list(platforms)},
            "python": _minor(first["python"]),
            "image": image["root"],
            **({"builder_image": builder["root"]} if builder else {}),
            "platforms": rows,
            # Machines that build and are no target: their Python comes from here.
            "interpreters": {
                name: {"layers": [_pick(layer) for layer in image["platforms"][name]["layers"]]}
                for name in hosts
            },
        },
    )


def _platform(
    name: str, image: Mapping[str, Any], builder: Mapping[str, Any] | None, learned: Mapping[str, Any]
) -> dict[str, Any]:
    own = image["platforms"][name]
    unpacked = learned["unpacked"]
    layers = [{**_pick(layer), "unpacked": size} for layer, size in zip(own["layers"], unpacked, strict=True)]
    row = {
        "target": {key: learned[key] for key in ("platform", "python", "libc", "libc_version")},
        "found": {key: learned[key] for key in ("interpreter", "stdlib", "certificates", "nonroot")},
        "manifest": own["manifest"],
        "config": own["config"],
        "env": own["image"]["env"],
        "labels": own["image"]["labels"],
        "layers": layers,
    }
    if builder is None:
        return row
    theirs = builder["platforms"][name]
    found = {"manifest": theirs["manifest"], "layers": [_pick(layer) for layer in theirs["layers"]]}
    return {**row, "builder": found}


def _pick(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {key: layer[key] for key in _LAYER_KEYS if layer.get(key) not in {None, ""}}


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _check(
    rows: Mapping[str, Mapping[str, Any]], image: Mapping[str, Any], builder: Mapping[str, Any] | None
) -> None:
    """Check that all platforms have one Python, and the builder too as far as it says.

    :raises BaseError: they differ.
    """
    errors = ErrorCollector()
    versions = {name: row["target"]["python"] for name, row in rows.items()}
    libcs = {name: row["target"]["libc"] for name, row in rows.items()}
    if len({_minor(v) for v in versions.values()}) > 1 or len(set(libcs.values())) > 1:
        errors.add(
            BaseError(
                "its platforms have different Pythons",
                where=image["name"],
                details=[f"{name}: Python {versions[name]}, {libcs[name]}" for name in rows],
                hint="use a base of its own for each",
            )
        )
    for name, row in rows.items():
        said = builder["platforms"][name]["image"]["env"].get("PYTHON_VERSION") if builder else None
        if builder and said and _minor(said) != _minor(row["target"]["python"]):
            errors.add(
                BaseError(
                    f"it has Python {said} for {name}, but {image['name']} has {row['target']['python']}",
                    where=builder["name"],
                    hint="`image` and `builder_image` must have the same Python",
                )
            )
    errors.raise_if_any()


def render(lock: Mapping[str, Any]) -> bytes:
    """Return the lock's bytes: a line per layer, so that a diff shows what moved."""
    return (_render(lock, 0) + "\n").encode()


def _render(value: Any, depth: int) -> str:
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(value, dict) and value and any(isinstance(v, dict | list) for v in value.values()):
        lines = [f"{pad}{json.dumps(key)}: {_render(value[key], depth + 1)}" for key in value]
        return "{\n" + ",\n".join(lines) + f"\n{end}}}"
    if isinstance(value, dict) and len(value) > 1 and "digest" not in value and depth > 2:
        lines = [
            f"{pad}{json.dumps(key)}: {json.dumps(value[key], ensure_ascii=False)}" for key in sorted(value)
        ]
        return "{\n" + ",\n".join(lines) + f"\n{end}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"{pad}{_render(v, depth + 1)}" for v in value) + f"\n{end}]"
    return json.dumps(value, ensure_ascii=False)
