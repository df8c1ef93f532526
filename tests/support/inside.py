"""What an image says of itself from the inside, read as those who scan it do: not from our reports or SBOMs."""

from __future__ import annotations

import email.parser
import importlib.metadata
import json
import re
import tarfile
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.repository import Layout

_STATUS = re.compile(r"var/lib/dpkg/status\.d/[^/]+(?<!\.md5sums)")
_METADATA = re.compile(r".*/site-packages/[^/]+\.dist-info/(METADATA|RECORD)")


@dataclass(frozen=True)
class Inside:
    """What is installed in one platform of an image.

    :param distributions: name and version, as `importlib.metadata` lists them.
    :param packages: name, version and architecture, as dpkg's `status.d` has them.
    """

    distributions: frozenset[tuple[str, str]]
    packages: frozenset[tuple[str, str, str]]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _files(layout: Layout, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield what says what is installed; each layer is read once."""
    for layer in layout.layers(number):
        with tarfile.open(layout.blob(layer)) as tar:
            for member in tar:
                if member.isfile() and (_STATUS.fullmatch(member.name) or _METADATA.fullmatch(member.name)):
                    stream = tar.extractfile(member)
                    assert stream is not None
                    yield member.name, stream.read()


def read_inside(layout: Layout, number: int, folder: Path) -> Inside:
    """Read one platform.

    :param folder: an empty one, for the metadata of distributions.
    """
    packages = set()
    for path, data in _files(layout, number):
        if _STATUS.fullmatch(path):
            fields = email.parser.HeaderParser().parsestr(data.decode())
            packages.add((fields["Package"], fields["Version"], fields["Architecture"]))
        else:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    places = [str(place) for place in sorted(folder.rglob("site-packages"))]
    found = importlib.metadata.distributions(path=places)
    return Inside(frozenset((_normalized(one.name), one.version) for one in found), frozenset(packages))


@dataclass(frozen=True)
class Listed:
    """What an SBOM in SPDX says is in an image: hashes by what is listed."""

    distributions: Mapping[tuple[str, str], str]
    packages: Mapping[tuple[str, str, str], str]


def read_spdx(document: Mapping[str, Any]) -> Listed:
    """Read the packages of an SBOM that are in the image, not what built them."""
    distributions, packages = {}, {}
    for one in document["packages"]:
        if "externalRefs" not in one or one["SPDXID"].startswith("SPDXRef-build-"):
            continue
        purl = one["externalRefs"][0]["referenceLocator"]
        kind, _, rest = purl.removeprefix("pkg:").partition("/")
        path, _, query = rest.partition("?")
        name, _, version = (urllib.parse.unquote(part) for part in path.rpartition("/")[2].partition("@"))
        (checksum,) = one["checksums"]
        if kind == "pypi":
            distributions[name, version] = checksum["checksumValue"]
        elif kind == "deb":
            (architecture,) = urllib.parse.parse_qs(query)["arch"]
            packages[name, version, architecture] = checksum["checksumValue"]
    return Listed(distributions, packages)


def locked_hashes(locks: Iterable[Path]) -> dict[tuple[str, str], set[str]]:
    """Return the hashes of requirements files by name and version."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in locks:
        key = ("", "")
        for line in path.read_text().splitlines():
            pinned = re.match(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==([^\s;\\]+)", line)
            if pinned:
                key = (_normalized(pinned[1]), pinned[2])
            found.setdefault(key, set()).update(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def locked_packages(lock: Path) -> dict[tuple[str, str, str], str]:
    """Return the hashes of a base's lock by name, version and architecture."""
    rows = json.loads(lock.read_bytes())["packages"].values()
    return {(row["name"], row["version"], row["architecture"]): row["sha256"] for row in rows}
