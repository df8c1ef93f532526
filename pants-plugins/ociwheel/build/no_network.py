"""Runs a command without a network, where the system can: ``python no_network.py COMMAND ARGUMENTS``.

This file runs on its own. On Linux the command gets a network namespace of its own, which needs no
privilege where user namespaces are allowed; on macOS ``sandbox-exec`` denies the network.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_SANDBOX_EXEC = "/usr/bin/sandbox-exec"
_PROFILE = "(version 1)(allow default)(deny network*)(allow network* (local unix))"


def isolate() -> str | None:
    """Move this process into a network namespace without interfaces.

    :returns: why that failed, ``None`` when it worked.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if uid == 0 and libc.unshare(CLONE_NEWNET) == 0:
        return None
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    return None


def isolated() -> bool:
    """Tell whether there is no network anyway, as on a remote worker that gives none."""
    return all(name == "lo" for _, name in socket.if_nameindex())


def main(argv: list[str]) -> None:
    """Replace this process by the command."""
    if sys.platform == "darwin" and os.path.exists(_SANDBOX_EXEC):
        os.execv(_SANDBOX_EXEC, [_SANDBOX_EXEC, "-p", _PROFILE, *argv[1:]])  # noqa: S606
    if sys.platform == "linux":
        try:
            refused = isolate()
        except OSError as e:
            refused = str(e)
        if refused and not isolated():
            sys.stderr.write(f"warning: the kernel gives no network namespace ({refused})\n")
    os.execv(argv[1], argv[1:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv)
