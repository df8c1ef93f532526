from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build.config_program import main, moved, read_table

TRIPLET = "arm-linux-gnueabihf"
CURL = """#! /bin/sh
prefix="/usr"
while test $# -gt 0; do
    case "$1" in
    --features) echo SSL; echo IPv6 ;;
    --libs) echo -L$prefix/lib/$DEB_HOST_MULTIARCH -lcurl ;;
    --cflags) echo "-I/usr/include/$($CC -print-multiarch)" ;;
    *) echo "unknown option: $1" >&2; exit 1 ;;
    esac
    shift
done
"""
PG = """#!/usr/bin/perl
print "a program of Perl\\n";
__DATA__
INCLUDEDIR = /usr/include/postgresql
CFLAGS =
INCLUDEDIR-SERVER = /usr/include/postgresql/15/server
CONFIGURE =  '--prefix=/usr' '--mandir=${prefix}/share/man'
VERSION = PostgreSQL 15.20 (Debian 15.20-0+deb12u1)

pg_config provides information about the installed version of PostgreSQL.
"""


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o755)
    return path


def run(
    tmp_path: Path, program: Path | None, *arguments: str, module: str = "-", monkeypatch: pytest.MonkeyPatch
) -> int:
    write(tmp_path / "bin/cc", f"#!/bin/sh\necho {TRIPLET}\n")
    monkeypatch.setenv("CC", str(tmp_path / "bin/cc"))
    answer = '#!/bin/sh\n[ "$2" = libmariadb ] || exit 1\necho "$1 of $2"\n'
    pkg_config = write(tmp_path / "bin/pkg-config", answer)
    command = ["config_program.py", "/s", TRIPLET, str(pkg_config), str(program or "-"), module]
    return main([*command, *arguments])


def test_a_script_of_the_shell_answers_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pycurl asks curl-config for --features: silence gave a wheel without TLS that cannot be imported."""
    script = write(tmp_path / "s/usr/bin/curl-config", CURL)
    assert run(tmp_path, script, "--features", monkeypatch=monkeypatch) == 0
    assert capfd.readouterr().out == "SSL\nIPv6\n"
    assert run(tmp_path, script, "--libs", "--cflags", monkeypatch=monkeypatch) == 0
    assert capfd.readouterr().out == f"-L/s/usr/lib/{TRIPLET} -lcurl\n-I/s/usr/include/{TRIPLET}\n"
    assert run(tmp_path, script, "--nonsense", monkeypatch=monkeypatch) == 1
    assert capfd.readouterr().err == "unknown option: --nonsense\n"


def test_of_pg_config_the_table_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write(tmp_path / "s/usr/bin/pg_config", PG)
    assert run(tmp_path, script, "--includedir-server", "--version", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == (
        "/s/usr/include/postgresql/15/server\nPostgreSQL 15.20 (Debian 15.20-0+deb12u1)\n"
    )
    assert run(tmp_path, script, "--configure", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == " '--prefix=/s/usr' '--mandir=${prefix}/share/man'\n"
    assert run(tmp_path, script, "--nonsense", monkeypatch=monkeypatch) == 1
    assert capsys.readouterr().err.startswith("pg_config: --nonsense cannot be answered for arm-linux")
    assert len(read_table(PG)) == 5


@pytest.mark.parametrize("content", [b"\x7fELF\x01\x01", None])
def test_for_a_program_of_the_target_pkg_config_answers(
    content: bytes | None,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = write(tmp_path / "s/usr/bin/mariadb_config", content) if content else None
    asked = ("--cflags", "--libdir", "--prefix")
    assert run(tmp_path, program, *asked, module="libmariadb", monkeypatch=monkeypatch) == 0
    assert capfd.readouterr().out == "--cflags of libmariadb\n--variable=libdir of libmariadb\n/s/usr\n"
    assert run(tmp_path, program, "--plugindir", module="libmariadb", monkeypatch=monkeypatch) == 1
    assert "--plugindir cannot be answered for arm-linux-gnueabihf" in capfd.readouterr().err
    assert run(tmp_path, program, "--cflags", monkeypatch=monkeypatch) == 1


def test_only_folders_below_usr_move() -> None:
    text = "-I/usr/include -isystem/usr/x prefix=/usr '/usr' /usrlocal /home/usr/x a:/usr/lib:/usr\n/usr"
    assert moved(text, "/s") == (
        "-I/s/usr/include -isystem/s/usr/x prefix=/s/usr '/s/usr' /usrlocal /home/usr/x a:/s/usr/lib:/s/usr\n"
        "/s/usr"
    )
