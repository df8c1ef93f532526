"""Accounts that maintainer scripts make, in the forms that packages of Debian have."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from ociwheel.base import deb_layer_step, deb_layers_step
from ociwheel.base.account_commands import orders
from ociwheel.base.accounts import Accounts
from ociwheel.image.users import GROUP, PASSWD, files_with
from ociwheel.notes import take_told
from tests.support.debian import Item, folder, write_debs

NOLOGIN = "/usr/sbin/nologin"


def script(text: str) -> Item:
    return Item("DEBIAN/postinst", f"#!/bin/sh\nset -e\n{text}\n".encode())


def control(name: str, more: str) -> Item:
    return Item("DEBIAN/control", f"Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\n{more}\n".encode())


def made(
    tmp_path: Path, packages: dict[str, list[Item]], *more: str
) -> tuple[Any, dict[str, Any], list[str]]:
    """Return the accounts of the layer's document, its rows by path, and what the step told."""
    parser = argparse.ArgumentParser()
    deb_layer_step.configure(parser)
    debs, output = write_debs(tmp_path / "debs", packages), tmp_path / "out"
    arguments = parser.parse_args(["--debs", str(debs), "--title", "t", "--output", str(output), *more])
    take_told()
    document = deb_layer_step.run(arguments)
    facts = json.loads((output / "layer-facts.json").read_bytes())
    return document.get("accounts"), {row[0]: row[1:] for row in facts["files"]}, take_told()


# As redis-tools has it: the function's GROUP is that of the folder.
REDIS = """
USER="redis"
Setup_dir () {
	DIR="${1}"
	MODE="${2}"
	GROUP="${3}"
	mkdir -p ${DIR}
	if ! dpkg-statoverride --list ${DIR} >/dev/null 2>&1
	then
		chown ${USER}:${GROUP} ${DIR}
		chmod ${MODE} ${DIR}
	fi
}
if [ "$1" = "configure" ]
then
	adduser \\
		--system \\
		--home /var/lib/redis \\
		--quiet \\
		--group \\
		${USER} || true
	Setup_dir /var/log/redis 2750 adm
	Setup_dir /var/lib/redis 750 ${USER}
	Setup_dir /etc/redis 2770 ${USER}
fi
"""
REDIS_SERVER = """
USER="redis"
CONFFILE="/etc/redis/redis.conf"
if [ "$1" = "configure" ]; then
	if ! dpkg-statoverride --list ${CONFFILE} >/dev/null 2>&1; then
		dpkg-statoverride --update --add ${USER} ${USER} 640 ${CONFFILE}
	fi
fi
"""


def test_a_server_with_its_account_and_folders(tmp_path: Path) -> None:
    """The first by name, redis-server, needs what the second makes: scripts are followed as dpkg runs them."""
    packages = {
        "redis-server": [
            control("redis-server", "Depends: adduser,\n redis-tools (= 1.0-1) | other"),
            Item("./etc/redis/redis.conf", b"x"),
            script(REDIS_SERVER),
        ],
        "redis-tools": [folder("./var/log/redis"), script(REDIS)],
    }
    accounts, rows, told = made(tmp_path, packages)
    assert told == []
    assert accounts == {
        "passwd": [f"redis:x:100:101::/var/lib/redis:{NOLOGIN}"],
        "group": ["redis:x:101:", "adm:x:4:"],
    }
    assert rows["var/log/redis"][:4] == ["d", 0o2750, 100, 4]
    assert rows["var/lib/redis"][:4] == ["d", 0o750, 100, 101]
    assert rows["etc/redis"][:4] == ["d", 0o2770, 100, 101]
    assert rows["etc/redis/redis.conf"][:4] == ["f", 0o640, 100, 101]


POSTGRES = """
if ! getent passwd postgres > /dev/null; then
  adduser --system --quiet --home /var/lib/postgresql --no-create-home --shell /bin/bash --group \\
    --gecos "PostgreSQL administrator" postgres; fi
if ! getent group postgres > /dev/null; then some-tool; fi
if ! id -Gn postgres | grep -qw postgres; then adduser --quiet postgres postgres; fi
"""
MEMCACHED = """
addgroup --system memcache >/dev/null; adduser --system --disabled-login --ingroup memcache \\
  --home /nonexistent --no-create-home --gecos Memcached --shell /bin/false memcache >/dev/null
"""
DOWNWARD = """
groupadd -r adm2; useradd -rM -d /srv/x -s /bin/false -c 'The x' -G adm2,video x
useradd --system --user-group y
"""


