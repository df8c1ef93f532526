"""What maintainer scripts would do to an image: what of it is imitated, and what nobody knows."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ociwheel.base.accounts import Accounts
from ociwheel.base.imitate import Effects, Imitator, plain_path
from ociwheel.debian.conditions import Conditions
from ociwheel.debian.deb import Package
from ociwheel.debian.follow import Follower
from ociwheel.debian.script_policy import READ_PATTERN
from ociwheel.debian.shell import ShellError
from ociwheel.formats.entries import Entry
from ociwheel.layer.packages import deb_row

# Debian Policy 6.5 and debconf-devel(7): a new installation calls these with those words; the version before
# is none.
CALLED: Mapping[str, tuple[str, ...]] = {
    "config": ("configure", ""),
    "preinst": ("install",),
    "postinst": ("configure", ""),
}
_SHELL = re.compile(r"#! ?/(?:usr/)?bin/(?:env )?(?:sh|bash|dash)\b")
_SHOWN = 3


@dataclass(frozen=True)
class Unknown:
    """What one script does that is not known."""

    package: str
    version: str
    script: str
    what: tuple[str, ...]

    def note(self) -> str:
        """Return it for people."""
        shown = "; ".join(self.what[:_SHOWN])
        more = f" and {len(self.what) - _SHOWN} more" if len(self.what) > _SHOWN else ""
        return (
            f"{self.package} {self.version}: its {self.script} is not run, and nothing here does what it "
            f"would: {shown}{more}; add what an image needs of it as files, then name {self.package} in "
            "accept_scripts of the base"
        )


def effects_of(
    packages: Sequence[Package],
    placed: Mapping[str, Entry],
    accounts: Accounts,
    accepted: Collection[str] = (),
) -> tuple[Effects, tuple[Unknown, ...]]:
    """Follow the scripts of a layer's packages, those of what a package depends on before its own.

    :param placed: the layer's entries by path.
    :param accounts: users and groups, to which scripts add.
    :param accepted: packages of which somebody has said that what their scripts do is not needed.
    :returns: what is imitated, and what nobody knows.
    """
    effects = Effects(placed, accounts)
    unknown: list[Unknown] = []
    for package in in_order(packages):
        if READ_PATTERN.fullmatch(package.name):
            continue
        questions = defaults(package.scripts.get("templates", ""))
        for script, words in CALLED.items():
            if script not in package.scripts:
                continue
            calls = [words]
            fired = pulled(package, packages, placed) if script == "postinst" else ()
            if fired:
                calls.append(("triggered", " ".join(fired)))
            found = (one for call in calls for one in _follow(package, script, call, effects, questions))
            what = tuple(dict.fromkeys(found))
            if what and package.name not in accepted:
                unknown.append(Unknown(package.name, package.version, script, what))
    return effects, tuple(sorted(unknown, key=lambda one: one.package))


def in_order(packages: Sequence[Package]) -> list[Package]:
    """Return packages in the order in which dpkg configures them: dependencies first, else by name.

    Of packages that depend on each other, the first by name waits for the others.
    """
    by_name = {package.name: package for package in sorted(packages, key=lambda one: one.name)}
    placed: dict[str, Package] = {}
    entered: set[str] = set()
    for start in by_name:
        stack = [(start, False)]
        while stack:
            name, done = stack.pop()
            if done:
                placed[name] = by_name[name]
            elif name not in entered:
                entered.add(name)
                stack.append((name, True))
                needed = sorted(by_name.keys() & deb_row(by_name[name].control)["requires"], reverse=True)
                stack += [(one, False) for one in needed if one not in entered]
    return list(placed.values())


def pulled(package: Package, packages: Sequence[Package], placed: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return the triggers of a package that others pull, deb-triggers(5): by a file there, or by name.

    :param placed: the layer's entries by path.
    """
    wanted = _triggers(package, "interest")
    if not wanted:
        return ()
    named = {name for one in packages if one is not package for name in _triggers(one, "activate")}
    own = f"{package.name} {package.version}"
    there: set[str] = set()
    for place, entry in placed.items():
        path = "" if entry.origin == own or entry.kind == "dir" else place
        while path and path not in there:
            there.add(path)
            path = posixpath.dirname(path)
    return tuple(
        name for name in wanted if name in named or (name.startswith("/") and plain_path(name) in there)
    )


def _triggers(package: Package, directive: str) -> tuple[str, ...]:
    lines = (line.split() for line in package.scripts.get("triggers", "").splitlines())
    kinds = (directive, f"{directive}-await", f"{directive}-noawait")
    return tuple(words[1] for words in lines if len(words) == 2 and words[0] in kinds)


def _follow(
    package: Package, script: str, words: tuple[str, ...], effects: Effects, questions: dict[str, str]
) -> tuple[str, ...]:
    text = package.scripts[script]
    if not _SHELL.match(text):
        return (f"it is no shell script ({text.partition(chr(10))[0][:40] or 'empty'})",)
    variables = {
        "DPKG_MAINTSCRIPT_NAME": script,
        "DPKG_MAINTSCRIPT_PACKAGE": package.name,
        "DPKG_MAINTSCRIPT_ARCH": package.architecture,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # A preinst runs before its package is unpacked, and a config before that.
    effects.hidden = f"{package.name} {package.version}" if script != "postinst" else ""
    imitator = Imitator(effects, f"{package.name} {package.version}")
    follower = Follower(Conditions(effects.find, effects.accounts.has), variables, questions, imitator.take)
    try:
        follower.follow(text, words)
    except ShellError as e:
        return (f"it could not be read: {e}",)
    return tuple(dict.fromkeys(imitator.unknown))


def defaults(templates: str) -> dict[str, str]:
    """Return the defaults of debconf's questions, debconf-devel(7)."""
    found: dict[str, str] = {}
    for stanza in re.split(r"\n\s*\n", templates):
        fields = dict(re.findall(r"^(Template|Default): ?(.*)$", stanza, re.MULTILINE))
        if "Template" in fields:
            found[fields["Template"].strip()] = fields.get("Default", "").strip()
    return found
