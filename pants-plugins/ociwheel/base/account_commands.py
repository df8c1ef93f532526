"""Commands that make system accounts, as orders: adduser, useradd, groupadd, usermod and systemd-sysusers.

What is not of their usual form, or makes accounts of people, is not known.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

_NOLOGIN = "/usr/sbin/nologin"
# Neither a colon nor a line end nor an option; adduser.conf(5), SYS_NAME_REGEX, is as wide.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_PATH = re.compile(r"/[^:\n%]*")
_NOGROUP = "nogroup"


@dataclass(frozen=True)
class NewGroup:
    """A group to make where it is not there."""

    name: str
    gid: int | None = None
    downward: bool = False
    """Whether the last free number is taken, not the first."""


@dataclass(frozen=True)
class NewUser:
    """A user to make where it is not there."""

    name: str
    uid: int | None = None
    group: str = ""
    """The primary group, which is there; else one of the user's name is made."""
    comment: str = ""
    home: str = ""
    shell: str = _NOLOGIN
    makes_home: bool = False
    downward: bool = False
    paired: bool = False
    """Whether a number is taken that is free as user and as group."""


@dataclass(frozen=True)
class Joined:
    """A user to be in groups."""

    user: str
    groups: tuple[str, ...]


Order = NewGroup | NewUser | Joined


@dataclass(frozen=True)
class _Options:
    """Options of a command, each by one name, and its other words."""

    values: Mapping[str, str]
    words: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.values

    def number(self, name: str) -> int | None:
        """Return a number; what is none is refused before."""
        return int(self.values[name]) if name in self.values else None


class _UnusualError(Exception):
    """A command is not of a form that is known."""


def orders(words: Sequence[str], sysusers: Mapping[str, str]) -> tuple[Order, ...] | None:
    """Return what a command asks for, ``None`` where that is not known.

    :param words: the command, its name first.
    :param sysusers: texts of ``/usr/lib/sysusers.d`` by name of the file.
    """
    name, rest = posixpath.basename(words[0]), list(words[1:])
    if name != "systemd-sysusers" and name not in _READERS:
        return None
    try:
        found = tuple(_sysusers(rest, sysusers) if name == "systemd-sysusers" else _READERS[name](rest))
    except _UnusualError:
        return None
    return found if all(map(_is_plain, found)) else None


def _is_plain(order: Order) -> bool:
    """Tell whether an order makes rows that hold together."""
    if isinstance(order, NewGroup):
        return _NAME.fullmatch(order.name) is not None
    if isinstance(order, Joined):
        return all(_NAME.fullmatch(one) for one in (order.user, *order.groups))
    texts = (order.home, order.shell)
    return (
        _NAME.fullmatch(order.name) is not None
        and not set(":\n") & set(order.comment)
        and all(not text or _PATH.fullmatch(text) for text in texts)
    )


def _read(rest: Sequence[str], flags: Mapping[str, str], valued: Mapping[str, str]) -> _Options:
    """Divide words into options and others.

    :param flags: options without a value, and the one name of each; ``valued`` likewise.
    :raises _UnusualError: another option, or a number that is none.
    """
    values: dict[str, str] = {}
    words: list[str] = []
    left = list(rest)
    while left:
        word = left.pop(0)
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif word in flags:
            values[flags[word]] = ""
        elif option in valued and (equals or left):
            values[valued[option]] = value if equals else left.pop(0)
        elif re.fullmatch(r"-[A-Za-z]{2,}", word):
            left[:0] = [f"-{letter}" for letter in word[1:]]
        else:
            raise _UnusualError(word)
    if any(not values[name].isdecimal() for name in ("uid", "gid") if name in values):
        raise _UnusualError
    return _Options(values, tuple(words))


def _flags(*names: str, **others: str) -> dict[str, str]:
    return {**{name: name.lstrip("-") for name in names}, **others}


_ADDUSER_FLAGS: Mapping[str, str] = {
    **_flags("--system", "--group", "--no-create-home"),
    **dict.fromkeys(
        ("--quiet", "--disabled-password", "--disabled-login", "--force-badname", "--allow-badname", "-q"), ""
    ),
    **dict.fromkeys(("--allow-bad-names", "--allow-all-names", "--debug", "--verbose"), ""),
}
_ADDUSER_VALUED: Mapping[str, str] = {
    **_flags("--home", "--shell", "--uid", "--gid", "--ingroup", "--comment"),
    "--gecos": "comment",
}


def _adduser(rest: Sequence[str]) -> Iterator[Order]:
    """Read adduser(8) and addgroup(8), which are one program."""
    options = _read(rest, _ADDUSER_FLAGS, _ADDUSER_VALUED)
    if len(options.words) == 2 and not options.has("group"):
        yield Joined(options.words[0], (options.words[1],))
        return
    # Without `--system`, it is for people, and asks them.
    if len(options.words) != 1 or not options.has("system") or options.has("gid"):
        raise _UnusualError
    own = options.has("group")
    if own and options.has("ingroup"):
        raise _UnusualError
    home = options.values.get("home", "")
    yield NewUser(
        options.words[0],
        uid=options.number("uid"),
        group="" if own else options.values.get("ingroup", _NOGROUP),
        comment=options.values.get("comment", "").partition(",")[0],
        home=home,
        shell=options.values.get("shell", _NOLOGIN),
        makes_home=not options.has("no-create-home"),
    )


