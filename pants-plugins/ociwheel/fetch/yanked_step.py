"""Tell which locked versions were yanked, or are on no index any more. What indexes list changes.

The request is a JSON object: ``versions``, each with name, version and sha256 (of its locked files).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.digest import is_sha256
from ociwheel.documents import document, read_value
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import normalize
from ociwheel.fetch.yanked import LockedVersion, yanked
from ociwheel.reading import Value
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", required=True, type=Path, metavar="FILE", help="the request")


def _version(value: Value) -> LockedVersion:
    value.only("name", "version", "sha256")
    hashes = value.at("sha256").texts(empty=False)
    if not all(map(is_sha256, hashes)):
        raise value.at("sha256").error("expected hashes of 64 hexadecimal digits")
    name = normalize(value.at("name").text())
    return LockedVersion(name, value.at("version").text(), frozenset(hashes))


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Ask the indexes."""
    versions = [_version(item) for item in read_value(args.request).at("versions").items()]
    rows = yanked(IndexClient(settings.load()), versions)
    return document("yanked", {"versions": len(versions), "yanked": rows})
