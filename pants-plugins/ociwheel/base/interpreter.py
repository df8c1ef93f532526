"""A Python that runs from any folder: Debian's, started through its own loader and libraries.

``usr/bin/python3`` is a script for ``/bin/sh``, so the program that the kernel starts needs nothing
of this tree's libc. It hands the path it was called by to the interpreter (``--argv0``), which
therefore finds its prefix, and a virtual environment's, as it always does, and gives the script's
path as ``sys.executable``: subprocesses work as well.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ociwheel
from ociwheel import process
from ociwheel.base.merge import merge
from ociwheel.base.tree import file_tree, write_tree
from ociwheel.base.venv import PROGRAM_FOLDER, write_script
from ociwheel.debian.policy import DROPPED_PATHS, DROPPED_STDLIB, STDLIB
from ociwheel.errors import BaseError, ToolError
from ociwheel.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ociwheel.debian.deb import Package
    from ociwheel.formats.entries import Entry
    from ociwheel.target import Target

_DROPPED = re.compile(
    "|".join([*DROPPED_PATHS, rf"{STDLIB}(?:{'|'.join(DROPPED_STDLIB)})(?:/.*)?", r"(?!usr/lib).*"])
)

_SHIM = """\
#!/bin/sh
# Starts the Python of this folder through the loader and the libraries that came with it.
case $0 in
    */*) here=${{0%/*}} ;;
    *) here=. ;;
esac
root=$here/../..
# In a virtual environment this script, or a link to it, finds the way back as Python does (PEP 405).
[ -f "$root/{loader}" ] || while read -r key equals value; do
    [ "$key" = home ] && root=$value/../..
done <"$here/../pyvenv.cfg"
exec "$root/{loader}" --inhibit-cache --library-path "$root/usr/lib/{triplet}:$root/usr/lib" \\
    --argv0 "$0" "$root/{program}" "$@"
"""

# Runs under the unpacked Python. The backend gives each step what it imports, and reads this import too.
_COMPILE = """\
import os, sys
sys.path.insert(0, sys.argv[1])
from ociwheel.layer.bytecode import NotCompilable, compile_source, pyc_path
root = sys.argv[2]
for folder, folders, names in os.walk(os.path.join(root, sys.argv[3])):
    folders.sort()
    for name in sorted(n for n in names if n.endswith(".py")):
        place = os.path.relpath(os.path.join(folder, name), root)
        with open(os.path.join(root, place), "rb") as file:
            data = file.read()
        try:
            code = compile_source(data, place)
        except NotCompilable:
            continue
        target = os.path.join(root, pyc_path(place, sys.implementation.cache_tag))
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        with open(target, "wb") as file:
            file.write(code)
        os.chmod(target, 0o644)
        os.chmod(os.path.dirname(target), 0o755)
"""


def write_interpreter(packages: Iterable[Package], target: Target, output: Path) -> None:
    """Write the tree below ``output``, with bytecode where this machine can run it.

    :param target: of the machine that will run it.
    :raises BaseError: the packages have no Python of the target's version, or no loader.
    """
    row, minor = target.platform, target.python_minor
    packages = tuple(packages)
    source, program = f"usr/bin/python{minor}", f"{PROGRAM_FOLDER}/python{minor}"
    placed = merge(packages, lambda path: path != source and _DROPPED.fullmatch(path) is not None)
    loader = file_tree(placed).resolve(f"usr{row.loader}")
    if source not in placed or loader is None:
        missing = row.loader if loader is None else f"/{source}"
        raise BaseError(
            f"the packages have no {missing}", details=[f"{p.name} {p.version}" for p in packages]
        )
    placed[program] = placed.pop(source)
    placed = {path: item for path, item in placed.items() if item.kind != "dir"}
    finish_interpreter(placed, row, minor, loader, output)


def finish_interpreter(
    placed: Mapping[str, Entry], row: Platform, minor: str, loader: str, output: Path
) -> None:
    """Write the tree, the scripts that start it, and bytecode where this machine can run it.

    :param placed: files and links; the program is ``python{minor}`` in :data:`PROGRAM_FOLDER`.
    :param loader: path of the dynamic loader in the tree.
    """
    program = f"{PROGRAM_FOLDER}/python{minor}"
    write_tree(placed, output)
    _write_shims(output, row, minor, loader, program)
    if sys.platform == "linux" and os.uname().machine == row.machine:
        _compile(output, minor)
    else:
        sys.stderr.write(f"note: no bytecode: this machine does not run {row.oci}\n")


def _write_shims(output: Path, row: Platform, minor: str, loader: str, program: str) -> None:
    folder = output / "usr/bin"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for name in ("python", "python3", f"python{minor}"):
        write_script(folder / name, _SHIM.format(loader=loader, triplet=row.triplet, program=program))


def _compile(output: Path, minor: str) -> None:
    core = Path(ociwheel.__file__).absolute().parents[1]
    root = output.absolute()
    argv = [str(root / "usr/bin/python3"), "-I", "-S", "-B", "-X", "utf8", "-c", _COMPILE]
    done = process.run([*argv, str(core), str(root), f"usr/lib/python{minor}"], env={})
    if done.returncode:
        raise ToolError("the unpacked Python does not run on this machine", details=done.tail())
