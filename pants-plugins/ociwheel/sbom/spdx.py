"""An inventory as SPDX 2.3 in JSON.

Nothing in it depends on when or where it was made: the time that the specification wants is the image's.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from typing import Any

from ociwheel.digest import Digest
from ociwheel.sbom.inventory import Component, Inventory, Library
from ociwheel.sbom.licenses import REFERENCE

MEDIA_TYPE = "application/spdx+json"
IDENTITY = "documentNamespace"
_UNKNOWN = "NOASSERTION"
_PURPOSES = {"python": "LIBRARY", "deb": "LIBRARY", "crate": "LIBRARY", "image": "CONTAINER"}
_IMAGE = "SPDXRef-image"
_NO_ID = re.compile(r"[^A-Za-z0-9.]+")


def spdx(found: Inventory) -> dict[str, Any]:
    """Return the SPDX document of an image, without the field `IDENTITY`."""
    ids = _ids((*found.parts, *found.tools))
    libraries = [
        (f"{ids[part.ref]}-{number}", part, library)
        for part in found.parts
        for number, library in enumerate(part.libraries, 1)
    ]
    value: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{found.name} {found.platform}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.created)),
            "creators": [f"Tool: {found.tool[0]}-{found.tool[1]}"],
        },
        "packages": [
            _image(found),
            *(_package(one, ids[one.ref]) for one in (*found.parts, *found.tools)),
            *(_library(own, part, library) for own, part, library in libraries),
        ],
        "relationships": [
            *_relationships(found, ids),
            *(_relation(ids[part.ref], "CONTAINS", own) for own, part, _ in libraries),
        ],
        "documentDescribes": [_IMAGE],
    }
    references = {one for part in found.parts for one in REFERENCE.findall(part.license or "")}
    if references:
        text = (
            "The licence that the distribution's metadata names; its text is among the distribution's files."
        )
        value["hasExtractedLicensingInfos"] = [
            {"licenseId": one, "extractedText": text} for one in sorted(references)
        ]
    return value


def namespace(name: str, content: str) -> str:
    """Return the namespace of a document.

    SPDX 6.5: a URI "unique [...] to this specific document"; the content is what makes it so.

    :param name: of the image.
    :param content: the document without it, as JSON.
    """
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"https://spdx.org/spdxdocs/{_NO_ID.sub('-', name)}-{digest}"


def _ids(components: Iterable[Component]) -> dict[str, str]:
    """Return an identifier for each component: letters, digits, dots and hyphens."""
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for one in components:
        role = "build-" if one.ref != one.purl else ""
        plain = f"SPDXRef-{role}{one.kind}-{_NO_ID.sub('-', one.name)}"
        own, number = plain, 1
        while own in taken:
            number += 1
            own = f"{plain}.{number}"
        taken.add(own)
        ids[one.ref] = own
    return ids


def _image(found: Inventory) -> dict[str, Any]:
    return {
        "SPDXID": _IMAGE,
        "name": found.name,
        "versionInfo": found.digest,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": Digest(found.digest).hex}],
        "comment": f"{found.platform}{', ' if found.system else ''}{found.system}",
        **_unknown(),
    }


def _unknown() -> dict[str, Any]:
    return {
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "copyrightText": _UNKNOWN,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
    }


def _package(one: Component, own: str) -> dict[str, Any]:
    value = {
        "SPDXID": own,
        "name": one.name,
        "versionInfo": one.version,
        "primaryPackagePurpose": _PURPOSES[one.kind],
        **_unknown(),
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": one.purl,
            }
        ],
    }
    # SPDX 7.7: a location has a host, which a folder of a machine has not.
    if one.download and not one.download.removeprefix("git+").startswith("file:"):
        value["downloadLocation"] = one.download
    if one.filename:
        value["packageFileName"] = one.filename
    if one.sha256:
        value["checksums"] = [{"algorithm": "SHA256", "checksumValue": one.sha256}]
    if one.license:
        value["licenseDeclared"] = one.license
    elif one.license_text:
        value["licenseComments"] = f"its metadata says: {one.license_text}"
    if one.supplier:
        value["originator"] = _agent(one.supplier)
    if one.origin:
        value["sourceInfo"] = one.origin
    return value


def _agent(maintainer: str) -> str:
    """Return a maintainer of a control file as SPDX writes it: ``Person: Name (address)``."""
    name, _, address = maintainer.partition("<")
    mail = address.rstrip("> ")
    kind = (
        "Organization" if re.search(r"team|maintainers|developers|group", name, re.IGNORECASE) else "Person"
    )
    return f"{kind}: {name.strip().replace('(', '').replace(')', '')}{f' ({mail})' if mail else ''}"


def _library(own: str, part: Component, library: Library) -> dict[str, Any]:
    return {
        "SPDXID": own,
        "name": library.name,
        "primaryPackagePurpose": "LIBRARY",
        "packageFileName": library.path,
        "checksums": [{"algorithm": "SHA256", "checksumValue": library.sha256}],
        "sourceInfo": f"bundled in the wheel of {part.name} {part.version}",
        **_unknown(),
    }


def _relation(subject: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": related}


def _relationships(found: Inventory, ids: dict[str, str]) -> list[dict[str, str]]:
    return [
        _relation("SPDXRef-DOCUMENT", "DESCRIBES", _IMAGE),
        *(_relation(_IMAGE, "CONTAINS", ids[part.ref]) for part in found.parts),
        *(_relation(_IMAGE, "DEPENDS_ON", ids[root]) for root in found.roots),
        *(
            _relation(ids[part.ref], "DEPENDS_ON", ids[other])
            for part in found.parts
            for other in part.depends
        ),
        *(
            _relation(ids[tool], "BUILD_DEPENDENCY_OF", ids[part])
            for part, tools in sorted(found.builds.items())
            for tool in tools
        ),
    ]
