"""What an sdist lets its user choose, read from its files: for messages of builds that fail.

Format: meson's reference, "Build options"; of a ``setup.py`` only the names of variables are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ociwheel.build.meson_dependencies import calls

_OPTION_FILES = ("meson.options", "meson_options.txt")
_SYSTEM = re.compile(r"(?:(?:use|with)[-_])?system[-_][\w-]{1,80}", re.ASCII)
_VALUES = {"'boolean'": "true", "'feature'": "enabled"}
OPTION = re.compile(r"[\w-]{1,100}=(?:true|enabled)", re.ASCII)
_SETUP = "setup.py"
_READS = re.compile(r"(?:\benviron(?:\.get\(|\[)|\bgetenv\()\s*['\"](?P<name>[A-Z][A-Z0-9_]{2,60})['\"]")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
# What says nothing of the sdist itself: of systems, compilers and setuptools.
_OF_ALL = re.compile(
    r"PATH|HOME|(?:USER|TEMP|APPDATA|PROGRAM|CONDA|MINGW|MSYS|VIRTUAL_ENV|SETUPTOOLS|DISTUTILS|CIBW|READTHEDOCS)\w*|"
    r"(?:CC|CXX|LD|AR|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|ARCHFLAGS|PKG_CONFIG|PKG_CONFIG_PATH|DEBUG)"
)
_MOST_BYTES = 1 << 20
_MOST = 12


@dataclass(frozen=True)
class Offered:
    """Settings by which a build takes another way."""

    options: tuple[str, ...] = ()
    """Of meson, ``NAME=VALUE``: each links to a library of the system in place of one that is fetched."""
    variables: tuple[str, ...] = ()
    """Of the environment, that a ``setup.py`` reads."""


def offered(source: Path) -> Offered:
    """Return what an unpacked sdist offers, each once and in its own order."""
    return Offered(_options(source), _variables(source))


def _options(source: Path) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in _OPTION_FILES:
        for call in calls(source / name, ("option",)):
            value = _VALUES.get("".join(call.named.get("type", ())))
            if value and _SYSTEM.fullmatch(call.name):
                found[f"{call.name}={value}"] = None
    return tuple(found)[:_MOST]


def _variables(source: Path) -> tuple[str, ...]:
    try:
        with (source / _SETUP).open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MOST_BYTES)
    except OSError:
        return ()
    names = dict.fromkeys(match["name"] for match in _READS.finditer(text))
    return tuple(name for name in names if not _OF_ALL.fullmatch(name))[:_MOST]
