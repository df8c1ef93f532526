"""Runs a command without a network, where the system can: ``python no_network.py COMMAND ARGUMENTS``.

This file runs on its own. On Linux the command gets a network namespace of its own, which needs no
privilege where user namespaces are allowed; on macOS ``sandbox-exec`` denies the network.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
WARNING = "warning: the kernel gives no network namespace"
_SANDBOX_EXEC = "/usr/bin/sandbox-exec"
_PROFILE = "(version 1)(allow default)(deny network*)(allow network* (local unix))"


def isolate() -> str | None:
    """Move this process into a network namespace without interfaces.

    :returns: why that failed, ``None`` when it worked.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0 and libc.unshare(CLONE_NEWNET) == 0:
        return None
    refused = _refusal(libc)
    if refused is None:
        _enter(libc)
    return refused


def _refusal(libc: ctypes.CDLL) -> str | None:
    """Return why a namespace cannot be entered, after a child has tried.

    What has entered one cannot leave it, and the kernel may give a namespace and then refuse its user: to
    root without CAP_SETFCAP (user_namespaces(7)), as in a sandbox of buildbox. As nobody in particular, make
    starts no program.
    """
    child = os.fork()
    if child == 0:
        code = errno.EPERM
        try:
            _enter(libc)
            code = 0
        except OSError as e:
            code = e.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(code) if code else None


def _enter(libc: ctypes.CDLL) -> None:
    """Enter a user and a network namespace as the user that this process is.

    :raises OSError: the kernel refuses it; the process may be in the namespace all the same.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


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
            sys.stderr.write(f"{WARNING} ({refused})\n")
    os.execv(argv[1], argv[1:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv)
