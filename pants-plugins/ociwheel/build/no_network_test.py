from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ociwheel.build import no_network


def test_a_network_is_told_from_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for names, expected in ((["lo"], True), ([], True), (["lo", "eth0"], False)):
        monkeypatch.setattr(socket, "if_nameindex", lambda names=names: list(enumerate(names)))
        assert no_network.isolated() is expected


def test_a_command_sees_no_interface_but_the_loopback() -> None:
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    command = [sys.executable, str(Path(no_network.__file__)), sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['lo']\n", done.stderr


@pytest.mark.parametrize("network", [False, True])
def test_root_that_may_not_map_itself_stays_root(network: bool) -> None:
    """As in the sandboxes of buildbox: uid 0 without a capability. Nobody in particular cannot run make."""
    bubblewrap = shutil.which("bwrap")
    assert bubblewrap, "apt-get install bubblewrap"
    sandbox = [bubblewrap, "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--die-with-parent"]
    sandbox += ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"]
    sandbox += [] if network else ["--unshare-net"]
    code = "import os; print(os.getresuid(), os.getresgid())"
    command = [sys.executable, str(Path(no_network.__file__)), sys.executable, "-c", code]
    done = subprocess.run([*sandbox, *command], capture_output=True, text=True, check=True)
    assert done.stdout == "(0, 0, 0) (0, 0, 0)\n", done.stderr
    warned = "warning: the kernel gives no network namespace (Operation not permitted)" in done.stderr
    assert warned is (network and not no_network.isolated())
