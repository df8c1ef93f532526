"""List the files of a layer that somebody else made, and read its ELF files, for the audit."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.documents import canonical, document
from ociwheel.elf.facts import ELF_MAGIC
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BaseError
from ociwheel.registry.layer_tar import LayerEntry, LayerReader, open_layer

ORIGIN = "the base image"
_LETTERS = {"file": "f", "dir": "d", "symlink": "l", "hardlink": "h"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--blob", type=Path, required=True, metavar="FILE", help="the layer's blob")
    parser.add_argument("--diff-id", required=True, help="what it must unpack to, sha256:<64 hex digits>")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets layer-facts.json")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the layer."""
    files: list[list[str | int]] = []
    elf: list[dict[str, Any]] = []
    with open_layer(args.blob) as reader:
        for entry in reader:
            if entry.kind == "other":
                continue
            files.append(_row(entry))
            facts = _elf(reader, entry) if entry.kind == "file" and entry.size else None
            if facts is not None:
                elf.append(facts)
        diff_id, size = reader.finish()
    if diff_id != args.diff_id:
        raise BaseError(f"the layer unpacks to {diff_id}, the lock says {args.diff_id}", where=args.blob.name)
    args.output.mkdir(parents=True, exist_ok=True)
    value = document("layer-facts", {"diff_id": diff_id, "files": files, "elf": elf})
    (args.output / "layer-facts.json").write_bytes(canonical(value))
    return document("tree", {"files": len(files), "size": size})


def _row(entry: LayerEntry) -> list[str | int]:
    letter = _LETTERS[entry.kind]
    return [entry.path, letter, entry.mode, entry.uid, entry.gid, entry.size, entry.target]


def _elf(reader: LayerReader, entry: LayerEntry) -> dict[str, Any] | None:
    content = reader.content()
    start = content.read(len(ELF_MAGIC))
    if start != ELF_MAGIC:
        return None
    with tempfile.TemporaryFile() as file:
        file.write(start)
        shutil.copyfileobj(content, file)
        facts = read_facts(file, entry.path, ORIGIN)
    return facts.to_json() if facts else None
