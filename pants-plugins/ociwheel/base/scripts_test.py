"""Layers of packages with maintainer scripts: what is imitated, and what a person reads of the rest."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from ociwheel.base import deb_layer_step
from ociwheel.base.scripts import defaults
from ociwheel.notes import take_told
from tests.support.debian import Item, folder, symlink, write_debs

LIB = "usr/lib/x86_64-linux-gnu"


def script(text: str, name: str = "postinst") -> Item:
    return Item(f"DEBIAN/{name}", f"#!/bin/sh\nset -e\n{text}\n".encode())


def made(tmp_path: Path, packages: dict[str, list[Item]], *more: str) -> tuple[dict[str, Any], list[str]]:
    """Return the layer's rows by path and what the step told."""
    parser = argparse.ArgumentParser()
    deb_layer_step.configure(parser)
    debs, output = write_debs(tmp_path / "debs", packages), tmp_path / "out"
    arguments = parser.parse_args(["--debs", str(debs), "--title", "t", "--output", str(output), *more])
    take_told()
    deb_layer_step.run(arguments)
    facts = json.loads((output / "layer-facts.json").read_bytes())
    return {row[0]: row[1:] for row in facts["files"]}, take_told()


def blas(name: str, priority: int) -> list[Item]:
    where = f"/{LIB}/{name}"
    return [
        Item(f".{where}/libblas.so.3", b"elf"),
        script(
            'case "$1" in\n  configure)\n    update-alternatives --install \\\n'
            f"      /{LIB}/libblas.so.3 libblas.so.3-x86_64-linux-gnu \\\n"
            f"      {where}/libblas.so.3 {priority} \\\n"
            f"      --slave /{LIB}/liblapack.so.3 liblapack.so.3-x86_64-linux-gnu {where}/liblapack.so.3\n  ;;\nesac"
        ),
    ]


def test_of_alternatives_the_highest_priority_wins(tmp_path: Path) -> None:
    rows, told = made(tmp_path, {"libblas3": blas("blas", 10), "libopenblas0-pthread": blas("openblas", 100)})
    middle = "etc/alternatives/libblas.so.3-x86_64-linux-gnu"
    assert (rows[f"{LIB}/libblas.so.3"][-1], rows[middle][-1]) == (
        f"/{middle}",
        f"/{LIB}/openblas/libblas.so.3",
    )
    assert f"{LIB}/liblapack.so.3" not in rows  # a slave whose file is not there
    assert told == []


def test_files_are_made_as_a_script_would(tmp_path: Path) -> None:
    text = (
        "[ -d /etc/foo ] || mkdir -m 750 -p /etc/foo\n"
        "if [ ! -e /etc/foo/foo.conf ]; then cp /usr/share/foo/default.conf /etc/foo/foo.conf; fi\n"
        "ln -sf ../share/foo/run /usr/bin/foo\n"
        "touch /etc/foo/empty && chmod 600 /etc/foo/empty\n"
        "chmod 4755 /usr/share/foo/run; chown root:root /usr/share/foo/run\n"
        "install -d -m 2775 /usr/local/share/foo; chown root:staff /usr/local/share/foo\n"
        "mkdir -p /run/foo /var/log/foo; rm -f /etc/gone.conf; ldconfig"
    )
    packages = {
        "foo": [
            folder("./usr/share/foo"),
            Item("./usr/share/foo/default.conf", b"12345"),
            Item("./usr/share/foo/run", b"#!", 0o755),
            script(text),
        ]
    }
    rows, told = made(tmp_path, packages)
    assert told == []
    assert rows["etc/foo"][:2] == ["d", 0o750]
    assert rows["etc/foo/foo.conf"][:5] == ["f", 0o644, 0, 0, 5]
    assert rows["usr/bin/foo"][-1] == "../share/foo/run"
    assert rows["etc/foo/empty"][:2] == ["f", 0o600]
    assert rows["usr/share/foo/run"][:2] == ["f", 0o4755]
    assert rows["usr/local/share/foo"][:2] == ["d", 0o2775]
    assert not [path for path in rows if path.startswith(("run", "var/log"))]


HARMLESS = """
if [ "$1" = "configure" ] && [ -x "`which update-menus 2>/dev/null`" ]; then update-menus; fi
if deb-systemd-helper --quiet was-enabled foo.service; then deb-systemd-helper enable foo.service >/dev/null || true; fi
if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; fi
if which py3compile >/dev/null 2>&1; then py3compile -p foo; fi
if ! getent group staff > /dev/null; then addgroup --system staff; fi
adduser --system --quiet nobody
dpkg-maintscript-helper rm_conffile /etc/foo.conf 1.0 -- "$@"
fc-cache -s -f -v 1>/var/log/fontconfig.log 2>&1
. /usr/share/debconf/confmodule
db_input low foo/bar || true
db_go
"""


