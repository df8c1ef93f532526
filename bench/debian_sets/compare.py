"""The root of an image beside that of `mmdebstrap`: each difference is by a published rule, or a finding."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.installed.compare import Comparison
from ociwheel.base.deb_layer import is_dropped
from ociwheel.base.merge import merged_path

RULES: Mapping[str, str] = {
    "bytecode": "`__pycache__`: made from the sources, or not at all",
    "certificates": "the bundle is there; its parts, their names by hash and the choice of them are not",
    "essential": "files of packages that images have none of (dpkg, perl, a shell, login), links to them",
    "font caches": "caches of fonts: they hold the times of folders, which are those of the image",
    "left out": "paths of `DROPPED_PATHS`: manuals, headers, translations, static libraries and so on",
    "loader": "`/etc/ld.so.cache` and the program that prints it: of the libraries that are there",
    "of an image": "what images have of their own: users, folders, links of merged `/usr`, `/app`, `status`",
    "of a system": "what is made for one machine: accounts and logins, its name, its time zone, locales",
    "package tools": "books of dpkg, apt, debconf, alternatives and ucf; logs",
    "services": "links of services and what they are started by",
}
"""By name, what may differ."""

_RULES: Mapping[str, tuple[str, ...]] = {
    "bytecode": (r"(?:.*/)?__pycache__/.*",),
    "certificates": (
        r"etc/ssl/certs/.*",
        r"etc/ca-certificates(?:\.conf.*|/.*)?",
        r"usr/(?:local/)?share/ca-certificates/.*",
        r"usr/lib/ssl/.*|etc/ssl/openssl\.cnf",
    ),
    "font caches": (r"var/cache/fontconfig/.*",),
    "loader": (r"etc/ld\.so\.cache|usr/sbin/ldconfig",),
    "of an image": (
        r"app/.*|var/lib/dpkg/status\.d/.*|etc/nsswitch\.conf",
        r"(?:bin|sbin|lib(?:32|64|x32)?)",
    ),
    "package tools": (
        r"var/lib/(?:dpkg|apt|ucf|pam|systemd|python|misc|xml-core|sgml-base)/.*|var/lib/shells\.state",
        r"var/(?:cache/(?:apt|debconf|ldconfig)|backups|log)/.*",
        r"etc/(?:apt|dpkg)/.*|etc/alternatives/(?:README|.*\.gz)",
    ),
    "services": (r"etc/(?:rc[0-9S]\.d|systemd|init\.d)/.*|(?:usr/)?lib/systemd/.*",),
    "of a system": (
        r"etc/(?:passwd|group|g?shadow|subuid|subgid)-?|etc/(?:hostname|hosts|resolv\.conf|machine-id)",
        r"etc/(?:fstab|inputrc|pam\.d/common-.*|security/opasswd|python3/debian_config)",
        r"etc/(?:localtime|timezone|environment|motd|shells|\.pwd\.lock|networks|profile|locale.*|mtab)",
        r"etc/default/locale|(?:root|dev|proc|sys|run|home|boot|media|mnt|opt|srv|tmp)/.*",
        r"var/(?:run|lock|spool/mail|local|mail)",
    ),
}
_COMPILED = {name: re.compile("|".join(patterns)) for name, patterns in _RULES.items()}


def compare(image: Path, system: Path, packages: frozenset[str]) -> Comparison:
    """Compare an unpacked image with a system that `mmdebstrap` made.

    :param packages: those of the image.
    """
    ours, theirs = _files(image), _files(system)
    others, known = _owned(system, packages)
    found = Comparison()
    for path in sorted(ours.keys() | theirs.keys()):
        found.files += 1
        one, other = ours.get(path), theirs.get(path)
        if one is not None and one == other and _content(image / path) == _content(system / path):
            found.equal += 1
            continue
        in_other = path in others and path not in known
        if one is None and other is not None and other.startswith("link "):
            end = _end(path, theirs)
            in_other |= end not in ours and (end not in known or is_dropped(end))
        rule = _rule(path, in_image=one is not None, in_other=in_other)
        if rule is None:
            found.findings.append(_difference(path, one, other))
        else:
            found.by_rule[rule] += 1
    return found


def _rule(path: str, *, in_image: bool, in_other: bool) -> str | None:
    if not in_image and is_dropped(path):
        return "left out"
    if not in_image and in_other:
        return "essential"
    return next((name for name, pattern in _COMPILED.items() if pattern.fullmatch(path)), None)


def _difference(path: str, one: str | None, other: str | None) -> str:
    if one is None:
        return f"{path}: only mmdebstrap has it ({other})"
    if other is None:
        return f"{path}: only the image has it ({one})"
    if one == other:
        return f"{path}: another content"
    return f"{path}: {one} in the image, {other} by mmdebstrap"


def _end(path: str, files: Mapping[str, str]) -> str:
    """Return where a link leads to in the end."""
    for _ in range(10):
        what = files.get(path, "")
        if not what.startswith("link "):
            break
        path = what.removeprefix("link ")
    return path


def _files(folder: Path) -> dict[str, str]:
    """Return what is at each path but folders: kind, mode, and where a link leads."""
    found = {}
    for path, row in _walk(str(folder), ""):
        if stat.S_ISLNK(row.st_mode):
            target = os.readlink(folder / path)
            found[path] = f"link {_normal(path, target)}"
        elif stat.S_ISREG(row.st_mode):
            found[path] = f"file {stat.S_IMODE(row.st_mode):o} {row.st_uid}:{row.st_gid}"
    return found


def _normal(path: str, target: str) -> str:
    """Return where a link leads, in one form: as the two were merged into ``/usr`` differently."""
    if target.startswith("/"):
        return merged_path(os.path.normpath(target).lstrip("/"))
    end = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return merged_path(end)


def _walk(top: str, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(os.path.join(top, folder)) as entries:
        rows = sorted(entries, key=lambda entry: entry.name)
    for entry in rows:
        path = f"{folder}/{entry.name}" if folder else entry.name
        yield path, entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(top, path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def _owned(system: Path, packages: frozenset[str]) -> tuple[set[str], set[str]]:
    """Return the paths of packages that the image has none of, and those of its own packages."""
    others: set[str] = set()
    known: set[str] = set()
    for path in (system / "var/lib/dpkg/info").glob("*.list"):
        name = path.name.removesuffix(".list").partition(":")[0]
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        paths = {merged_path(line.lstrip("/")) for line in lines}
        if name in packages:
            known |= paths
        else:
            others |= paths
    return others, known
