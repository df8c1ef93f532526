"""Files that programs of Debian packages make when they are installed, as data: the backend reads it too."""

from __future__ import annotations

from dataclasses import dataclass

TRIPLET = "{triplet}"
"""Stands for the folder of libraries of a platform, ``x86_64-linux-gnu``."""


@dataclass(frozen=True)
class Maker:
    """One program of a package, and what it makes.

    :param packages: names that the package has had.
    :param program: its path.
    :param arguments: what it is called with; ``*`` at the end of the last: one argument for each such file.
    :param reads: patterns of paths; without any such file there is nothing to make.
    :param makes: patterns of paths that are taken from what it left.
    :param stdout: the path of the file that its output is.
    :param bits: what it makes depends on how wide a pointer is.
    """

    packages: tuple[str, ...]
    program: str
    arguments: tuple[str, ...]
    reads: str
    makes: str = ""
    stdout: str = ""
    bits: bool = False

    @property
    def name(self) -> str:
        """The program's own name."""
        return self.program.rsplit("/", 1)[-1]


_LIB = f"usr/lib/{TRIPLET}"
_PIXBUF = f"{_LIB}/gdk-pixbuf-2.0"
MAKERS = (
    Maker(
        ("shared-mime-info",),
        "usr/bin/update-mime-database",
        ("/usr/share/mime",),
        r"usr/share/mime/packages/[^/]+\.xml",
        r"usr/share/mime/(?!packages/).+",
    ),
    Maker(
        ("libglib2.0-0", "libglib2.0-0t64"),
        f"{_LIB}/glib-2.0/glib-compile-schemas",
        ("/usr/share/glib-2.0/schemas",),
        r"usr/share/glib-2\.0/schemas/[^/]+\.xml",
        r"usr/share/glib-2\.0/schemas/gschemas\.compiled",
    ),
    Maker(
        ("libglib2.0-0", "libglib2.0-0t64"),
        f"{_LIB}/glib-2.0/gio-querymodules",
        (f"/{_LIB}/gio/modules",),
        rf"{_LIB}/gio/modules/[^/]+\.so",
        rf"{_LIB}/gio/modules/giomodule\.cache",
    ),
    Maker(
        ("libgdk-pixbuf-2.0-0",),
        f"{_PIXBUF}/gdk-pixbuf-query-loaders",
        ("*",),
        rf"{_PIXBUF}/2\.10\.0/loaders/[^/]+\.so",
        stdout=f"{_PIXBUF}/2.10.0/loaders.cache",
    ),
    Maker(
        ("libgvc6",),
        "usr/sbin/libgvc6-config-update",
        ("-c",),
        rf"{_LIB}/graphviz/libgvplugin_[^/]+",
        rf"{_LIB}/graphviz/config[0-9]+a?",
    ),
    Maker(
        ("fontconfig",),
        "usr/bin/fc-cache",
        ("-s", "-f"),
        r"usr/(?:local/)?share/fonts/.+",
        r"var/cache/fontconfig/(?:[^/]+\.cache-[0-9]+|CACHEDIR\.TAG)",
        bits=True,
    ),
)
"""In this order: a later one may read what an earlier one made."""

MAKING_PACKAGES = frozenset(name for maker in MAKERS for name in maker.packages)
