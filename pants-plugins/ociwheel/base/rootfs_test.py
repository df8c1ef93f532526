from __future__ import annotations

import pytest

from ociwheel.base.rootfs import rootfs_entries
from ociwheel.errors import UsageError
from ociwheel.formats.entries import arrange
from tests.support.values import target_of

TARGET = target_of()

GOLDEN = """\
dir 0755 0 app
dir 0755 0 app/bin
symlink 0777 0 app/bin/python -> /usr/bin/python3.11
symlink 0777 0 app/bin/python3 -> /usr/bin/python3.11
symlink 0777 0 app/bin/python3.11 -> /usr/bin/python3.11
dir 0755 0 app/lib
dir 0755 0 app/lib/python3.11
dir 0755 0 app/lib/python3.11/site-packages
file 0644 0 app/pyvenv.cfg
symlink 0777 0 bin -> usr/bin
dir 0755 0 etc
file 0644 0 etc/group
file 0644 0 etc/nsswitch.conf
file 0644 0 etc/passwd
dir 0755 0 home
dir 0700 65532 home/nonroot
symlink 0777 0 lib -> usr/lib
symlink 0777 0 lib64 -> usr/lib64
dir 0700 0 root
dir 0755 0 run
dir 1777 0 run/lock
symlink 0777 0 sbin -> usr/sbin
dir 1777 0 tmp
dir 0755 0 usr
dir 0755 0 usr/bin
dir 0755 0 usr/lib
dir 0755 0 usr/lib64
dir 0755 0 usr/sbin
dir 0755 0 var
dir 1777 0 var/tmp
"""


def test_the_layer_of_users_folders_and_the_empty_environment() -> None:
    lines = []
    for entry in arrange(rootfs_entries(TARGET, "/app")):
        assert entry.uid == entry.gid
        target = f" -> {entry.target}" if entry.target else ""
        lines.append(f"{entry.kind} {entry.mode:04o} {entry.uid} {entry.path}{target}")
    assert "\n".join(lines) + "\n" == GOLDEN


def test_the_environment_is_one_by_pep_405() -> None:
    contents = {e.path: e.source for e in rootfs_entries(TARGET, "/srv/venv")}
    assert contents["srv/venv/pyvenv.cfg"] == (
        b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"
    )
    passwd = contents["etc/passwd"]
    assert isinstance(passwd, bytes)
    assert b"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n" in passwd


def test_arm_needs_no_lib64() -> None:
    paths = {e.path for e in rootfs_entries(target_of("linux/arm/v7"), "/app")}
    assert "lib" in paths
    assert "lib64" not in paths


@pytest.mark.parametrize("prefix", ["app", "/", "", "/app/../etc", "//app", "/./app"])
def test_a_prefix_that_is_no_absolute_path_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError) as e:
        rootfs_entries(TARGET, prefix)
    assert str(e.value) == f"--prefix is {prefix!r}, not an absolute path such as /app"


def test_a_prefix_inside_a_folder_of_the_system_is_refused() -> None:
    with pytest.raises(UsageError) as e:
        rootfs_entries(TARGET, "/lib/app")
    assert str(e.value) == "--prefix is '/lib/app': that folder belongs to the system"
