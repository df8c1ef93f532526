"""Debian file systems that stand in for ``python:3.11`` and ``python:3.11-slim``, made by mmdebstrap.

Both sides of the comparison then have the same python3, and no registry is needed.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from ociwheel.transport.apt_sources import mirrors, read_sources

APT = Path("/etc/apt")
ERROR_LINES = 20

# What debian:bookworm-slim leaves out, in dpkg's words.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/linda/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
# What python:3.11-slim adds to debian:bookworm-slim, beside the interpreter and pip.
RUNTIME = ("ca-certificates", "netbase", "python3", "tzdata")
COMPILER = ("build-essential", "libffi-dev", "python3-dev", "python3-pip", "python3-venv")


@dataclass(frozen=True)
class Base:
    """A file system: its name, what is installed beside minimal Debian, whether documentation goes."""

    name: str
    packages: tuple[str, ...]
    slim: bool = True

    @property
    def image(self) -> str:
        """The name of its image in the engine."""
        return f"bench-base:{self.name}"


FULL = Base("full", (*RUNTIME, *COMPILER), slim=False)
WITH_PIP = Base("slim-with-pip", (*RUNTIME, "python3-pip"))
WITHOUT_PIP = Base("slim-without-pip", RUNTIME)


def make(base: Base, suite: str, folder: Path, architecture: str = "amd64") -> Path:
    """Return the tarball of a file system; one that is in the folder already is taken as it is.

    :param architecture: Debian's name; for a foreign one, the kernel must know an emulator.
    :raises ValueError: when mmdebstrap fails, with the end of its output.
    """
    suffix = "" if architecture == "amd64" else f"-{architecture}"
    tarball = folder / f"{suite}-{base.name}{suffix}.tar"
    if tarball.exists():
        return tarball
    # usr-is-merged, as debootstrap chooses it: the alternative, usrmerge, brings 50 MB of Perl along.
    command = [
        "mmdebstrap",
        *("--quiet", "--variant=minbase", "--components=main"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        f"--architectures={architecture}",
        f"--include={','.join(('usr-is-merged', *base.packages))}",
        *(f"--dpkgopt={option}" for option in SLIM if base.slim),
        '--customize-hook=rm -f "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old',
        suite,
        str(partial := tarball.with_suffix(".partial.tar")),
        # Without any, mmdebstrap takes Debian's own.
        *mirrors(read_sources(APT)).get("debian", ()),
    ]
    result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        end = "\n".join(result.stderr.splitlines()[-ERROR_LINES:])
        raise ValueError(f"mmdebstrap could not make the base {base.name!r}; the end of its output:\n{end}")
    return partial.rename(tarball)
