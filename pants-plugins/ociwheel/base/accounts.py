"""Users and groups of an image: those of every Debian system, and those that maintainer scripts make.

Numbers are those that Debian's programs give on a system without further accounts, one script after another.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ociwheel.base.account_commands import NewGroup, NewUser, Order, orders
from ociwheel.image.users import GROUPS, USERS, numbers_of

# adduser.conf(5): FIRST_SYSTEM_UID and LAST_SYSTEM_UID; useradd and systemd-sysusers go down from the last.
_FIRST, _LAST = 100, 999
_NOLOGIN = "/usr/sbin/nologin"
_NOWHERE = "/nonexistent"

# base-passwd's passwd.master and group.master, the same in every release: packages count on them.
_MASTER = f"""\
daemon:x:1:1:daemon:/usr/sbin:{_NOLOGIN}
bin:x:2:2:bin:/bin:{_NOLOGIN}
sys:x:3:3:sys:/dev:{_NOLOGIN}
games:x:5:60:games:/usr/games:{_NOLOGIN}
man:x:6:12:man:/var/cache/man:{_NOLOGIN}
lp:x:7:7:lp:/var/spool/lpd:{_NOLOGIN}
mail:x:8:8:mail:/var/mail:{_NOLOGIN}
news:x:9:9:news:/var/spool/news:{_NOLOGIN}
uucp:x:10:10:uucp:/var/spool/uucp:{_NOLOGIN}
proxy:x:13:13:proxy:/bin:{_NOLOGIN}
www-data:x:33:33:www-data:/var/www:{_NOLOGIN}
backup:x:34:34:backup:/var/backups:{_NOLOGIN}
list:x:38:38:Mailing List Manager:/var/list:{_NOLOGIN}
irc:x:39:39:ircd:/run/ircd:{_NOLOGIN}
"""
_MASTER_GROUPS: Mapping[str, int] = {
    row.partition(":")[0]: int(row.partition(":")[2])
    for row in [
        "daemon:1",
        "bin:2",
        "sys:3",
        "adm:4",
        "disk:6",
        "lp:7",
        "mail:8",
        "news:9",
        "uucp:10",
        "man:12",
        "proxy:13",
        "kmem:15",
        "dialout:20",
        "fax:21",
        "voice:22",
        "cdrom:24",
        "floppy:25",
        "tape:26",
        "sudo:27",
        "audio:29",
        "dip:30",
        "www-data:33",
        "backup:34",
        "operator:37",
        "list:38",
        "irc:39",
        "src:40",
        "shadow:42",
        "utmp:43",
        "video:44",
        "sasl:45",
        "plugdev:46",
        "games:60",
        "users:100",
    ]
}


@dataclass(frozen=True)
class Home:
    """A folder that a new user owns."""

    path: str
    uid: int
    gid: int


@dataclass
class Accounts:
    """The users and groups that scripts see, and the rows that they add to those of every image."""

    users: dict[str, tuple[int, int]] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    passwd: dict[str, str] = field(default_factory=dict)
    """Rows by name, in order."""
    group: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def on(below: Mapping[str, Sequence[str]] | None = None) -> Accounts:
        """Return those of a system with base-passwd, and of the layers below.

        :param below: ``accounts`` of the documents of layers: rows of ``passwd`` and ``group``.
        """
        master, _ = numbers_of(_MASTER.splitlines(), ())
        made = Accounts({**master, **USERS}, {**_MASTER_GROUPS, **GROUPS})
        users, groups = numbers_of((below or {}).get("passwd", ()), (below or {}).get("group", ()))
        made.users |= users
        made.groups |= groups
        made.passwd |= {row.partition(":")[0]: row for row in (below or {}).get("passwd", ())}
        made.group |= {row.partition(":")[0]: row for row in (below or {}).get("group", ())}
        return made

    def has(self, database: str, name: str) -> bool:
        """Tell whether there is an account.

        :param database: ``passwd`` or ``group``, as ``getent`` has it.
        """
        return name in (self.users if database == "passwd" else self.groups)

    def rows(self) -> dict[str, list[str]]:
        """Return the rows that an image has because of scripts; empty where there are none."""
        found = {"passwd": list(self.passwd.values()), "group": list(self.group.values())}
        return found if any(found.values()) else {}

    def owner(self, text: str, *, group: bool = False) -> tuple[int | None, int | None] | None:
        """Return who an argument of ``chown`` names, ``None`` where that is not known.

        Accounts of every Debian system get rows once a script names them.

        :param group: it is one of ``chgrp``.
        """
        user, name = ("", text) if group else _divided(text)
        known = (not user or user.isdecimal() or user in self.users) and (
            not name or name.isdecimal() or name in self.groups
        )
        if not known or not (user or name):
            return None
        if user in self.users:
            self._show(user)
        if name in self.groups:
            self._show_group(name)
        uid, login = self.users.get(user) or (int(user) if user else None, None)
        if text.endswith(":"):
            return uid, login  # chown(1): the user's login group
        return uid, self.groups.get(name, int(name) if name.isdecimal() else None)

    def _show(self, user: str) -> None:
        if user in USERS or user in self.passwd:
            return
        self.passwd[user] = next(row for row in _MASTER.splitlines() if row.startswith(f"{user}:"))
        gid = self.users[user][1]
        for name, number in self.groups.items():
            if number == gid:
                self._show_group(name)

    def _show_group(self, name: str) -> None:
        if name not in GROUPS and name not in self.group:
            self.group[name] = f"{name}:x:{self.groups[name]}:"

    def take(self, words: Sequence[str], sysusers: Mapping[str, str]) -> list[Home] | None:
        """Do what a command about accounts would.

        :param sysusers: texts of ``/usr/lib/sysusers.d`` by name of the file.
        :returns: homes to make, ``None`` where it is not known what the command would do.
        """
        asked = orders(words, sysusers)
        if asked is None:
            return None
        homes: list[Home] = []
        for order in asked:
            if not self._obey(order, homes):
                return None
        return homes

    def _obey(self, order: Order, homes: list[Home]) -> bool:
        if isinstance(order, NewGroup):
            return self._shown(order.name, self.groups, self._show_group) or self._add_group(order)
        if isinstance(order, NewUser):
            return self._shown(order.name, self.users, self._show) or self._add_user(order, homes)
        if order.user not in self.users or not all(name in self.groups for name in order.groups):
            return False
        self._show(order.user)
        for name in order.groups:
            self._join(order.user, name)
        return True

    @staticmethod
    def _shown(name: str, there: Container[str], show: Callable[[str], None]) -> bool:
        """Tell whether an account is there, which then has a row."""
        if name in there:
            show(name)
        return name in there

    def _join(self, user: str, name: str) -> None:
        self._show_group(name)
        start, _, members = self.group.get(name, f"{name}:x:{self.groups[name]}:").rpartition(":")
        listed = [one for one in members.split(",") if one]
        if user not in listed:
            self.group[name] = f"{start}:{','.join([*listed, user])}"

    def _add_group(self, order: NewGroup) -> bool:
        number = order.gid if order.gid is not None else self._free(set(self.groups.values()), order.downward)
        if number is None or (order.gid is not None and number in self.groups.values()):
            return False
        self.groups[order.name] = number
        self.group[order.name] = f"{order.name}:x:{number}:"
        return True

    def _add_user(self, order: NewUser, homes: list[Home]) -> bool:
        uids, gids = {uid for uid, _ in self.users.values()}, set(self.groups.values())
        uid = (
            order.uid if order.uid is not None else self._free(self._taken(order, uids, gids), order.downward)
        )
        if uid is None or (order.uid is not None and uid in uids):
            return False
        name = order.group or order.name
        if name not in self.groups and (order.group or not self._add_own_group(order, uid, gids)):
            return False
        gid = self.groups[name]
        self._show_group(name)
        self.users[order.name] = (uid, gid)
        home = order.home or _NOWHERE
        self.passwd[order.name] = f"{order.name}:x:{uid}:{gid}:{order.comment}:{home}:{order.shell}"
        if order.makes_home and not home.startswith(_NOWHERE):
            homes.append(Home(home, uid, gid))
        return True

    def _add_own_group(self, order: NewUser, uid: int, gids: set[int]) -> bool:
        # useradd(8) and sysusers.d(5) take the user's number where it is free; adduser(8) the first that is.
        same = uid if (order.downward or order.uid is not None) and uid not in gids else None
        return self._add_group(NewGroup(order.name, same, order.downward))

    def _taken(self, order: NewUser, uids: set[int], gids: set[int]) -> set[int]:
        return uids | gids if order.paired and order.name not in self.groups else uids

    @staticmethod
    def _free(taken: Iterable[int], downward: bool) -> int | None:
        used = set(taken)
        numbers = range(_LAST, _FIRST, -1) if downward else range(_FIRST, _LAST + 1)
        return next((number for number in numbers if number not in used), None)


def _divided(text: str) -> tuple[str, str]:
    """Divide ``user:group``, or ``user.group`` as scripts of old have it."""
    user, colon, group = text.partition(":")
    return (user, group) if colon else (text.partition(".")[0], text.partition(".")[2])
