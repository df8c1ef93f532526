"""Users of an image by name and number, and the rows that make a number one.

The configuration has numbers only: Kubernetes' ``runAsNonRoot`` refuses a name, since it cannot look it up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def owner(user: str, users: Mapping[str, tuple[int, int]] = USERS, where: str = "config.user") -> Owner:
    """Return who ``user`` is.

    A number without a group has the group of the user of that number, else the group of the same number.

    :param user: ``name``, ``number``, and after a colon a group by number or name of :data:`GROUPS`.
    :param users: those of the image by name.
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
        elif group in GROUPS:
            gid = GROUPS[group]
        else:
            raise ImageError(f"there is no group {group!r} in the image", where=where, hint="use its number")
    return Owner(uid, gid)


def accounts(one: Owner) -> tuple[str, str, str] | None:
    """Return passwd, group and home folder of a user, ``None`` for one that the base has.

    :returns: the texts of both files, those of the base included, and the folder's absolute path.
    """
    if any(number == one.uid for number, _ in USERS.values()):
        return None
    home = "/home/app"
    passwd = f"{PASSWD}app:x:{one.uid}:{one.gid}:app:{home}:/sbin/nologin\n"
    return passwd, GROUP if one.gid in GROUPS.values() else f"{GROUP}app:x:{one.gid}:\n", home
