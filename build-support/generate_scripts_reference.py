"""Writes docs/reference/debian-scripts.md from the lists that say what maintainer scripts mean.

``PYTHONPATH=pants-plugins python build-support/generate_scripts_reference.py >
docs/reference/debian-scripts.md``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from ociwheel.debian.makers import MAKERS, TRIPLET
from ociwheel.debian.script_policy import ACCOUNTS, HARMLESS, IMITATED, READ, UNSHIPPED

_HEAD = """\
# What maintainer scripts of Debian packages would do

apt installs a package by unpacking it and running its scripts. The layers of a `debian_python_base` are
unpacked, and no script is run: any machine makes the base of any platform, and nothing of a package reaches
the machine that builds. Instead the step that unpacks a package follows its `config`, `preinst` and
`postinst` as a new installation would run them, those of the packages it depends on first: variables,
functions, conditions, loops, debconf's defaults and the files of the layer are taken into account, and
where a condition is not known, both ways are followed. A `postinst` is followed for its triggers too, where
another package of the layer has the files, or pulls them by name. The commands that are left are judged by
these lists.

What is on none of them is a note that names the package, the script and the command, printed once a run
with the images it belongs to and listed in their [report](report.md). Look what the command would do; add
what an image needs of it as files (`files_at`), and name the package in `accept_scripts` of the base.
[Bases beside what apt installs](debian-fidelity.md) compares both ways for ten sets of packages.
"""
_IMITATION = """\
## Imitated

On files and folders that are known before (of the layer, or made by the script), these do what they would
do:

{imitated}.

An owner is by name or number, a mode in digits or letters (`u+s`). `dpkg-statoverride --update --add`
sets both. What a `preinst` removes is what an older version left. `dpkg-divert` moves files of other
packages: one of a path that no other package of the layer has moves nothing. `update-alternatives`
chooses the highest priority of a name; links whose file is not in the image are not made. A certificate
bundle is made of the certificates, the loader's cache of the libraries. What goes to {unshipped} is
never in an image, but for owner and mode of what a package ships there. A command on what only a package
of another layer ships, or whose words are not known, is a note; so are capabilities of files (`setcap`).

## Accounts

{accounts} make the rows of `/etc/passwd` and `/etc/group`, and homes, that they would make on a Debian
system without further accounts, in the order of the scripts: `adduser --system` takes the first free
numbers from 100 on, `useradd -r`, `groupadd -r` and `systemd-sysusers` (with the names of files) the last
free ones up to 999. Daemons' accounts of every Debian system (`www-data`, `mail`, `adm` …) get their rows
once a script names them. Such a user can be the `user` of an image. There are no passwords: every account
is locked. What is of another form (an account of a person, an option that is not known), or may or may not
be run, is a note; for an account that every image has (root, nobody, nonroot) there is nothing to do.

## Made

These programs of the packages run, once, in a root of their own that holds the base's packages and nothing
else, without a network; what they make is a layer above the packages, the same bytes each time. On a
machine that cannot run programs of the image's platform, those of its own platform run, from the same lock:
what they make differs in the name of the folder of libraries alone. Only caches of fonts depend on the
width of pointers; for linux/arm/v7 there are none, with a note, and programs look through the fonts when
they start. A machine that gives no root of its own (not Linux, no namespaces), or a lock without that
machine's platform, is an error, never another image; `accept_scripts` with the name of the package does
without these files.

| package | program | made where there is | what is taken |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Harmless"
    yield ""
    yield "| about | commands |"
    yield "| --- | --- |"
    for about, commands in HARMLESS.items():
        yield f"| {about} | {_listed(commands)} |"
    yield ""
    words = {"imitated": IMITATED, "accounts": ACCOUNTS, "unshipped": UNSHIPPED}
    yield _IMITATION.format(**{key: _listed(names) for key, names in words.items()}).rstrip()
    for maker in MAKERS:
        cells = (
            " or ".join(maker.packages),
            f"`{maker.name}`",
            _plain(maker.reads),
            _plain(maker.makes or maker.stdout),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "## Read by people"
    yield ""
    yield "Scripts of these packages were read, and nothing is said of them. Names are patterns."
    yield ""
    yield "| packages | what their scripts are about |"
    yield "| --- | --- |"
    for pattern, about in READ.items():
        names = re.split(r"[|](?![^(]*[)])", pattern)
        yield f"| {', '.join(f'`{name}`' for name in names).replace('|', chr(92) + '|')} | {about} |"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _plain(pattern: str) -> str:
    return f"`/{pattern.replace(TRIPLET, '<triplet>').replace('|', chr(92) + '|')}`"


if __name__ == "__main__":
    sys.stdout.write(page())
