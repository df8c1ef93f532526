"""Does to a layer's entries what commands of maintainer scripts would do to files."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ociwheel.base.accounts import Accounts
from ociwheel.base.merge import merged_path
from ociwheel.base.modes import changed
from ociwheel.debian.follow import UNKNOWN, Call
from ociwheel.debian.script_policy import ACCOUNTS, HARMLESS, MADE, UNSHIPPED
from ociwheel.formats.entries import Entry

_HARMLESS = frozenset(name for names in HARMLESS.values() for name in names) | {"."}
_MODE = re.compile(r"0?([0-7]{3,4})")
_SYSUSERS = "usr/lib/sysusers.d"
_MOST_SYSUSERS = 1 << 16
_MOST_SHOWN = 90
# Options whose next word is theirs, by command.
_WITH_VALUE: Mapping[str, tuple[str, ...]] = {
    "mkdir": ("-m", "--mode"),
    "install": ("-m", "-o", "-g", "--mode", "--owner", "--group"),
    "dpkg-divert": ("--divert", "--package", "--admindir", "--instdir", "--root"),
}
_BOOKS = frozenset({"dpkg-divert", "dpkg-statoverride"})
_OF_OWNERS = frozenset({"chown", "chgrp", "chmod", "dpkg-statoverride"})

_Doer = Callable[[Mapping[str, str], Sequence[str]], bool]


@dataclass(frozen=True)
class Alternative:
    """One ``update-alternatives --install``."""

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...] = ()
    """Link, name and path of each."""


@dataclass
class Effects:
    """What the scripts of a layer's packages do, as one goes through them."""

    placed: Mapping[str, Entry]
    accounts: Accounts = field(default_factory=Accounts.on)
    made: dict[str, Entry] = field(default_factory=dict)
    """Entries to add, or to put in the place of those that are there, by path."""
    alternatives: list[Alternative] = field(default_factory=list)
    hidden: str = ""
    """The origin of entries that are not yet there."""

    def find(self, path: str) -> Entry | None:
        """Return what is at an absolute path."""
        plain = plain_path(path)
        found = self.made.get(plain) or self.placed.get(plain)
        return None if found is not None and self.hidden and found.origin == self.hidden else found

    def below(self, entry: Entry) -> list[Entry]:
        """Return an entry and what is below it."""
        start = f"{entry.path}/"
        paths = [path for path in {**self.placed, **self.made} if path.startswith(start)]
        return [entry, *(one for path in paths if (one := self.find(f"/{path}")) is not None)]

    def sysusers(self) -> dict[str, str]:
        """Return the texts of ``/usr/lib/sysusers.d`` by name of the file."""
        found: dict[str, str] = {}
        for path, entry in self.placed.items():
            folder, _, name = path.rpartition("/")
            if folder == _SYSUSERS and entry.kind == "file" and entry.size() <= _MOST_SYSUSERS:
                with entry.open() as stream:
                    found[name] = stream.read().decode(errors="replace")
        return found


def plain_path(path: str) -> str:
    """Return an absolute path as entries have it."""
    return merged_path(posixpath.normpath(path).lstrip("/"))


