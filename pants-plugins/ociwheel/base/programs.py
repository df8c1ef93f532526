"""Programs that builds call, such as ``make``, ``sed`` and ``cargo``: Debian's, running from any folder.

As with the interpreter, what stands in ``usr/bin`` are scripts that start the real program through the
loader and the libraries that came with it: a build neither needs them installed nor takes the machine's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ociwheel.base.merge import merge
from ociwheel.base.tree import file_tree, write_tree
from ociwheel.base.venv import PROGRAM_FOLDER, write_script
from ociwheel.debian.policy import DROPPED_PATHS
from ociwheel.errors import BaseError
from ociwheel.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ociwheel.debian.deb import Package

# The utilities of POSIX, and those of GNU's beside them, that configure scripts and makefiles call.
UTILITIES = (
    *("[", "basename", "cat", "chmod", "chown", "cksum", "cmp", "comm", "cp", "csplit", "cut", "date"),
    *("dd", "diff", "dirname", "du", "echo", "env", "expand", "expr", "false", "find", "fold", "grep"),
    *("head", "id", "install", "join", "link", "ln", "logname", "ls", "mawk", "md5sum", "mkdir", "mkfifo"),
    *("mktemp", "mv", "nice", "nl", "nohup", "nproc", "od", "paste", "pathchk", "pr", "printenv"),
    *("printf", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq", "sha1sum", "sha256sum"),
    *("sha512sum", "sleep", "sort", "split", "stat", "stdbuf", "sum", "tac", "tail", "tee", "test"),
    *("timeout", "touch", "tr", "true", "truncate", "tsort", "tty", "uname", "unexpand", "uniq", "unlink"),
    *("wc", "who", "whoami", "xargs", "yes"),
)
PROGRAMS = ("bash", "bwrap", "cargo", "dash", "gzip", "make", "rustc", "tar", *UTILITIES)
# Shell scripts that call the program beside them.
SCRIPTS = ("egrep", "fgrep", "gunzip", "zcat")
# What Debian's maintainer scripts make links of.
OTHER_NAMES = {"dash": ("sh",), "mawk": ("awk",)}

_DROPPED = re.compile(
    "|".join(
        [
            *DROPPED_PATHS,
            rf"(?!usr/lib/|usr/lib64/|usr/bin/(?:{'|'.join(map(re.escape, (*PROGRAMS, *SCRIPTS)))})$).*",
            r"usr/lib/[^/]+/(?:gconv|krb5|sasl2|engines-[^/]+|ossl-modules|perl[^/]*)(?:/.*)?",
        ]
    )
)
_SHIM = """\
#!/bin/sh
# Starts a program of this folder through the loader and the libraries that came with it.
root=${{0%/*}}/../..
exec "$root/{loader}" --inhibit-cache --library-path "$root/usr/lib/{triplet}:$root/usr/lib" \\
    --argv0 "$0" "$root/{program}" "$@"
"""


def write_programs(packages: Iterable[Package], row: Platform, output: Path) -> None:
    """Write the tree below ``output``: programs of :data:`PROGRAMS` with what they load.

    :param row: the machine that will run them.
    :raises BaseError: the packages have no such program, or no loader.
    """
    packages = tuple(packages)
    placed = merge(packages, lambda path: _DROPPED.fullmatch(path) is not None)
    loader = file_tree(placed).resolve(f"usr{row.loader}")
    found = [name for name in PROGRAMS if f"usr/bin/{name}" in placed]
    if loader is None or not found:
        missing = row.loader if loader is None else "program that builds call"
        raise BaseError(
            f"the packages have no {missing}", details=[f"{p.name} {p.version}" for p in packages]
        )
    for name in found:
        placed[f"{PROGRAM_FOLDER}/{name}"] = placed.pop(f"usr/bin/{name}")
    write_tree({path: item for path, item in placed.items() if item.kind != "dir"}, output)
    folder = output / "usr/bin"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for name in found:
        text = _SHIM.format(loader=loader, triplet=row.triplet, program=f"{PROGRAM_FOLDER}/{name}")
        for called in (name, *OTHER_NAMES.get(name, ())):
            write_script(folder / called, text)
