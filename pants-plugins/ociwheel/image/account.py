"""The layer of what an image's user owns: its rows, its home, and the folders that it may write to."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.formats.entries import Entry
from ociwheel.image.names import NameTree
from ociwheel.image.users import GROUPS, USERS, Owner, Rows, accounts, numbers_of, owner

# Folders that a base of somebody else has with these modes, where no list of its files is at hand.
_USUAL_MODES: Mapping[str, int] = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700, "run/lock": 0o1777}
_KERNEL = ("/dev", "/proc", "/sys")


@dataclass(frozen=True)
class AccountRequest:
    """Whose folders, and which."""

    user: Owner
    prefix: str
    workdir: str
    volumes: tuple[str, ...]
    writable: tuple[str, ...]
    accounts: Rows | None
    """What a base of Debian packages has in passwd and group beside what every such base has; ``None`` for
    another base, to whose files nothing is added."""

    @staticmethod
    def parse(value: Mapping[str, Any]) -> AccountRequest:
        """Check a request.

        :raises ImageError: an unknown user, or folders that nobody may write to; all together.
        """
        prefix = str(value.get("prefix") or "/app")
        errors = ErrorCollector()
        folders: dict[str, tuple[str, ...]] = {}
        for field in ("volumes", "writable"):
            folders[field] = tuple(value.get(field) or ())
            for folder in folders[field]:
                problem = _problem(folder, prefix)
                if problem and (field == "writable" or not folder.startswith("/")):
                    errors.add(
                        ImageError(f"the field `{field}` has {folder!r}, {problem[0]}", hint=problem[1])
                    )
        errors.raise_if_any()
        rows: Rows | None = value.get("accounts")
        users, groups = numbers_of((rows or {}).get("passwd", ()), (rows or {}).get("group", ()))
        user = str(value.get("user") or "root")
        return AccountRequest(
            user=owner(user, {**USERS, **users}, "the field `user`", {**GROUPS, **groups}),
            prefix=prefix,
            workdir=str(value.get("workdir") or prefix),
            volumes=folders["volumes"],
            writable=folders["writable"],
            accounts=rows,
        )


def _problem(folder: str, prefix: str) -> tuple[str, str] | None:
    if posixpath.normpath(folder) != folder or not folder.startswith("/") or folder.startswith("//"):
        return "no absolute path", 'name a folder such as "/data"'
    if folder == "/" or any(folder == top or folder.startswith(f"{top}/") for top in _KERNEL):
        return "which belongs to the system", 'name a folder such as "/data"'
    if folder == prefix or any(
        folder == f"{prefix}/{part}" or folder.startswith(f"{prefix}/{part}/") for part in ("bin", "lib")
    ):
        return (
            "where the image's code is: what runs would be what somebody wrote there",
            f'name a folder beside the code, such as "{prefix}/data", and set `workdir` to it',
        )
    return None


def account_entries(request: AccountRequest, below: NameTree) -> list[Entry]:
    """Return the layer's entries; none where the base has all that the image needs.

    A folder that is there already belongs to whom it belonged, unless it is in ``writable``.

    :param below: what is known of the files below.
    """
    found: dict[str, Entry] = {}
    rows = None if request.accounts is None else accounts(request.user, request.accounts)
    own = list(request.writable)
    own += [f for f in (*request.volumes, request.workdir) if below.find(f) is None and f != request.prefix]
    if rows:
        passwd, group, home = rows
        for path, text in (("etc/passwd", passwd), ("etc/group", group)):
            found[path] = Entry(path, "file", 0o644, source=text.encode())
        found[home.strip("/")] = _folder(home.strip("/"), request.user, 0o700)
    for folder in own:
        path = below.resolve(folder) or _placed(folder, below)
        if path and path not in found:
            found[path] = _folder(path, request.user, 0o755)
    for path in list(found):
        for parent in _parents(path):
            found.setdefault(parent, _as_below(parent, below))
    return list(found.values())


def _folder(path: str, user: Owner, mode: int) -> Entry:
    return Entry(path, "dir", mode, user.uid, user.gid)


def _placed(folder: str, below: NameTree) -> str:
    """Return where a folder that is not there comes to be, links of its parents followed."""
    missing: list[str] = []
    while folder != "/":
        real = below.resolve(folder)
        if real is not None:
            return "/".join(part for part in (real, *reversed(missing)) if part)
        folder, name = posixpath.split(folder)
        missing.append(name)
    return "/".join(reversed(missing))


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _as_below(path: str, below: NameTree) -> Entry:
    """Return a folder as the layers below have it: an entry of a layer sets mode and owner again."""
    there = below.names.get(path)
    if there is None or there.kind != "d":
        return Entry(path, "dir", _USUAL_MODES.get(path, 0o755))
    return Entry(path, "dir", there.mode, there.uid, there.gid)
