"""Two installations of one lock, file by file: every difference is by a published rule, or a finding."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.elf.facts import ELF_MAGIC
from ociwheel.elf.strip import without_debug

RULES: Mapping[str, str] = {
    "bytecode": "`__pycache__`: made from the sources, or not at all",
    "commands": "the first line of scripts, and the text of a generated command that calls the same function",
    "debug-sections": "`.debug_*` sections of ELF files",
    "first-party": "the module that the image starts, `app.py`",
    "headers": "`<name>.data/headers`, C headers outside of `site-packages`",
    "installer": "`INSTALLER` names who installed; uv adds `REQUESTED` and `uv_cache.json`",
    "pip": "`bin/pip3.11`: installers name the command of pip after the Python too",
    "record": "lines of `RECORD` about files that differ by another rule",
    "venv": "what a virtual environment has of its own: `pyvenv.cfg`, `activate`, the links to Python",
}
"""By name, what may differ; the first of docs/reference/left-out.md are among them."""

_OF_VENV = re.compile(
    r"(?:pyvenv\.cfg|\.gitignore|CACHEDIR\.TAG|\.lock|lib64|bin/(?:activate.*|deactivate.*|pydoc\.bat|python[0-9.]*)"
    r"|lib/python[0-9.]+/site-packages/_virtualenv\.(?:py|pth))"
)
_OF_INSTALLER = re.compile(r".*\.dist-info/(?:INSTALLER|REQUESTED|uv_cache\.json|direct_url\.json)")
_CALLED = re.compile(rb"from ([\w.]+) import (\w+)")


@dataclass
class Comparison:
    """What was found."""

    files: int = 0
    equal: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    """What no rule explains, a line each."""


def compare(image: Path, venv: Path) -> Comparison:
    """Compare the environment of an image with a virtual environment that an installer filled.

    :param image: the folder `/app` of an unpacked image.
    """
    ours, theirs = _files(image), _files(venv)
    found = Comparison()
    for path in sorted(ours.keys() | theirs.keys()):
        found.files += 1
        one, other = ours.get(path), theirs.get(path)
        if one is not None and other is not None and _same(one, other):
            found.equal += 1
            continue
        rule = _rule(path, one, other, image, venv)
        if rule is None:
            found.findings.append(f"{path}: {_difference(one, other)}")
        else:
            found.by_rule[rule] += 1
    return found


def _files(folder: Path) -> dict[str, Path]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            found[path.relative_to(folder).as_posix()] = path
    return found


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return _executable(one) == _executable(other) and one.read_bytes() == other.read_bytes()


def _executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _difference(one: Path | None, other: Path | None) -> str:
    if one is None:
        return "the installer has it"
    if other is None:
        return "the image has it"
    if one.is_symlink() or other.is_symlink() or one.read_bytes() != other.read_bytes():
        return "another content"
    return f"mode {one.stat().st_mode & 0o777:o}, the installer's has {other.stat().st_mode & 0o777:o}"


_BY_PLACE: Mapping[str, re.Pattern[str]] = {
    "bytecode": re.compile(r"(?:.*/)?__pycache__/.*"),
    "venv": _OF_VENV,
    "installer": _OF_INSTALLER,
    "first-party": re.compile(r"lib/python[0-9.]+/site-packages/app\.py"),
    "headers": re.compile(r"include/.*"),
    "pip": re.compile(r"bin/pip3\.[0-9]+"),
}
_OF_INSTALLERS_ALONE = ("headers", "pip")


def _rule(path: str, one: Path | None, other: Path | None, image: Path, venv: Path) -> str | None:
    """Return the rule by which a file differs, None where there is none."""
    by_place = next((rule for rule, pattern in _BY_PLACE.items() if pattern.fullmatch(path)), None)
    if by_place is not None:
        return by_place if by_place not in _OF_INSTALLERS_ALONE or one is None else None
    if one is None or other is None or one.is_symlink() or other.is_symlink():
        return None
    if path.endswith(".dist-info/RECORD"):
        return "record" if _records_agree(path, one, other, image, venv) else None
    return _rule_of_content(path, one, other)


def _rule_of_content(path: str, one: Path, other: Path) -> str | None:
    ours, theirs = one.read_bytes(), other.read_bytes()
    if path.startswith("bin/") and _executable(one) and _executable(other):
        return "commands" if _one_command(ours, theirs) else None
    if ours.startswith(ELF_MAGIC) and _executable(one) == _executable(other):
        stripped = without_debug(io.BytesIO(theirs))
        if stripped is None:
            return None
        whole = b"".join(iter(lambda: stripped.read(1 << 20), b""))
        return "debug-sections" if whole == ours else None
    return None


def _one_command(ours: bytes, theirs: bytes) -> bool:
    """Tell whether two scripts are one but for the interpreter, or call the same function."""
    if _without_interpreter(ours) == _without_interpreter(theirs):
        return True
    called = _CALLED.search(ours), _CALLED.search(theirs)
    return called[0] is not None and called[1] is not None and called[0].groups() == called[1].groups()


def _without_interpreter(script: bytes) -> bytes:
    return script.partition(b"\n")[2] if script.startswith(b"#!") else script


def _rows(path: Path) -> dict[str, str]:
    return {row[0]: row[1] for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) if row}


def _records_agree(path: str, one: Path, other: Path, image: Path, venv: Path) -> bool:
    """Tell whether two RECORDs differ in nothing but in files that differ by a rule."""
    ours, theirs = _rows(one), _rows(other)
    folder = posixpath.dirname(posixpath.dirname(path))
    return all(
        _explained(posixpath.normpath(posixpath.join(folder, name)), image, venv)
        for name in _differing(ours, theirs)
    )


def _differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            yield name


def _explained(path: str, image: Path, venv: Path) -> bool:
    one, other = image / path, venv / path
    if path.endswith(".dist-info/RECORD"):
        return True
    if one.is_file() and other.is_file() and _same(one, other):
        # The same file with another line: a wheel whose RECORD has no hash of it.
        return True
    return (
        _rule(path, one if one.exists() else None, other if other.exists() else None, image, venv) is not None
    )