@pytest.mark.parametrize(
    ("text", "passwd", "group"),
    [
        # postgresql-common: a home that is made elsewhere, a comment, a shell
        (
            POSTGRES,
            ["postgres:x:100:101:PostgreSQL administrator:/var/lib/postgresql:/bin/bash"],
            ["postgres:x:101:"],
        ),
        # openssh-client
        (
            "if ! getent group _ssh >/dev/null; then addgroup --system --quiet --force-badname _ssh; fi",
            [],
            ["_ssh:x:101:"],
        ),
        # memcached
        (
            MEMCACHED,
            ["memcache:x:100:101:Memcached:/nonexistent:/bin/false"],
            ["memcache:x:101:"],
        ),
        # without a group of its own, and twice
        (
            "adduser --system --home=/nonexistent one || exit 1; adduser --system one; id -u one >/dev/null || no",
            [f"one:x:100:65534::/nonexistent:{NOLOGIN}"],
            [],
        ),
        # useradd and groupadd go down from 999
        (
            DOWNWARD,
            ["x:x:999:998:The x:/srv/x:/bin/false", "y:x:998:997::/home/y:/bin/sh"],
            ["adm2:x:999:x", "x:x:998:", "video:x:44:x", "y:x:997:"],
        ),
        # groups of others, also one that every image has
        (
            "adduser --system --group a; adduser a tty; usermod -aG www-data a; adduser --quiet a tty",
            [f"a:x:100:101::/nonexistent:{NOLOGIN}"],
            ["a:x:101:", "tty:x:5:a", "www-data:x:33:a"],
        ),
        # what every Debian system has gets a row once it is named
        (
            "chown www-data:adm /etc/made || true; adduser --system mail",
            [f"www-data:x:33:33:www-data:/var/www:{NOLOGIN}", f"mail:x:8:8:mail:/var/mail:{NOLOGIN}"],
            ["www-data:x:33:", "adm:x:4:", "mail:x:8:"],
        ),
        # numbers that a script gives
        (
            "addgroup --system --gid 300 g; adduser --system --uid 200 --group u",
            [f"u:x:200:200::/nonexistent:{NOLOGIN}"],
            ["g:x:300:", "u:x:200:"],
        ),
    ],
)
def test_accounts_in_the_forms_of_packages(
    tmp_path: Path, text: str, passwd: list[str], group: list[str]
) -> None:
    accounts, rows, told = made(tmp_path, {"foo": [Item("./etc/made", b""), script(text)]})
    assert told == []
    assert accounts == {"passwd": passwd, "group": group}
    assert not [path for path in rows if path.startswith("nonexistent")]


def test_a_home_is_made_and_belongs_to_its_user(tmp_path: Path) -> None:
    text = "adduser --system --group --home /var/lib/x x; useradd -r -m y; adduser --system --home /run/z z"
    _, rows, told = made(tmp_path, {"foo": [script(text)]})
    assert told == []
    assert rows["var/lib/x"][:4] == ["d", 0o755, 100, 101]
    assert rows["home/y"][:4] == ["d", 0o755, 999, 999]
    assert "run/z" not in rows


SYSUSERS = """\
# dbus of trixie
u! messagebus - "System Message Bus" -
g render -
u tss 111 "TPM" /var/lib/tpm /bin/false
m messagebus render
r - 500-900
"""


def test_sysusers_read_their_files(tmp_path: Path) -> None:
    packages = {
        "dbus": [
            Item("./usr/lib/sysusers.d/dbus.conf", SYSUSERS.encode()),
            Item("./usr/lib/dbus-1.0/dbus-daemon-launch-helper", b"elf", 0o755),
            script(
                'systemd-sysusers ${DPKG_ROOT:+--root="$DPKG_ROOT"} dbus.conf\n'
                "dpkg-statoverride --update --add root messagebus 4754 /usr/lib/dbus-1.0/dbus-daemon-launch-helper"
            ),
        ]
    }
    accounts, rows, told = made(tmp_path, packages)
    assert told == []
    assert accounts == {
        "passwd": [
            f"messagebus:x:998:998:System Message Bus:/:{NOLOGIN}",
            "tss:x:111:111:TPM:/var/lib/tpm:/bin/false",
        ],
        "group": ["render:x:999:messagebus", "messagebus:x:998:", "tss:x:111:"],
    }
    assert rows["usr/lib/dbus-1.0/dbus-daemon-launch-helper"][:4] == ["f", 0o4754, 0, 998]


