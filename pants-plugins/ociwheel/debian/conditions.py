"""What is known before of a condition in a maintainer script: of a new installation, in a layer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from ociwheel.debian.follow import UNKNOWN
from ociwheel.formats.entries import Entry

# dpkg(1), --compare-versions: "lt le eq ne ge gt [...] treat an empty version as earlier than any version,
# and [...] lt-nl le-nl ge-nl gt-nl treat an empty version as later than any version".
_EARLIER = {"lt": True, "le": True, "ne": True, "eq": False, "ge": False, "gt": False, "<<": True, "<=": True}
_LATER = {"lt-nl": False, "le-nl": False, "ge-nl": True, "gt-nl": True}
_NUMBERS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-gt": operator.gt,
    "-ge": operator.ge,
    "-lt": operator.lt,
    "-le": operator.le,
}
_KINDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("-e", "-r", "-w"), ("file", "hardlink", "dir", "symlink")),
    **dict.fromkeys(("-h", "-L"), ("symlink",)),
    **dict.fromkeys(("-f", "-x", "-s"), ("file", "hardlink", "symlink")),
    "-d": ("dir",),
}
_DONE = frozenset(
    [
        *(":", "true", "echo", "printf", "cd", "umask", "mkdir", "ln", "chmod", "chown", "rm", "touch", "cp"),
        *("db_input", "db_go", "db_set", "db_version", "db_capb", "db_stop", "update-alternatives"),
        *("mountpoint", "adduser", "addgroup", "useradd", "groupadd", "systemd-sysusers"),
    ]
)


class Conditions:
    """Says how commands end that only ask, ``None`` where that is not known.

    :param find: what is at an absolute path.
    :param has_account: whether ``passwd`` or ``group`` has a name.
    """

    def __init__(self, find: Callable[[str], Entry | None], has_account: Callable[[str, str], bool]) -> None:
        self.find = find
        self.has_account = has_account

    def __call__(self, words: Sequence[str]) -> bool | None:
        """Return whether a command succeeds."""
        name, arguments = words[0], list(words[1:])
        if name in _DONE or name == "false":
            return name != "false"
        asked = {"[": self._bracket, "test": self._test, "dpkg": _versions, "getent": self._account}
        asked["id"] = self._user
        asked |= dict.fromkeys(("command", "which", "type"), self._which)
        asked["dpkg-statoverride"] = lambda words: False if "--list" in words else None
        return asked[name](arguments) if name in asked else None

    def _bracket(self, words: list[str]) -> bool | None:
        return self._test(words[:-1])

    def _account(self, words: list[str]) -> bool | None:
        asks = len(words) == 2 and words[0] in {"passwd", "group"} and UNKNOWN not in words[1]
        return self.has_account(*words) if asks else None

    def _user(self, words: list[str]) -> bool | None:
        """Take ``id [option] user``, id(1)."""
        names = [word for word in words if not word.startswith("-")]
        return self.has_account("passwd", names[0]) if len(names) == 1 and UNKNOWN not in names[0] else None

    def _which(self, words: list[str]) -> bool | None:
        return self._program(words[-1]) if words and UNKNOWN not in words[-1] else None

    def _program(self, name: str) -> bool:
        places = [name] if name.startswith("/") else [f"/usr/bin/{name}", f"/usr/sbin/{name}"]
        return any(self.find(place) for place in places)

    def _test(self, words: list[str]) -> bool | None:
        for joint in ("-o", "-a"):
            if joint in words[1:-1]:
                at = words.index(joint, 1)
                return _joined(joint == "-o", self._test(words[:at]), self._test(words[at + 1 :]))
        if words[:1] == ["!"]:
            inner = self._test(words[1:])
            return None if inner is None else not inner
        if len(words) == 3:
            return _compared(*words)
        if any(UNKNOWN in word for word in words):
            return None
        return self._one(words)

    def _one(self, words: list[str]) -> bool | None:
        match words:
            case []:
                return False
            case [value] | ["-n", value]:
                return bool(value)
            case ["-z", value]:
                return not value
            case [kind, path] if kind in _KINDS and path.startswith("/"):
                found = self.find(path)
                return found is not None and found.kind in _KINDS[kind]
        return None


def _versions(words: list[str]) -> bool | None:
    """Compare the version before, which is none, with another."""
    asks = len(words) == 4 and words[:2] == ["--compare-versions", ""]
    return (_EARLIER | _LATER).get(words[2]) if asks else None


def _joined(decides: bool, left: bool | None, right: bool | None) -> bool | None:
    if decides in (left, right):
        return decides
    return None if None in (left, right) else not decides


def _compared(left: str, name: str, right: str) -> bool | None:
    same = {"=": True, "==": True, "!=": False}
    if name in same:
        known = left == right or not (UNKNOWN in left or UNKNOWN in right)
        return (left == right) is same[name] if known else None
    numbers = left.lstrip("-").isdecimal() and right.lstrip("-").isdecimal()
    return _NUMBERS[name](int(left), int(right)) if numbers and name in _NUMBERS else None