class Imitator:
    """Takes the calls of one script."""

    def __init__(self, effects: Effects, origin: str) -> None:
        self.effects = effects
        self.origin = origin
        self.unknown: list[str] = []

    def take(self, call: Call) -> None:
        """Do what a call would, or note that it is not known."""
        name = posixpath.basename(call.words[0])
        if name in MADE:
            return
        if name in _HARMLESS or call.words[0] in _HARMLESS:
            left = [path for path in call.writes if not _unshipped(path)]
            if left:
                self._say(call, f" > {left[0]}")
        elif name in ACCOUNTS:
            if not self._account(name, call):
                self._say(call)
        elif not self._imitate(name, call):
            self._say(call)

    def _say(self, call: Call, more: str = "") -> None:
        text = (shlex.join(call.words) + more).replace(f"'{UNKNOWN}'", "...").replace(UNKNOWN, "...")
        self.unknown.append(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")

    def _account(self, name: str, call: Call) -> bool:
        """Make an account, or tell that the command changes nothing: what it names is there, or is not."""
        accounts = self.effects.accounts
        known = [word for word in call.words[1:] if word in accounts.users or word in accounts.groups]
        if name in {"deluser", "delgroup"}:
            return not known
        if UNKNOWN in "".join(call.words) or not call.sure:
            return bool(known)
        homes = accounts.take(call.words, self.effects.sysusers())
        if homes is None:
            return bool(known) and not any(one in accounts.passwd for one in known)
        for home in homes:
            place = plain_path(home.path)
            if not _unshipped(f"{home.path}/"):
                self._put(Entry(place, "dir", 0o755, home.uid, home.gid, origin=self.origin))
        return True

    def _imitate(self, name: str, call: Call) -> bool:
        if name in {"ldconfig", "update-alternatives"}:
            return name == "ldconfig" or self._alternative(call)
        options, words = _options(name, call.words[1:])
        paths = [word for word in words if word.startswith(("/", UNKNOWN))]
        if paths and name not in _BOOKS and all(self._is_nowhere(name, path) for path in paths):
            return True
        loose: dict[str, _Doer] = {
            "rm": self._gone,
            "rmdir": self._gone,
            "unlink": self._gone,
            "sed": self._sed,
            "mv": self._mv,
            "dpkg-divert": self._divert,
        }
        if name == "dpkg-statoverride" and "--add" not in options:
            return True  # it asks, or forgets what was never told
        if name in loose:
            return loose[name](options, words)
        if not call.sure or not words or any(UNKNOWN in word for word in words):
            return False
        doers: dict[str, _Doer] = {
            "mkdir": self._mkdir,
            "install": self._install,
            "ln": self._ln,
            "cp": self._cp,
        }
        doers |= {"touch": self._touch, "chmod": self._chmod, "chown": self._chown, "chgrp": self._chgrp}
        doers |= {"ucf": self._cp, "dpkg-statoverride": self._override}
        return name in doers and doers[name](options, words)

    def _is_nowhere(self, name: str, path: str) -> bool:
        """Tell whether a path is of no image; owner and mode are done to what a package ships there."""
        return _unshipped(path) and not (name in _OF_OWNERS and UNKNOWN not in path and self._exists(path))

    def _exists(self, path: str) -> bool:
        return UNKNOWN in path or "*" in path or self.effects.find(path) is not None

    def _sed(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        in_place = any(one.startswith(("-i", "--in-place")) for one in options)
        return not in_place or not words or not self._exists(words[-1])

    def _mv(self, _options: Mapping[str, str], words: Sequence[str]) -> bool:
        return len(words) == 2 and not self._exists(words[0])

    def _gone(self, _options: Mapping[str, str], words: Sequence[str]) -> bool:
        return all(self._removed(path) for path in words)

    def _removed(self, path: str) -> bool:
        """Remove what a script made; what a package ships stays, and is not known."""
        # Before a new installation unpacks anything, there is only what an older version left.
        if self.effects.hidden:
            return True
        if UNKNOWN in path:
            return False
        plain = plain_path(path)
        if plain in self.effects.placed or (plain not in self.effects.made and self._exists(path)):
            return False
        self.effects.made.pop(plain, None)
        return True

    def _put(self, entry: Entry) -> bool:
        if self.effects.find(f"/{entry.path}") is None:
            self.effects.made[entry.path] = entry
        return True

    def _mkdir(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        mode = _MODE.fullmatch(options.get("-m", options.get("--mode", "0755")))
        if mode is None or not all(word.startswith("/") for word in words):
            return False
        return all(self._put(Entry(plain_path(w), "dir", int(mode[1], 8), origin=self.origin)) for w in words)

    def _install(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        user = options.get("-o", options.get("--owner", "root"))
        group = options.get("-g", options.get("--group", "root"))
        if self.effects.accounts.owner(f"{user}:{group}") is None:
            return False
        if "-d" in options:
            return self._mkdir(options, words) and self._owned(f"{user}:{group}", words)
        # A file that goes into a folder by its own name is told from a new name by `_cp` alone.
        place = self.effects.find(words[-1])
        name = posixpath.basename(words[0])
        made = f"{words[-1]}/{name}" if place is not None and place.kind == "dir" else words[-1]
        return self._cp(options, words) and self._owned(f"{user}:{group}", [made])

    def _ln(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        if "-s" not in options or len(words) != 2 or not words[1].startswith("/"):
            return False
        there = self.effects.find(words[1])
        link = words[1]
        if there is not None and there.kind == "dir":
            link = f"{link}/{posixpath.basename(words[0])}"
        return self._put(Entry(plain_path(link), "symlink", 0o777, target=words[0], origin=self.origin))

    def _cp(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        if len(words) != 2 or not all(word.startswith("/") for word in words):
            return False
        source, there = self.effects.find(words[0]), self.effects.find(words[1])
        if source is None or source.kind != "file":
            return False
        place = words[1]
        if there is not None and there.kind == "dir":
            place = f"{place}/{posixpath.basename(words[0])}"
        mode = _MODE.fullmatch(options.get("-m", f"{source.mode:o}"))
        if mode is None:
            return False
        return self._put(replace(source, path=plain_path(place), mode=int(mode[1], 8), origin=self.origin))

    def _touch(self, _options: Mapping[str, str], words: Sequence[str]) -> bool:
        if not all(word.startswith("/") for word in words):
            return False
        return all(
            self._put(Entry(plain_path(w), "file", 0o644, source=b"", origin=self.origin)) for w in words
        )

    def _chmod(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        return all(self._has_mode(words[0], path, deep=_is_deep(options)) for path in words[1:])

    def _has_mode(self, text: str, path: str, *, deep: bool = False) -> bool:
        found = self.effects.find(path)
        if found is None:
            return False
        for one in self.effects.below(found) if deep else [found]:
            mode = changed(text, one.mode, folder=one.kind == "dir")
            if mode is None:
                return False
            if one.kind != "symlink":
                self.effects.made[one.path] = replace(one, mode=mode)
        return True

    def _chown(self, options: Mapping[str, str], words: Sequence[str], *, group: bool = False) -> bool:
        # Folders below /usr/local are the group's that administers a machine; an image has nobody of it.
        if all(path.startswith("/usr/local/") for path in words[1:]):
            return True
        if "--reference" in options or "--from" in options:
            return False
        return self._owned(words[0], words[1:], deep=_is_deep(options), group=group)

    def _chgrp(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        return self._chown(options, words, group=True)

    def _owned(self, owner: str, paths: Sequence[str], *, deep: bool = False, group: bool = False) -> bool:
        numbers = self.effects.accounts.owner(owner, group=group)
        if numbers is None:
            return False
        uid, gid = numbers
        for path in paths:
            found = self.effects.find(path)
            if found is None and (uid or gid):
                return False
            for one in self.effects.below(found) if found is not None and deep else [found]:
                if one is not None and one.kind != "symlink":
                    # chown(2): "When the owner or group of an executable file is changed [...] the S_ISUID
                    # and S_ISGID mode bits are cleared."
                    plain = one.mode & 0o1777 if one.kind == "file" else one.mode
                    new = replace(
                        one, uid=one.uid if uid is None else uid, gid=one.gid if gid is None else gid
                    )
                    if (new.uid, new.gid) != (one.uid, one.gid):
                        self.effects.made[one.path] = replace(new, mode=plain)
        return True

    def _override(self, _options: Mapping[str, str], words: Sequence[str]) -> bool:
        """Take ``--update --add user group mode path``, dpkg-statoverride(1)."""
        if len(words) != 4 or self.effects.accounts.owner(f"{words[0]}:{words[1]}") is None:
            return False
        path = words[3]
        if self.effects.find(path) is None:
            return True  # "immediately change the [...] path to the new owner and mode if it exists"
        return self._owned(f"{words[0]}:{words[1]}", [path]) and self._has_mode(words[2], path)

    def _divert(self, options: Mapping[str, str], words: Sequence[str]) -> bool:
        """Tell whether a diversion moves nothing, dpkg-divert(1): it is of files of other packages alone."""
        if options.keys() & {"--remove", "--list", "--listpackage"}:
            return True
        if "--truename" in options:
            return True  # it asks, and is answered
        found = [None if UNKNOWN in path else self.effects.find(path) for path in words]
        known = bool(words) and not any(UNKNOWN in path for path in words)
        return known and all(entry is None or entry.origin == self.origin for entry in found)

    def _alternative(self, call: Call) -> bool:
        """Take ``--install link name path priority [--slave link name path]...``, update-alternatives(1)."""
        words = [word for word in call.words[1:] if word not in {"--quiet", "--force", "--verbose"}]
        if words[:1] != ["--install"]:
            return True  # it asks, or removes what an older version made
        if len(words) < 5 or any(UNKNOWN in word for word in words) or not _number(words[4]):
            return False
        slaves, rest = [], words[5:]
        while len(rest) >= 4 and rest[0] == "--slave":
            slaves.append((rest[1], rest[2], rest[3]))
            rest = rest[4:]
        made = Alternative(words[1], words[2], words[3], int(words[4]), tuple(slaves))
        self.effects.alternatives.append(made)
        return not rest


def _is_deep(options: Mapping[str, str]) -> bool:
    return "-R" in options or "--recursive" in options


def _number(text: str) -> bool:
    return text.lstrip("-").isdecimal()


def _unshipped(path: str) -> bool:
    return path.startswith(UNSHIPPED) or path in {UNKNOWN, f"{UNKNOWN}/{UNKNOWN}"}


def _options(name: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Divide the words of a command into options, each with its value, and others."""
    options: dict[str, str] = {}
    others: list[str] = []
    valued = _WITH_VALUE.get(name, ())
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return options, [*others, *rest]
        if not word.startswith("-") or word == "-":
            others.append(word)
        elif word in valued and rest:
            options[word] = rest.pop(0)
        elif word.startswith("--"):
            option, _, value = word.partition("=")
            options[option] = value
        elif f"-{word[1]}" in valued and len(word) > 2:
            options[word[:2]] = word[2:]
        else:
            options |= dict.fromkeys((f"-{letter}" for letter in word[1:]), "")
    return options, others
