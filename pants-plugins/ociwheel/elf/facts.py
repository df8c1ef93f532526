"""What the audit needs to know of an ELF file; :mod:`ociwheel.elf.reader` reads it.

Formats: System V gABI chapters 4 and 5; symbol versions: LSB core, "Symbol Versioning".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ociwheel.platforms import PLATFORMS

ELF_MAGIC = b"\x7fELF"
# A file that claims more is damaged or hostile: real ones have fewer than a hundred.
MOST_SECTIONS = 65_535


@dataclass(frozen=True)
class ElfFacts:
    """One ELF file of a layer."""

    path: str
    """Path in the image."""
    machine: int
    """``e_machine``."""
    elf_class: int
    """32 or 64."""
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interp: str | None = None
    needed_versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Library: versions of it that must be there (weak references left out)."""
    defined_versions: tuple[str, ...] = ()
    origin: str = ""
    """``name version`` of what ships the file."""
    module: bool = False
    """Whether it has the function that Python calls to import a module of the file's name."""
    relr: bool = False
    """Whether its relative relocations are packed (``DT_RELR``), which older loaders pass over in silence."""
    musl: str | None = None
    """Version of musl that it is, of musl's own loader."""

    def to_json(self) -> dict[str, Any]:
        """Return the ``elf`` item of a layer-facts document."""
        return {
            "path": self.path,
            "machine": self.machine,
            "class": self.elf_class,
            "soname": self.soname,
            "needed": list(self.needed),
            "rpath": list(self.rpath),
            "runpath": list(self.runpath),
            "interp": self.interp,
            "needed_versions": {k: list(v) for k, v in sorted(self.needed_versions.items())},
            "defined_versions": list(self.defined_versions),
            "origin": self.origin,
            "module": self.module,
            **({"relr": True} if self.relr else {}),
            **({"musl": self.musl} if self.musl else {}),
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> ElfFacts:
        """Return the facts that :meth:`to_json` wrote."""
        return ElfFacts(
            path=value["path"],
            machine=value["machine"],
            elf_class=value["class"],
            soname=value["soname"],
            needed=tuple(value["needed"]),
            rpath=tuple(value["rpath"]),
            runpath=tuple(value["runpath"]),
            interp=value["interp"],
            needed_versions={k: tuple(v) for k, v in value["needed_versions"].items()},
            defined_versions=tuple(value["defined_versions"]),
            origin=value["origin"],
            module=value["module"],
            relr=value.get("relr", False),
            musl=value.get("musl"),
        )


def machine_name(machine: int, elf_class: int) -> str:
    """Return the platform that code is for, or the bare numbers where no platform has them."""
    for row in PLATFORMS:
        if (row.elf_machine, row.elf_class) == (machine, elf_class):
            return row.oci
    return f"{elf_class}-bit ELF machine {machine}"
