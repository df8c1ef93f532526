"""The ``NAME-config`` programs of a sysroot, answering as if their packages were installed below it.

This file runs on its own, as ``config_program.py SYSROOT TRIPLET PKG_CONFIG PROGRAM MODULE ARGUMENTS``:
PROGRAM is the target's own, or ``-``, and MODULE the pkg-config module of it, or ``-``.

A script of the shell is run, and what it prints is moved to the sysroot. Of libpq's, which is Perl, the table
is read that it prints from. A program of the target cannot be run: pkg-config answers in its place, and what
it has no answer for is an error, as is what a script does not know. Silence would be taken for an answer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

_HEAD = 64
_SHELL = re.compile(rb"#!\s*/bin/(?:ba|da)?sh\b")
_PERL = re.compile(rb"#!\s*/usr/bin/perl\b")
_ROW = re.compile(r"(?P<name>[A-Z_-]+) = ?(?P<value>.*)")
# A folder, alone or after a flag or a variable's name.
_FOLDER = re.compile(r"(^|[\s=:,\"']|-[ILBR]|-isystem)/usr(?=[/\s:,\"']|$)", re.MULTILINE)
# What pkg-config is asked for an option, and the folder that stands before an answer of its own.
_FLAGS = {
    "--cflags": "--cflags",
    "--cppflags": "--cflags",
    "--include": "--cflags",
    "--includes": "--cflags",
    "--ldflags": "--libs",
    "--libs": "--libs",
    "--libs_r": "--libs",
    "--version": "--modversion",
}
_VARIABLES = {"--includedir": "includedir", "--pkgincludedir": "includedir", "--libdir": "libdir"}
_PLACES = {"--prefix": "/usr", "--exec-prefix": "/usr", "--bindir": "/usr/bin"}


class UnknownOptionError(Exception):
    """An option that nothing here can answer truly."""


def moved(text: str, sysroot: str) -> str:
    """Return a text with the sysroot before each folder below ``/usr``."""
    return _FOLDER.sub(lambda match: f"{match[1]}{sysroot}/usr", text)


def run_script(script: str, arguments: list[str], sysroot: str, triplet: str) -> int:
    """Run a script of the shell, print what it prints, moved, and return its exit code."""
    env = {**os.environ, "DEB_HOST_MULTIARCH": triplet, "CC": os.environ.get("CC", f"{triplet}-cc")}
    done = subprocess.run(
        ["/bin/sh", script, *arguments], env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    sys.stdout.write(moved(done.stdout, sysroot))
    return done.returncode


def read_table(text: str) -> dict[str, str]:
    """Return the answers of Debian's ``pg_config`` by option: ``NAME = value`` lines after ``__DATA__``."""
    answers: dict[str, str] = {}
    for line in text.partition("\n__DATA__\n")[2].splitlines():
        match = _ROW.fullmatch(line)
        if match is None:
            break
        answers["--" + match["name"].lower()] = match["value"]
    return answers


def from_table(answers: dict[str, str], arguments: list[str]) -> list[str]:
    """Return what ``pg_config`` prints.

    :raises UnknownOptionError: an option is not in its table.
    """
    if not arguments:
        return [f"{option[2:].upper()} = {value}" for option, value in answers.items()]
    for argument in arguments:
        if argument not in answers:
            raise UnknownOptionError(argument)
    return [answers[argument] for argument in arguments]


def from_pkg_config(pkg_config: str, module: str, arguments: list[str], sysroot: str) -> list[str]:
    """Return what pkg-config knows of a module in place of a program that is not there, or cannot be run.

    :raises UnknownOptionError: an option has no answer.
    """
    lines = []
    for argument in arguments:
        if argument in _PLACES and module != "-":
            lines.append(sysroot + _PLACES[argument])
            continue
        if argument in _FLAGS and module != "-":
            question = _FLAGS[argument]
        elif argument in _VARIABLES and module != "-":
            question = f"--variable={_VARIABLES[argument]}"
        else:
            raise UnknownOptionError(argument)
        done = subprocess.run([pkg_config, question, module], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)
        lines.append(done.stdout.rstrip("\n"))
    return lines


def main(argv: list[str]) -> int:
    """Answer as the program whose path is the fourth argument."""
    sysroot, triplet, pkg_config, program, module = argv[1:6]
    arguments, head = argv[6:], b""
    if program != "-":
        with open(program, "rb") as file:
            head = file.read(_HEAD)
    if _SHELL.match(head):
        return run_script(program, arguments, sysroot, triplet)
    try:
        if _PERL.match(head):
            with open(program, encoding="utf-8", errors="replace") as table:
                lines = from_table(read_table(table.read()), arguments)
            lines = [moved(line, sysroot) for line in lines]
        else:
            lines = from_pkg_config(pkg_config, module, arguments, sysroot)
    except UnknownOptionError as e:
        name = os.path.basename(program) if program != "-" else module
        sys.stderr.write(
            f"{name}: {e} cannot be answered for {triplet}: the program is not run in a cross build\n"
        )
        return 1
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