def test_owners_of_all_below_and_of_what_is_installed(tmp_path: Path) -> None:
    text = (
        "adduser --system --group x\n"
        "install -d -o x -g x -m 750 /var/lib/x; install -o root -g x -m 640 /usr/share/x/a /etc/x\n"
        "chown -R x:x /usr/share/x; chgrp 5 /usr/share/x/b; chown x: /usr/share/x/c"
    )
    held = [folder("./etc/x"), folder("./usr/share/x")]
    held += [Item(f"./usr/share/x/{name}", b"1", 0o4755) for name in "abc"]
    _, rows, told = made(tmp_path, {"foo": [*held, script(text)]})
    assert told == []
    assert {path: row[1:4] for path, row in rows.items() if row[2] or row[3]} == {
        "var/lib/x": [0o750, 100, 101],
        "etc/x/a": [0o640, 0, 101],
        "usr/share/x": [0o755, 100, 101],
        # chown(2) takes the bits that would let it run as its owner
        "usr/share/x/a": [0o755, 100, 101],
        "usr/share/x/b": [0o755, 100, 5],
        "usr/share/x/c": [0o755, 100, 101],
    }


NOT_KNOWN = (
    "adduser person",
    "adduser --system --home ../x x",
    "adduser --system --home '/a:b' x",
    "adduser --system --gecos 'a:b' --group x",
    "adduser --system --strange x",
    "adduser --system --ingroup nowhere x",
    "adduser --system 'x:0:0::/:/bin/sh'",
    "useradd -r -u 0 x",
    "useradd x",
    "useradd -r --uid=x x",
    "groupadd x",
    "usermod -s /bin/sh mine",
    "deluser mine",
    "chown nobody1:adm /etc/made",
    "chown --from=root mine /etc/made",
    "systemd-sysusers none.conf",
    "systemd-sysusers odd.conf",
    "setcap cap_net_raw+ep /etc/made",
)


@pytest.mark.parametrize("command", NOT_KNOWN)
def test_what_is_not_known_is_told(tmp_path: Path, command: str) -> None:
    packages = {
        "mine": [script("adduser --system mine")],
        "zoo": [
            Item("./etc/made", b""),
            Item("./usr/lib/sysusers.d/odd.conf", b"u odd /some/file\n"),
            script(command),
        ],
    }
    accounts, _, told = made(tmp_path, packages)
    assert accounts == {"passwd": [f"mine:x:100:65534::/nonexistent:{NOLOGIN}"], "group": []}
    (line,) = told
    shown = command.partition("'")[0]
    assert line.startswith(
        f"zoo 1.0-1: its postinst is not run, and nothing here does what it would: {shown}"
    )
    assert line.endswith("name zoo in accept_scripts of the base")
    assert made(tmp_path / "accepted", packages, "--accept-scripts", "zoo")[2] == []


def test_an_account_that_may_or_may_not_be_made_is_told(tmp_path: Path) -> None:
    _, _, (line,) = made(tmp_path, {"foo": [script("if some-test; then adduser --system x; fi")]})
    assert "adduser --system x" in line


def test_accounts_of_layers_below_are_there(tmp_path: Path) -> None:
    below = {"passwd": [f"redis:x:100:101::/var/lib/redis:{NOLOGIN}"], "group": ["redis:x:101:"]}
    (tmp_path / "below.json").write_text(json.dumps(below))
    packages = {"foo": [script("adduser --system redis; adduser --system --group foo; adduser foo redis")]}
    accounts, _, told = made(tmp_path, packages, "--accounts", str(tmp_path / "below.json"))
    assert told == []
    assert accounts == {
        "passwd": [*below["passwd"], f"foo:x:101:102::/nonexistent:{NOLOGIN}"],
        "group": ["redis:x:101:foo", "foo:x:102:"],
    }


def test_layers_of_a_bounded_size_bring_them_too(tmp_path: Path) -> None:
    debs = write_debs(tmp_path / "debs", {"foo": [Item("./etc/x", b"x"), script("adduser --system x")]})
    parser = argparse.ArgumentParser()
    deb_layers_step.configure(parser)
    output = ("--output", str(tmp_path / "out"), "--max-size", str(1 << 20))
    document = deb_layers_step.run(parser.parse_args(["--debs", str(debs), "--title", "t", *output]))
    assert document["layers"][0]["accounts"]["passwd"] == [f"x:x:100:65534::/nonexistent:{NOLOGIN}"]


def test_numbers_run_out() -> None:
    accounts = Accounts.on()
    for number in range(900):
        assert accounts.take(["adduser", "--system", f"u{number}"], {}) == []
    assert accounts.take(["adduser", "--system", "more"], {}) is None
    assert accounts.take(["useradd", "-r", "more"], {}) is None


def test_files_of_an_image() -> None:
    assert files_with({}) == (PASSWD, GROUP)
    rows = {"passwd": ["x:x:100:5::/:/bin/sh"], "group": ["tty:x:5:x", "y:x:101:"]}
    passwd, group = files_with(rows)
    assert passwd == f"{PASSWD}x:x:100:5::/:/bin/sh\n"
    assert group == GROUP.replace("tty:x:5:\n", "tty:x:5:x\n") + "y:x:101:\n"


def test_other_commands_make_none() -> None:
    assert orders(["passwd", "-l", "x"], {}) is None
