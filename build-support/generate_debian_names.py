"""Write ``build/data/debian_names.json.gz``: packages of headers, libraries, modules and ``*-config``.

Run it with the indexes of a release's files (``main/Contents-amd64.gz`` and ``main/Contents-all.gz``):
``PYTHONPATH=pants-plugins python build-support/generate_debian_names.py FILE...``.
What several packages have is left out, and of headers those whose name says nothing of their package: an
sdist that misses its own ``config.h`` wants no package. Names chosen by hand are in ``debian_packages.tsv``.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import ociwheel
from ociwheel.documents import canonical

OUTPUT = Path(ociwheel.__file__).with_name("build") / "data/debian_names.json.gz"
_KINDS = {
    "header": re.compile(r"usr/include/(?:x86_64-linux-gnu/)?(?P<name>[^/\s]+(?:/|\.h(?:pp|h)?$))"),
    "library": re.compile(r"usr/lib/(?:x86_64-linux-gnu/)?lib(?P<name>[^/\s]+)\.so$"),
    "module": re.compile(r"usr/(?:lib/x86_64-linux-gnu|share|lib)/pkgconfig/(?P<name>[^/\s]+)\.pc$"),
    "program": re.compile(r"usr/bin/(?P<name>[^/\s]+[-_]config)$"),
}
_LEAST_SAYING = 3
"""Letters of a header's name that have to stand in its package's."""


def rows(index: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each file of an index with the packages for developers that ship it."""
    with gzip.open(index, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            path, _, where = line.rstrip("\n").rpartition(" ")
            names = [item.rpartition("/") for item in where.split(",")]
            packages = {name for section, _, name in names if section == "libdevel" or name.endswith("-dev")}
            if packages:
                yield path.strip(), frozenset(packages)


def collect(indexes: list[Path]) -> dict[str, dict[str, str]]:
    """Return the packages by kind and name."""
    found: dict[str, dict[str, set[str]]] = {kind: defaultdict(set) for kind in _KINDS}
    for index in indexes:
        for path, packages in rows(index):
            for kind, pattern in _KINDS.items():
                if match := pattern.match(path):
                    found[kind][match["name"]] |= packages
    result: dict[str, dict[str, str]] = {}
    for kind, names in found.items():
        only = {name: min(packages) for name, packages in names.items() if len(packages) == 1}
        result[kind] = {
            name: package for name, package in only.items() if kind != "header" or says(name, package)
        }
    return result


def says(header: str, package: str) -> bool:
    """Tell whether a header's name has to do with its package's."""
    name = re.sub(r"[^a-z0-9]", "", header.removesuffix("/").partition(".")[0].lower()).removeprefix("lib")
    stem = re.sub(r"[^a-z0-9]", "", package.lower().removesuffix("-dev")).removeprefix("lib")
    return len(name) >= _LEAST_SAYING and (name in stem or (len(stem) >= _LEAST_SAYING and stem in name))


def main(argv: list[str]) -> int:
    """Write the file."""
    if len(argv) < 2:
        sys.stderr.write(f"usage: {argv[0]} Contents-amd64.gz Contents-all.gz\n")
        return 2
    tables = collect([Path(name) for name in argv[1:]])
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(gzip.compress(canonical(tables), mtime=0))
    sys.stdout.write(f"{', '.join(f'{len(t)} of {kind}' for kind, t in tables.items())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