def test_what_is_harmless_is_not_told(tmp_path: Path) -> None:
    assert made(tmp_path, {"foo": [script(HARMLESS)]})[1] == []


UNKNOWN = {
    "foo": [
        script("useradd foo\nsome-tool --make /var/lib/foo\necho x > /etc/foo.conf\nmore\n$(date)/tool\n")
    ],
    "bar": [Item("DEBIAN/preinst", b"#!/usr/bin/perl\n")],
    "odd": [script("if true; then")],
}


def test_what_nobody_knows_is_told_with_what_to_do(tmp_path: Path) -> None:
    end = "add what an image needs of it as files, then name {} in accept_scripts of the base"
    start = "1.0-1: its {} is not run, and nothing here does what it would: "
    perl, shell = start.format("preinst"), start.format("postinst")
    foo = "useradd foo; some-tool --make /var/lib/foo; echo x > /etc/foo.conf and 2 more"
    assert made(tmp_path, UNKNOWN)[1] == [
        f"bar {perl}it is no shell script (#!/usr/bin/perl); {end.format('bar')}",
        f"foo {shell}{foo}; {end.format('foo')}",
        f"odd {shell}it could not be read: 'fi' is missing; {end.format('odd')}",
    ]


def test_a_diversion_matters_where_another_package_has_the_file(tmp_path: Path) -> None:
    """As packages have it that moved to /usr: nobody else has their library."""
    where = "/lib/x86_64-linux-gnu/libreadline.so.8"
    divert = script(
        'if [ "$1" = install ]; then\n'
        f"  dpkg-divert --package libreadline8t64 --no-rename --divert {where}.usr-is-merged --add {where}\nfi\n"
        f"dpkg-divert --list {where} >/dev/null; dpkg-divert --remove --rename {where}",
        "preinst",
    )
    own = {"libreadline8t64": [Item(f".{where.replace('/lib', '/usr/lib', 1)}", b"elf"), divert]}
    assert made(tmp_path, own)[1] == []
    other = {"libreadline8t64": [divert], "libedit": [Item(f".{where}", b"elf")]}
    (told,) = made(tmp_path / "other", other)[1]
    assert told == (
        "libreadline8t64 1.0-1: its preinst is not run, and nothing here does what it would: dpkg-divert "
        f"--package libreadline8t64 --no-rename --divert {where[: -len('ne.so.8')]}...; add what an image needs of "
        "it as files, then name libreadline8t64 in accept_scripts of the base"
    )


def test_what_is_accepted_is_not_told(tmp_path: Path) -> None:
    accepted = ("--accept-scripts", "foo", "--accept-scripts", "odd")
    (one,) = made(tmp_path, UNKNOWN, *accepted)[1]
    assert one.startswith("bar ")


@pytest.mark.parametrize("package", ["libc6", "base-files", "tzdata", "python3.11-minimal", "netbase"])
def test_packages_that_people_have_read(tmp_path: Path, package: str) -> None:
    assert made(tmp_path, {package: [script("mkdir /mnt; some-tool")]})[1] == []


def test_a_preinst_sees_no_file_of_its_package(tmp_path: Path) -> None:
    text = "if [ -e /etc/x.conf ]; then some-tool; fi; cmp -s a b && rm -f /etc/x.conf /etc/other.conf"
    packages = {
        "foo": [Item("./etc/x.conf", b"x"), script(text, "preinst")],
        "other": [Item("./etc/other.conf", b"x")],
    }
    rows, told = made(tmp_path, packages)
    assert told == []
    assert {"etc/x.conf", "etc/other.conf"} <= rows.keys()


def test_a_script_of_megabytes_is_not_followed(tmp_path: Path) -> None:
    (told,) = made(tmp_path, {"foo": [script("true\n" * 200_000)]})[1]
    assert "it is no shell script (longer than 262144 bytes)" in told


def test_defaults_of_questions() -> None:
    text = "Template: a/b\nType: select\nDefault: Native\nDescription: x\n\nTemplate: c\nType: boolean\n"
    assert defaults(text) == {"a/b": "Native", "c": ""}


