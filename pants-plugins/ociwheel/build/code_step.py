"""Compile the code that a build runs, the core's and its libraries', with the Python that runs it.

The output holds ``core`` and ``tools``: ``__pycache__`` folders for what lies in the sandbox's folders.
Bytecode follows from the sources and this Python alone, so it is content, as they are; a build has no cache.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ociwheel
import ociwheel.build.build_step
import ociwheel.build.inside  # what runs in the root of a build imports this
from ociwheel.base.tree import tree_document
from ociwheel.layer.bytecode import compile_source, pyc_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compile what is loaded, which is what a build loads."""
    folders = {"core": Path(ociwheel.__file__).parents[1]}
    tools = os.environ.get("OCIWHEEL_TOOLS")
    if tools:
        folders["tools"] = Path(tools)
    tag = str(sys.implementation.cache_tag)
    for name, path, source in _loaded({name: os.path.abspath(folder) for name, folder in folders.items()}):
        place = args.output / name / pyc_path(path, tag)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(compile_source(source.read_bytes(), f"{name}/{path}"))
    return tree_document(args.output)


def _loaded(folders: dict[str, str]) -> Iterator[tuple[str, str, Path]]:
    """Yield the loaded modules that are below folders: the folder's name, the path in it, and the file."""
    # What is imported when it is wanted has no file until then, and asking for one would import it.
    files = {vars(module).get("__file__") for module in list(sys.modules.values())}
    for file in sorted(os.path.abspath(file) for file in files if file and file.endswith(".py")):
        for name, folder in folders.items():
            if file.startswith(f"{folder}/"):
                yield name, file[len(folder) + 1 :], Path(file)
