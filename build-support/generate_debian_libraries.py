"""Write ``data/debian_libraries.json.gz``.

Run it on a Debian machine with the index of each release's packages (``main/binary-amd64/Packages``
of the release, unpacked):
``PYTHONPATH=pants-plugins python build-support/generate_debian_libraries.py bookworm=FILE trixie=FILE``.
From an index come the names of packages in the sections of libraries; from dpkg, the shlibs files of the
packages that this machine has, which say the sonames exactly.
"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path
from typing import Any

import ociwheel
from ociwheel.documents import canonical
from ociwheel.elf.debian_libraries import RELEASES, LibraryTable

OUTPUT = Path(ociwheel.__file__).with_name("elf") / "data/debian_libraries.json.gz"
DPKG_INFO = Path("/var/lib/dpkg/info")
_SECTIONS = re.compile(r"^(?:[\w-]+/)?(?:libs|oldlibs|python|net|sound|graphics|x11|database|science|math)$")
_LIBRARY = re.compile(r"^(lib.*\d.*|lib.*[a-z]|zlib1g)$")
_NO_LIBRARY = re.compile(
    r"-(dev|doc|dbg|dbgsym|bin|tools?|utils?|data|common|examples?|perl|java|ruby|ocaml|cil|udeb|tests?|plugins?|dev-.*)$"
    r"|^lib.*-(perl|java|ruby|ocaml|cil|haskell|ghc)\b|^libghc-|-cross$|^lib(32|64|n32|x32|hf)"
)
# Libraries that Python wheels need and a development machine may not have installed.
_KNOWN = {
    "libGL.so.1": "libgl1",
    "libGLdispatch.so.0": "libglvnd0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgio-2.0.so.0": "libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0",
    "libfontconfig.so.1": "libfontconfig1",
    "libjpeg.so.62": "libjpeg62-turbo",
    "libgeos_c.so.1": "libgeos-c1v5",
    "libhdf5_serial.so.103": "libhdf5-103-1",
    "libhdf5_serial_hl.so.100": "libhdf5-hl-100",
    # In folders of their own, behind alternatives: BLAS and LAPACK of several makers.
    "libblas.so.3": "libblas3",
    "liblapack.so.3": "liblapack3",
    "libblas64.so.3": "libblas64-3",
    "liblapack64.so.3": "liblapack64-3",
    "libopenblas.so.0": "libopenblas0-pthread",
    "libopenblas64.so.0": "libopenblas64-0-pthread",
    "libopenblasp.so.0": "libopenblas0-pthread",
    "libblis.so.4": "libblis4-pthread",
    "libatlas.so.3": "libatlas3-base",
    "libcblas.so.3": "libatlas3-base",
    "libf77blas.so.3": "libatlas3-base",
    "liblapacke.so.3": "liblapacke",
    "libexslt.so.0": "libxslt1.1",
    "libxslt.so.1": "libxslt1.1",
    "libxml2.so.2": "libxml2",
    "libodbcinst.so.2": "libodbcinst2",
    "libsmime3.so": "libnss3",
    "libnssutil3.so": "libnss3",
    "libnss3.so": "libnss3",
    "libnspr4.so": "libnspr4",
}


def main(arguments: list[str]) -> int:
    """Write the tables and say how big they are."""
    indexes = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if indexes.keys() != {release.suite for release in RELEASES}:
        wanted = " ".join(f"{release.suite}=FILE" for release in RELEASES)
        sys.stderr.write(f"usage: build-support/generate_debian_libraries.py {wanted}\n")
        return 2
    tables = {suite: _table(_packages(Path(path))) for suite, path in indexes.items()}
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(gzip.compress(canonical(tables), mtime=0))
    for suite, table in tables.items():
        sys.stdout.write(f"{suite}: {len(table['packages'])} packages, {len(table['sonames'])} sonames\n")
    return 0


def _table(packages: set[str]) -> dict[str, Any]:
    rule = LibraryTable(frozenset(packages), {})
    sonames = {}
    for soname, known in (_installed() | _KNOWN).items():
        # Another release may have renamed it for 64 bits of time.
        package = next((name for name in (known, f"{known}t64") if name in packages), None)
        if package and rule.package(soname) != package:
            sonames[soname] = package
    return {"packages": sorted(packages), "sonames": sonames}


def _packages(index: Path) -> set[str]:
    names = set()
    for stanza in index.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Section): (.+)$", stanza, re.MULTILINE))
        name = fields.get("Package", "")
        if (
            _SECTIONS.match(fields.get("Section", ""))
            and _LIBRARY.match(name)
            and not _NO_LIBRARY.search(name)
        ):
            names.add(name)
    return names


def _installed() -> dict[str, str]:
    """Return soname and package of every library of this machine (deb-shlibs(5))."""
    found: dict[str, str] = {}
    for path in sorted(DPKG_INFO.glob("*.shlibs")):
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) < 3 or words[0].startswith(("#", "udeb:")):
                continue
            library, version, package = words[:3]
            found.setdefault(f"{library}.so.{version}", package)
            found.setdefault(f"{library}-{version}.so", package)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
