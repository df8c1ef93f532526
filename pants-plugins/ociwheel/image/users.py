"""Users of an image by name and number, and the rows that make a number one.

The configuration has numbers only: Kubernetes' ``runAsNonRoot`` refuses a name, since it cannot look it up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ociwheel.errors import ImageError

NONROOT = 65532
"""The user that services run as; the number that distroless images use."""

_NOBODY = 65534
USERS: Mapping[str, tuple[int, int]] = {
    "root": (0, 0),
    "nobody": (_NOBODY, _NOBODY),
    "nonroot": (NONROOT, NONROOT),
}
"""Users of every base of Debian packages: name, number, group."""

GROUPS: Mapping[str, int] = {"root": 0, "tty": 5, "staff": 50, "nogroup": _NOBODY, "nonroot": NONROOT}
"""Its groups."""

PASSWD = f"""\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:{_NOBODY}:{_NOBODY}:nobody:/nonexistent:/sbin/nologin
nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/sbin/nologin
"""
GROUP = "".join(f"{name}:x:{number}:\n" for name, number in GROUPS.items())

# What the configuration's int32 and user namespaces hold.
_MOST = 2**31 - 1
_NAME = re.compile(r"[A-Za-z_][\w.-]*")


@dataclass(frozen=True)
class Owner:
    """A user and its group by number."""

    uid: int
    gid: int

    @property
    def text(self) -> str:
        """``65532:65532``, as the configuration has it."""
        return f"{self.uid}:{self.gid}"


def owner(
    user: str,
    users: Mapping[str, tuple[int, int]] = USERS,
    where: str = "config.user",
    groups: Mapping[str, int] = GROUPS,
) -> Owner:
    """Return who ``user`` is.

    A number without a group has the group of the user of that number, else the group of the same number.

    :param user: ``name``, ``number``, and after a colon a group by number or name.
    :param users: those of the image by name.
    :param groups: its groups.
    :raises ImageError: a name that the image does not have, or something else.
    """
    name, colon, group = user.partition(":")
    if name.isdecimal() and int(name) <= _MOST:
        uid = int(name)
        gid = next((theirs for number, theirs in users.values() if number == uid), uid)
    elif _NAME.fullmatch(name):
        if name not in users:
            known = ", ".join(sorted(users))
            raise ImageError(
                f"there is no user {name!r} in the image, whose users are {known}",
                where=where,
                hint='set the field `user` to one of them, or to a number such as "1000"',
            )
        uid, gid = users[name]
    else:
        raise ImageError(f"expected a user such as nonroot, 1000 or 1000:1000, found {user!r}", where=where)
    if colon:
        if group.isdecimal() and int(group) <= _MOST:
            gid = int(group)
        elif group in groups:
            gid = groups[group]
        else:
            raise ImageError(f"there is no group {group!r} in the image", where=where, hint="use its number")
    return Owner(uid, gid)


Rows = Mapping[str, Sequence[str]]
"""Rows of ``passwd`` and ``group`` beside those of every base, as the document of a layer has them."""
_NO_ROWS: Rows = {}


def numbers_of(
    passwd: Sequence[str], group: Sequence[str]
) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Return users and groups by name, of rows of both files.

    :returns: number and group of each user; number of each group.
    :raises ImageError: a row is none.
    """
    try:
        users = {f[0]: (int(f[2]), int(f[3])) for f in (row.split(":") for row in passwd)}
        return users, {f[0]: int(f[2]) for f in (row.split(":") for row in group)}
    except (IndexError, ValueError) as e:
        raise ImageError("a row of passwd or group is none", where="accounts") from e


def files_with(rows: Rows) -> tuple[str, str]:
    """Return the texts of an image's passwd and group.

    :param rows: the group of a name that every base has replaces its row, which has no members.
    """
    groups = {row.partition(":")[0]: row for row in (*GROUP.splitlines(), *rows.get("group", ()))}
    passwd = (*PASSWD.splitlines(), *rows.get("passwd", ()))
    return "".join(f"{row}\n" for row in passwd), "".join(f"{row}\n" for row in groups.values())


def accounts(one: Owner, rows: Rows = _NO_ROWS) -> tuple[str, str, str] | None:
    """Return passwd, group and home folder of a user, ``None`` for one that the base has.

    :param rows: those of the base beside those of every base.
    :returns: the texts of both files, those of the base included, and the folder's absolute path.
    """
    users, groups = numbers_of(rows.get("passwd", ()), rows.get("group", ()))
    if any(number == one.uid for number, _ in (*USERS.values(), *users.values())):
        return None
    home = "/home/app"
    passwd, group = files_with(rows)
    passwd += f"app:x:{one.uid}:{one.gid}:app:{home}:/sbin/nologin\n"
    has_group = one.gid in (*GROUPS.values(), *groups.values())
    return passwd, group if has_group else f"{group}app:x:{one.gid}:\n", home