def test_programs_in_perl_without_perl(tmp_path: Path) -> None:
    wrapper = Item("./usr/share/pg/wrapper", b"#!/usr/bin/perl -w\n", 0o755)
    names = ("psql", "pg_dump", "createdb", "dropdb")
    packages = {
        "client": [wrapper, *(symlink(f"./usr/bin/{name}", "../share/pg/wrapper") for name in names)],
        "modules": [Item("./usr/share/perl5/Pg.pm", b"1")],
        "sh": [Item("./usr/bin/tool", b"#!/bin/sh\n", 0o755)],
    }
    rows, told = made(tmp_path / "without", packages)
    assert told == [
        (
            "client 1.0-1: its programs createdb, dropdb, pg_dump and 1 more start with /usr/bin/perl, which the "
            "base leaves out; if an image calls them, name the others of the default in excluded_packages"
        )
    ]
    assert "usr/share/perl5/Pg.pm" not in rows
    assert made(tmp_path / "accepted", packages, "--accept-scripts", "client")[1] == []
    rows, told = made(tmp_path / "with", {**packages, "perl-base": [Item("./usr/bin/perl", b"elf", 0o755)]})
    assert told == []
    assert "usr/share/perl5/Pg.pm" in rows


def test_a_trigger_is_followed_where_another_package_pulls_it(tmp_path: Path) -> None:
    postinst = script('if [ "$1" = triggered ]; then for one in $2; do make-index "$one"; done; fi')
    interested = [
        postinst,
        Item(
            "DEBIAN/triggers",
            b"# comment\ninterest-noawait /usr/share/index\ninterest by-name\ninterest none\n",
        ),
        Item("./usr/share/index/own", b"1"),
    ]
    assert made(tmp_path / "alone", {"index": interested})[1] == []
    by_file = {"index": interested, "pages": [Item("./usr/share/index/pages/a", b"1")]}
    (told,) = made(tmp_path / "file", by_file)[1]
    assert (
        "its postinst is not run, and nothing here does what it would: make-index /usr/share/index; add"
        in told
    )
    by_name = {
        "index": interested,
        "other": [Item("DEBIAN/triggers", b"activate-noawait by-name\nactivate gone\n")],
    }
    (told,) = made(tmp_path / "name", by_name)[1]
    assert (
        "index 1.0-1: its postinst is not run, and nothing here does what it would: make-index by-name; add"
        in told
    )
    assert made(tmp_path / "accepted", by_name, "--accept-scripts", "index")[1] == []


def test_a_trigger_without_a_script_or_a_package_is_nothing(tmp_path: Path) -> None:
    packages = {
        "one": [Item("DEBIAN/triggers", b"interest /usr/share/x\n")],
        "two": [Item("./usr/share/x/y", b"1"), Item("DEBIAN/triggers", b"activate nobody\nodd\n\xff\n")],
    }
    assert made(tmp_path, packages)[1] == []


def test_a_configuration_decides_what_nobody_is_asked(tmp_path: Path) -> None:
    packages = {
        "foo": [
            Item("DEBIAN/templates", b"Template: foo/kind\nType: string\nDefault: a\n"),
            script(
                "db_get foo/kind; if [ -z $RET ]; then db_set foo/kind c; fi; db_set foo/kind b; probe",
                "config",
            ),
            script('db_get foo/kind; case "$RET" in a) touch /etc/a;; b) touch /etc/b;; esac'),
        ]
    }
    rows, told = made(tmp_path, packages)
    assert "etc/b" in rows
    assert "etc/a" not in rows
    assert told == [
        (
            "foo 1.0-1: its config is not run, and nothing here does what it would: probe; add what an image needs of it "
            "as files, then name foo in accept_scripts of the base"
        )
    ]
    assert made(tmp_path / "accepted", packages, "--accept-scripts", "foo")[1] == []


def test_capabilities_of_files_are_told(tmp_path: Path) -> None:
    """As iputils-ping has it: without libcap2-bin the program gets its bit, with it nobody knows."""
    text = (
        "PROGRAM=$(dpkg-divert --truename /bin/ping)\nif command -v setcap > /dev/null; then\n"
        "if setcap cap_net_raw+ep $PROGRAM; then chmod u-s $PROGRAM; else chmod u+s $PROGRAM; fi\n"
        "else chmod u+s $PROGRAM; fi"
    )
    ping = [Item("./bin/ping", b"elf", 0o755), script(text)]
    rows, told = made(tmp_path / "without", {"ping": ping})
    assert told == []
    assert rows["usr/bin/ping"][1] == 0o4755
    rows, told = made(
        tmp_path / "with", {"ping": ping, "libcap2-bin": [Item("./sbin/setcap", b"elf", 0o755)]}
    )
    assert rows["usr/bin/ping"][1] == 0o755
    assert "would: setcap cap_net_raw+ep /bin/ping; chmod u-s /bin/ping; chmod u+s /bin/ping; add" in told[0]


def test_a_script_of_ten_megabytes(tmp_path: Path) -> None:
    (told,) = made(tmp_path, {"foo": [script("adduser --system x\n" + "#" * (10 << 20))]})[1]
    assert "it is no shell script (longer than 262144 bytes)" in told
