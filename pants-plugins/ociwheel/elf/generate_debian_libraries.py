"""Write ``data/debian_libraries.json.gz``.

Run it on a Debian machine of the release that bases are made from, after ``apt-get update``:
``python -m ociwheel.elf.generate_debian_libraries``. Reads what apt and dpkg have there: the names
of packages in the section of libraries, and the shlibs files of installed packages, which say the
sonames exactly.
"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

from ociwheel.documents import canonical
from ociwheel.elf.debian_libraries import LibraryTable
from ociwheel.errors import ToolError
from ociwheel.process import run

OUTPUT = Path(__file__).with_name("data") / "debian_libraries.json.gz"
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
    "libblas.so.3": "libblas3",
    "liblapack.so.3": "liblapack3",
    "libexslt.so.0": "libxslt1.1",
    "libxslt.so.1": "libxslt1.1",
    "libxml2.so.2": "libxml2",
    "libodbcinst.so.2": "libodbcinst2",
    "libsmime3.so": "libnss3",
    "libnssutil3.so": "libnss3",
    "libnss3.so": "libnss3",
    "libnspr4.so": "libnspr4",
}


def main() -> int:
    """Write the table and say how big it is."""
    packages = _packages()
    table = LibraryTable(frozenset(packages), {})
    sonames = {s: p for s, p in _installed().items() if table.package(s) != p}
    sonames |= {s: p for s, p in _KNOWN.items() if p in packages and table.package(s) != p}
    data = canonical({"packages": sorted(packages), "sonames": sonames})
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_bytes(gzip.compress(data, mtime=0))
    sys.stdout.write(f"{len(packages)} packages, {len(sonames)} sonames, {OUTPUT.stat().st_size} bytes\n")
    return 0


def _packages() -> set[str]:
    done = run(["apt-cache", "dumpavail"], env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    if done.returncode:
        raise ToolError("apt-cache dumpavail failed", details=done.tail())
    names = set()
    for stanza in done.stdout.split("\n\n"):
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
    sys.exit(main())
