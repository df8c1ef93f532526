"""An inventory as CycloneDX 1.6 in JSON, without a time or a random number."""

from __future__ import annotations

import uuid
from typing import Any

from ociwheel.sbom.inventory import Component, Inventory

MEDIA_TYPE = "application/vnd.cyclonedx+json"
IDENTITY = "serialNumber"
_TYPES = {"python": "library", "deb": "library", "crate": "library", "image": "container"}
_IMAGE = "image"


def cyclonedx(found: Inventory) -> dict[str, Any]:
    """Return the CycloneDX document of an image, without the field `IDENTITY`."""
    made = {tool for tools in found.builds.values() for tool in tools}
    value: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [{"type": "application", "name": found.tool[0], "version": found.tool[1]}]
            },
            "component": {
                "type": "container",
                "bom-ref": _IMAGE,
                "name": found.name,
                "version": found.digest,
                "hashes": _hashes(found.digest.partition(":")[2]),
                "properties": _properties({"platform": found.platform, "system": found.system}),
            },
        },
        "components": [
            *(_component(part, "required") for part in found.parts),
            *(_component(tool, "excluded") for tool in found.tools),
        ],
        "dependencies": [
            {"ref": _IMAGE, "dependsOn": list(found.roots)},
            *({"ref": part.ref, "dependsOn": list(part.depends)} for part in found.parts),
            *({"ref": tool, "dependsOn": []} for tool in sorted(made)),
        ],
        "formulation": [_formula(part, tools) for part, tools in sorted(found.builds.items())],
    }
    if not found.builds:
        del value["formulation"]
    return value


def serial_number(_name: str, content: str) -> str:
    """Return the serial number of a document: it follows from its content.

    :param content: the document without it, as JSON.
    """
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": f"ociwheel:{key}", "value": value} for key, value in sorted(values.items()) if value]


def _component(one: Component, scope: str) -> dict[str, Any]:
    """Return a component.

    :param scope: ``excluded`` is for "component usage for test and other non-runtime purposes".
    """
    value: dict[str, Any] = {
        "type": _TYPES[one.kind],
        "bom-ref": one.ref,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
        "scope": scope,
        "properties": _properties({"filename": one.filename, "origin": one.origin}),
    }
    if one.sha256:
        value["hashes"] = _hashes(one.sha256)
    if one.download:
        kind = "vcs" if one.download.startswith("git+") else "distribution"
        value["externalReferences"] = [{"type": kind, "url": one.download}]
    if one.supplier:
        value["publisher"] = one.supplier
    if one.license:
        value["licenses"] = [{"expression": one.license}]
    elif one.license_text:
        value["licenses"] = [{"license": {"name": one.license_text}}]
    if one.libraries:
        value["components"] = [
            {
                "type": "library",
                "bom-ref": f"{one.ref}#{library.path}",
                "name": library.name,
                "hashes": _hashes(library.sha256),
                "properties": _properties({"path": library.path}),
            }
            for library in one.libraries
        ]
    return value


def _formula(part: str, tools: tuple[str, ...]) -> dict[str, Any]:
    """Return what built a part: a workflow of one task."""
    return {
        "bom-ref": f"build of {part}",
        "workflows": [
            {
                "bom-ref": f"workflow of {part}",
                "uid": f"build of {part}",
                "taskTypes": ["build"],
                "resourceReferences": [{"ref": tool} for tool in tools],
                "outputs": [{"type": "artifact", "resource": {"ref": part}}],
            }
        ],
    }
