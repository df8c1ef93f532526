"""How an image came to be: an in-toto statement v1 with the predicate SLSA provenance v1.

Reproducible: no time, no machine and no run is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ociwheel.digest import Digest

MEDIA_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
_COMMIT = re.compile(r"@(?P<commit>[0-9a-f]{40}|[0-9a-f]{64})(?:#.*)?$")


def statement(
    subjects: Iterable[tuple[str, str]], predicate_type: str, predicate: Mapping[str, Any]
) -> dict[str, Any]:
    """Return an in-toto statement.

    :param subjects: name and digest, ``sha256:<hex>``, each.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": Digest(digest).hex}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def material(uri: str, sha256: str, name: str = "") -> dict[str, Any]:
    """Return something that went into an image (SLSA: ResourceDescriptor)."""
    return {"uri": uri, "digest": {"sha256": sha256}, **({"name": name} if name else {})}


def source(revision: str) -> dict[str, Any]:
    """Return a repository's revision as a material.

    :param revision: ``git+https://host/repository@<commit>``, perhaps with ``#<folder>``.
    """
    found = _COMMIT.search(revision)
    return {"uri": revision, **({"digest": {"gitCommit": found["commit"]}} if found else {})}


def provenance(
    *,
    subjects: Iterable[tuple[str, str]],
    build_type: str,
    builder: str,
    versions: Mapping[str, str],
    parameters: Mapping[str, Any],
    materials: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the provenance of an image.

    :param subjects: name and digest of the index and of each platform's manifest.
    :param builder: a URI: who is trusted to have built it as it says here.
    :param versions: of what built it, by name.
    :param parameters: what a user chose: target, platforms, fields.
    :param materials: what went into it, each once.
    """
    unique = {(one["uri"], str(one.get("digest"))): dict(one) for one in materials}
    return statement(
        subjects,
        PREDICATE,
        {
            "buildDefinition": {
                "buildType": build_type,
                "externalParameters": dict(parameters),
                "resolvedDependencies": [unique[key] for key in sorted(unique)],
            },
            "runDetails": {"builder": {"id": builder, "version": dict(versions)}},
        },
    )
