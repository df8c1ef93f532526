"""All doors. A module ``*_doors.py`` of this folder adds its own by being listed here."""

from __future__ import annotations

from tests.fuzz import archive_doors, document_doors, elf_doors, index_doors, registry_doors, script_doors
from tests.fuzz.harness import Door

DOORS: dict[str, Door] = {
    door.name: door
    for module in (archive_doors, document_doors, elf_doors, index_doors, registry_doors, script_doors)
    for door in module.DOORS
}
