"""What maintainer scripts would do to an image: what of it is imitated, and what nobody knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ociwheel.base.imitate import Effects, Imitator
from ociwheel.debian.conditions import Conditions
from ociwheel.debian.deb import Package
from ociwheel.debian.follow import Follower
from ociwheel.debian.script_policy import READ_PATTERN
from ociwheel.debian.shell import ShellError
from ociwheel.formats.entries import Entry

# Debian Policy 6.5: a new installation calls these with those words; the version before is none.
CALLED: Mapping[str, tuple[str, ...]] = {"preinst": ("install",), "postinst": ("configure", "")}
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
    accounts: Collection[str],
    accepted: Collection[str] = (),
) -> tuple[Effects, tuple[Unknown, ...]]:
    """Follow the scripts of a layer's packages.

    :param placed: the layer's entries by path.
    :param accounts: names of users and groups that every image has.
    :param accepted: packages of which somebody has said that what their scripts do is not needed.
    :returns: what is imitated, and what nobody knows.
    """
    effects = Effects(placed)
    unknown: list[Unknown] = []
    for package in packages:
        if READ_PATTERN.fullmatch(package.name):
            continue
        for script in CALLED:
            if script in package.scripts:
                what = _follow(package, script, effects, accounts)
                if what and package.name not in accepted:
                    unknown.append(Unknown(package.name, package.version, script, what))
    return effects, tuple(unknown)


def _follow(package: Package, script: str, effects: Effects, accounts: Collection[str]) -> tuple[str, ...]:
    text = package.scripts[script]
    if not _SHELL.match(text):
        return (f"it is no shell script ({text.partition(chr(10))[0][:40] or 'empty'})",)
    variables = {
        "DPKG_MAINTSCRIPT_NAME": script,
        "DPKG_MAINTSCRIPT_PACKAGE": package.name,
        "DPKG_MAINTSCRIPT_ARCH": package.architecture,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    # A preinst runs before its package is unpacked.
    effects.hidden = f"{package.name} {package.version}" if script == "preinst" else ""
    imitator = Imitator(effects, accounts, f"{package.name} {package.version}")
    follower = Follower(
        Conditions(effects.find, accounts),
        variables,
        defaults(package.scripts.get("templates", "")),
        imitator.take,
    )
    try:
        follower.follow(text, CALLED[script])
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
