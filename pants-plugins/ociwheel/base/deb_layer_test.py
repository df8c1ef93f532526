"""Golden listings of layers from made-up packages."""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from ociwheel.base import deb_layer_step
from ociwheel.base.deb_layer import bytecode_entries, is_dropped
from ociwheel.cli.main import main
from ociwheel.errors import BaseError, UsageError
from ociwheel.formats.entries import Entry
from ociwheel.layer.bytecode import compile_source
from tests.support.debian import Item, folder, hardlink, symlink, write_debs

if TYPE_CHECKING:
    from pathlib import Path

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
STDLIB = f"./usr/lib/python{MINOR}"

PACKAGES = {
    "base-files": [folder("./var/mail/", 0o2775), folder("./tmp/", 0o1777), symlink("./bin", "usr/bin")],
    "ca-certificates": [
        Item("./usr/share/ca-certificates/mozilla/Zeta.crt", b"zeta\n"),
        Item("./usr/share/ca-certificates/mozilla/Alpha.crt", b"alpha"),
    ],
    "libc6": [
        folder("./lib/"),
        Item("./lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", b"loader", 0o755),
        symlink("./lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
        symlink("./lib/x86_64-linux-gnu/libold.so", "../../usr/share/old/libold.so"),
        Item("./usr/share/doc/libc6/copyright", b"LGPL"),
        Item("./usr/share/doc/libc6/changelog.gz", b"much"),
        Item("./usr/share/man/man1/x.1.gz", b"man"),
        Item("./usr/share/locale/de/LC_MESSAGES/libc.mo", b"mo"),
        Item("./usr/include/stdio.h", b"int"),
        Item("./usr/lib/x86_64-linux-gnu/libc.a", b"archive"),
    ],
    "mount": [
        Item("./bin/su", b"su", 0o4755),
        hardlink("./bin/sudo", "./bin/su"),
        Item("./usr/share/man/manual", b"kept under its other name"),
        hardlink("./usr/bin/manual", "./usr/share/man/manual"),
        Item("./var/mail/root", b"", 0o660, uid=0, gid=8),
    ],
}
# To renew after a change that is meant to change layers: print the listing of `rows` below.
GOLDEN = """\
d 0755 0:0 0 etc
d 0755 0:0 0 etc/ssl
d 0755 0:0 0 etc/ssl/certs
f 0644 0:0 11 etc/ssl/certs/ca-certificates.crt
d 1777 0:0 0 tmp
d 0755 0:0 0 usr
d 0755 0:0 0 usr/bin
f 0644 0:0 25 usr/bin/manual
f 4755 0:0 2 usr/bin/su
h 4755 0:0 0 usr/bin/sudo -> usr/bin/su
d 0755 0:0 0 usr/lib
d 0755 0:0 0 usr/lib/ssl
l 0777 0:0 0 usr/lib/ssl/cert.pem -> /etc/ssl/certs/ca-certificates.crt
l 0777 0:0 0 usr/lib/ssl/certs -> /etc/ssl/certs
d 0755 0:0 0 usr/lib/x86_64-linux-gnu
f 0755 0:0 6 usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
l 0777 0:0 0 usr/lib/x86_64-linux-gnu/libold.so -> ../../share/old/libold.so
d 0755 0:0 0 usr/lib64
l 0777 0:0 0 usr/lib64/ld-linux-x86-64.so.2 -> /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
d 0755 0:0 0 usr/share
d 0755 0:0 0 usr/share/doc
d 0755 0:0 0 usr/share/doc/libc6
f 0644 0:0 4 usr/share/doc/libc6/copyright
d 0755 0:0 0 var
d 0755 0:0 0 var/lib
d 0755 0:0 0 var/lib/dpkg
d 0755 0:0 0 var/lib/dpkg/status.d
f 0644 0:0 76 var/lib/dpkg/status.d/base-files
f 0644 0:0 81 var/lib/dpkg/status.d/ca-certificates
f 0644 0:0 155 var/lib/dpkg/status.d/ca-certificates.md5sums
f 0644 0:0 71 var/lib/dpkg/status.d/libc6
f 0644 0:0 461 var/lib/dpkg/status.d/libc6.md5sums
f 0644 0:0 71 var/lib/dpkg/status.d/mount
f 0644 0:0 144 var/lib/dpkg/status.d/mount.md5sums
d 2775 0:0 0 var/mail
f 0660 0:8 0 var/mail/root
"""


def rows(output: Path) -> str:
    facts = json.loads((output / "layer-facts.json").read_bytes())
    lines = []
    for path, kind, mode, uid, gid, size, target in facts["files"]:
        lines.append(f"{kind} {mode:04o} {uid}:{gid} {size} {path}" + (f" -> {target}" if target else ""))
    return "\n".join(lines) + "\n"


def layer(debs: Path, output: Path, *more: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    deb_layer_step.configure(parser)
    arguments = parser.parse_args(["--debs", str(debs), "--title", "t", "--output", str(output), *more])
    return deb_layer_step.run(arguments)


def test_a_layer_of_packages(tmp_path: Path) -> None:
    document = layer(write_debs(tmp_path / "debs", PACKAGES), tmp_path / "out")
    assert rows(tmp_path / "out") == GOLDEN
    first = document["contents"][0]
    assert (first["type"], first["name"], first["version"]) == ("deb", "base-files", "1.0-1")
    assert all(one["unpacked_size"] for one in document["contents"])
    assert sum(one["unpacked_size"] for one in document["contents"]) == document["unpacked_size"]
    blob = tmp_path / "out/blobs/sha256" / document["descriptor"]["digest"].removeprefix("sha256:")
    with tarfile.open(blob) as tar:
        bundle = tar.extractfile("etc/ssl/certs/ca-certificates.crt")
        assert bundle is not None
        assert bundle.read() == b"alpha\nzeta\n"


def test_certificates_of_a_companys_package_follow_those_of_debian(tmp_path: Path) -> None:
    packages = {
        "ca-certificates": [Item("./usr/share/ca-certificates/mozilla/zeta.crt", b"zeta\n")],
        "company-ca": [Item("./usr/local/share/ca-certificates/company.crt", b"ours")],
    }
    document = layer(write_debs(tmp_path / "debs", packages), tmp_path / "out")
    blob = tmp_path / "out/blobs/sha256" / document["descriptor"]["digest"].removeprefix("sha256:")
    with tarfile.open(blob) as tar:
        bundle = tar.extractfile("etc/ssl/certs/ca-certificates.crt")
        assert bundle is not None
        assert bundle.read() == b"zeta\nours\n"


def test_the_digest_does_not_depend_on_place_or_order(tmp_path: Path) -> None:
    first = layer(write_debs(tmp_path / "one", PACKAGES), tmp_path / "out1")
    backwards = dict(reversed(PACKAGES.items()))
    second = layer(write_debs(tmp_path / "else/where", backwards), tmp_path / "out2")
    assert first == second


def test_two_packages_with_one_path_are_refused(tmp_path: Path) -> None:
    packages = {"one": [Item("./bin/x", b"1")], "two": [Item("./usr/bin/x", b"2")]}
    with pytest.raises(BaseError) as e:
        layer(write_debs(tmp_path / "debs", packages), tmp_path / "out")
    assert str(e.value) == "/usr/bin/x is in two packages: one and two"


def test_bytecode_is_made_for_what_compiles(tmp_path: Path) -> None:
    packages = {
        "libpython": [
            Item(f"{STDLIB}/json/__init__.py", b"X = 1\n"),
            Item(f"{STDLIB}/template.py", b"print 'two'\n"),
            Item(f"{STDLIB}/turtle.py", b"X = 1\n"),
            Item("./usr/lib/python3/dist-packages/apt.py", b"X = 1\n"),
        ]
    }
    debs = write_debs(tmp_path / "debs", packages)
    layer(debs, tmp_path / "out", "--python-minor", MINOR, "--bytecode", "unchecked-hash")
    found = [line.split()[4] for line in rows(tmp_path / "out").splitlines() if ".py" in line]
    stdlib = STDLIB.removeprefix("./")
    assert found == [
        f"{stdlib}/json/__init__.py",
        f"{stdlib}/json/__pycache__/__init__.{sys.implementation.cache_tag}.pyc",
        f"{stdlib}/template.py",
        "usr/lib/python3/dist-packages/apt.py",
    ]


def test_bytecode_of_the_interpreter_s_own_modules_is_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were compiled when it was unpacked; another version of a module is compiled."""
    tree, stdlib, tag = tmp_path / "python", STDLIB.removeprefix("./"), sys.implementation.cache_tag
    sources = {name: f"X = {name!r}\n".encode() for name in ("same", "other", "cut", "none")}
    for name, data in sources.items():
        code = compile_source(data, f"{stdlib}/{name}.py") + b"of the interpreter"
        place = tree / stdlib / f"__pycache__/{name}.{tag}.pyc"
        place.parent.mkdir(parents=True, exist_ok=True)
        (tree / stdlib / f"{name}.py").write_bytes(data + b"# not the same\n" * (name == "other"))
        if name != "none":
            place.write_bytes(code[:9] if name == "cut" else code)

    def taken() -> list[str]:
        entries = [Entry(f"{stdlib}/{name}.py", "file", 0o644, source=tmp_path / name) for name in sources]
        made = [entry.source for entry in bytecode_entries(entries, MINOR)]
        assert len(made) == len(sources)
        found = zip(sources, made, strict=True)
        return [
            name for name, code in found if isinstance(code, bytes) and code.endswith(b"of the interpreter")
        ]

    for name, data in sources.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(sys, "prefix", str(tree / "usr"))
    assert taken() == []  # a Python that the step `interpreter` did not unpack
    (tree / "usr/libexec").mkdir()
    (tree / f"usr/libexec/python{MINOR}").touch()
    assert taken() == ["same"]


def test_bytecode_needs_the_interpreter_of_that_version(tmp_path: Path) -> None:
    debs = write_debs(tmp_path / "debs", {"one": []})
    with pytest.raises(UsageError) as e:
        layer(debs, tmp_path / "out", "--python-minor", "3.99", "--bytecode", "unchecked-hash")
    assert str(e.value) == (
        f"bytecode for Python 3.99 can only be made by Python 3.99, this is {MINOR}\n"
        "  -> run the step under the base's own interpreter, or without --bytecode"
    )
    with pytest.raises(UsageError, match="--bytecode needs --python-minor"):
        layer(debs, tmp_path / "out", "--bytecode", "unchecked-hash")


@pytest.mark.parametrize(
    ("path", "dropped"),
    [
        ("usr/share/doc/tzdata/copyright", False),
        ("usr/share/doc/tzdata", False),
        ("usr/share/doc/tzdata/README", True),
        ("usr/share/doc/tzdata/examples/copyright", True),
        ("usr/share/zoneinfo/Europe/Amsterdam", False),
        ("usr/share/infoblox/x", False),
        ("usr/lib/x86_64-linux-gnu/gconv/ISO8859-1.so", False),
        ("usr/lib/x86_64-linux-gnu/gconv/ISO8859-2.so", True),
        ("usr/lib/x86_64-linux-gnu/pkgconfig/zlib.pc", True),
        ("usr/lib/x86_64-linux-gnu/libz.la", True),
        ("usr/lib/libz.la", True),
        ("usr/lib/x86_64-linux-gnu/ImageMagick-6.9.11/modules-Q16/coders/png.la", False),
        ("usr/lib/python3.11/test/test_os.py", True),
        ("usr/lib/python3.11/unittest/mock.py", False),
        ("usr/lib/python3.11/testing.py", False),
        ("usr/lib/python3.11/sitecustomize.py", True),
        ("usr/lib/python3.11/_sysconfigdata__x86_64-linux-gnu.py", False),
        ("usr/lib/python3.11/distutils/util.py", False),
    ],
)
def test_what_images_lack(path: str, dropped: bool) -> None:
    assert is_dropped(path) is dropped


def test_the_step_prints_its_document(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    debs = write_debs(tmp_path / "debs", {"one": [Item("./etc/x", b"x")]})
    code = main(["deb-layer", "--debs", str(debs), "--title", "data", "--output", str(tmp_path / "out")])
    assert code == 0
    document = json.loads(capfdbinary.readouterr().out)
    assert (document["schema"], document["title"]) == ("ociwheel.layer/1", "data")