def _addgroup(rest: Sequence[str]) -> Iterator[Order]:
    options = _read(rest, _ADDUSER_FLAGS, _flags("--gid"))
    if len(options.words) == 2:
        yield Joined(options.words[0], (options.words[1],))
    elif len(options.words) == 1 and options.has("system"):
        yield NewGroup(options.words[0], options.number("gid"))
    else:
        raise _UnusualError


_USERADD_FLAGS: Mapping[str, str] = {
    **dict.fromkeys(("-r", "--system"), "system"),
    **dict.fromkeys(("-m", "--create-home"), "create-home"),
    **dict.fromkeys(("-M", "--no-create-home"), ""),
    **dict.fromkeys(("-U", "--user-group"), "user-group"),
}
_USERADD_VALUED: Mapping[str, str] = {
    **dict.fromkeys(("-g", "--gid"), "group"),
    **dict.fromkeys(("-G", "--groups"), "groups"),
    **dict.fromkeys(("-d", "--home", "--home-dir"), "home"),
    **dict.fromkeys(("-s", "--shell"), "shell"),
    **dict.fromkeys(("-c", "--comment"), "comment"),
    **dict.fromkeys(("-u", "--uid"), "uid"),
}


def _useradd(rest: Sequence[str]) -> Iterator[Order]:
    options = _read(rest, _USERADD_FLAGS, _USERADD_VALUED)
    group = options.values.get("group", "")
    if len(options.words) != 1 or not options.has("system") or group.isdecimal():
        raise _UnusualError
    (name,) = options.words
    yield NewUser(
        name,
        uid=options.number("uid"),
        group="" if options.has("user-group") else group,
        comment=options.values.get("comment", ""),
        home=options.values.get("home", f"/home/{name}"),
        shell=options.values.get("shell", "/bin/sh"),
        makes_home=options.has("create-home"),
        downward=True,
    )
    if options.values.get("groups"):
        yield Joined(name, tuple(options.values["groups"].split(",")))


def _groupadd(rest: Sequence[str]) -> Iterator[Order]:
    flags = {**dict.fromkeys(("-r", "--system"), "system"), **dict.fromkeys(("-f", "--force"), "")}
    options = _read(rest, flags, dict.fromkeys(("-g", "--gid"), "gid"))
    if len(options.words) != 1 or not options.has("system"):
        raise _UnusualError
    yield NewGroup(options.words[0], options.number("gid"), downward=True)


def _usermod(rest: Sequence[str]) -> Iterator[Order]:
    flags = dict.fromkeys(("-a", "--append"), "append")
    options = _read(rest, flags, dict.fromkeys(("-G", "--groups"), "groups"))
    if len(options.words) != 1 or not (options.has("append") and options.values.get("groups")):
        raise _UnusualError
    yield Joined(options.words[0], tuple(options.values["groups"].split(",")))


_READERS: Mapping[str, Callable[[Sequence[str]], Iterator[Order]]] = {
    "adduser": _adduser,
    "addgroup": _addgroup,
    "useradd": _useradd,
    "groupadd": _groupadd,
    "usermod": _usermod,
}


def _sysusers(rest: Sequence[str], texts: Mapping[str, str]) -> Iterator[Order]:
    """Read systemd-sysusers(8) with names of files, whose lines are those of sysusers.d(5)."""
    if not rest or not all(name in texts for name in rest):
        raise _UnusualError
    rows = [row for name in rest for row in _lines(texts[name])]
    # Groups are made before users, whatever the order of lines.
    for kind, name, number, *_ in rows:
        if kind == "g":
            yield NewGroup(name, _numbered(number), downward=True)
    for kind, name, number, comment, home, shell in rows:
        if kind == "u":
            yield NewUser(
                name,
                uid=_numbered(number),
                comment=comment,
                home=home or "/",
                shell=shell or _NOLOGIN,
                downward=True,
                paired=True,
            )
    for kind, name, group, *_ in rows:
        if kind == "m":
            yield Joined(name, (group,))


def _numbered(text: str) -> int | None:
    if text in {"", "-"}:
        return None
    if not text.isdecimal():
        raise _UnusualError
    return int(text)


def _lines(text: str) -> Iterator[tuple[str, ...]]:
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            kind, *values = shlex.split(line)
        except ValueError:
            raise _UnusualError from None
        kind = kind.rstrip("!")  # u!: the account is locked, as all are here
        if kind not in {"u", "g", "m", "r"} or not values or len(values) > 5:
            raise _UnusualError
        plain = ["" if value == "-" and place > 1 else value for place, value in enumerate(values)]
        if kind != "r":
            yield (kind, *plain, *[""] * (5 - len(plain)))
