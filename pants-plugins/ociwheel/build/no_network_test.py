from __future__ import annotations

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
