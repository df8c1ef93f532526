"""The step that runs the base's programs, with a bubblewrap of the test's own that starts them in the tree."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.build.root import host_platform
from ociwheel.cli.main import main
from ociwheel.platforms import PLATFORMS, Platform
from tests.support.debian import Item, write_debs

HOST = host_platform()
assert HOST is not None
LIB = f"usr/lib/{HOST.triplet}"
# What makes a root: everything up to the program is its own.
BWRAP = """\
#!/bin/sh
while [ "$1" != --chdir ]; do [ "$1" = --bind ] && root=$2; shift; done
shift 2; [ "$1" = --disable-userns ] && shift
case "$1" in */true) exit 0;; esac
program=$1; shift; cd "$root" && exec "./$program" "$@"
"""
FONTS = b"""#!/bin/sh
[ "$*" = "-s -f" ] && [ "$SOURCE_DATE_EPOCH" = 315619200 ] && [ "$HOME" = /nonexistent ] || exit 3
[ "$(stat -c %Y usr/share/fonts/truetype)" = 315619200 ] || exit 4
echo cache > var/cache/fontconfig/a-le64.cache-8
echo no > var/cache/fontconfig/other
ln -s /etc/passwd var/cache/fontconfig/evil-le64.cache-8
"""
PIXBUF = b"""#!/bin/sh
for path; do echo "\\"$path\\""; done
"""


def packages(fonts: bytes = FONTS) -> dict[str, list[Item]]:
    loaders = f"./{LIB}/gdk-pixbuf-2.0/2.10.0/loaders"
    return {
        "fontconfig": [Item("./usr/bin/fc-cache", fonts, 0o755)],
        "fonts-x": [Item("./usr/share/fonts/truetype/x.ttf", b"font")],
        "libgdk-pixbuf-2.0-0": [
            Item(f"./{LIB}/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders", PIXBUF, 0o755),
            Item(f"{loaders}/libb.so", b"b"),
            Item(f"{loaders}/liba.so", b"a"),
        ],
        # A program without anything to make.
        "shared-mime-info": [Item("./usr/bin/update-mime-database", b"#!/bin/sh\nexit 9\n", 0o755)],
    }


def tools(tmp_path: Path) -> Path:
    place = tmp_path / "tools"
    for name in ("usr/bin/bwrap", f"{PROGRAM_FOLDER}/bwrap"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(BWRAP)
        (place / name).chmod(0o755)
    return place


def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], platform: str, *more: str, **given: Any) -> Any:
    assert HOST is not None
    debs = write_debs(tmp_path / "debs", given.get("packages", packages()), HOST.debian)
    arguments = ["made-files", "--debs", str(debs), "--platform", platform, "--output", str(tmp_path / "out")]
    capfd.readouterr()
    code = main([*arguments, *more])
    said = capfd.readouterr()
    return json.loads(said.out) if code == 0 else said.err


def made(tmp_path: Path, document: Any) -> dict[str, bytes]:
    blob = tmp_path / "out/blobs/sha256" / document["descriptor"]["digest"].partition(":")[2]
    with tarfile.open(blob) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def foreign(*, bits: int) -> Platform:
    assert HOST is not None
    return next(row for row in PLATFORMS if row.triplet != HOST.triplet and row.elf_class == bits)


def test_what_programs_make_is_a_layer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert HOST is not None
    document = run(tmp_path, capfd, HOST.oci, "--tools", str(tools(tmp_path)))
    loaders = f"{LIB}/gdk-pixbuf-2.0/2.10.0/loaders"
    assert made(tmp_path, document) == {
        "var/cache/fontconfig/a-le64.cache-8": b"cache\n",
        f"{loaders}.cache": f'"/{loaders}/liba.so"\n"/{loaders}/libb.so"\n'.encode(),
    }
    assert [one["name"] for one in document["contents"]] == ["libgdk-pixbuf-2.0-0", "fontconfig"]
    assert "notes" not in document


def test_for_a_foreign_platform_folders_have_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = foreign(bits=64)
    document = run(tmp_path, capfd, row.oci, "--tools", str(tools(tmp_path)))
    loaders = f"usr/lib/{row.triplet}/gdk-pixbuf-2.0/2.10.0/loaders"
    assert made(tmp_path, document)[f"{loaders}.cache"].startswith(f'"/{loaders}/liba.so"\n'.encode())


def test_fonts_of_a_platform_of_other_pointers_have_no_cache(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    row = foreign(bits=32)
    document = run(tmp_path, capfd, row.oci, "--tools", str(tools(tmp_path)))
    assert [one["name"] for one in document["contents"]] == ["libgdk-pixbuf-2.0-0"]
    (note,) = document["notes"]
    assert note == (
        "fontconfig 1.0-1: fc-cache makes files for 32 bits only where programs of "
        f"{row.oci} run; without them, programs look for themselves at each start"
    )


def test_what_is_accepted_is_not_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert HOST is not None
    accepted = [part for name in packages() for part in ("--accept-scripts", name)]
    document = run(tmp_path, capfd, HOST.oci, *accepted)
    assert document["contents"] == []


def test_a_machine_that_gives_no_root(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert HOST is not None
    start = "error: gdk-pixbuf-query-loaders of libgdk-pixbuf-2.0-0 makes a file of the image, and this machine gives it "
    way = "  an image without that file: name libgdk-pixbuf-2.0-0 in accept_scripts of the base\n"
    said = run(tmp_path, capfd, HOST.oci)
    assert said.startswith(
        f"{start}no root of its own to run in (the lock of the base has no bubblewrap)\n{way}  -> "
    )
    place = tools(tmp_path)
    (place / "usr/bin/bwrap").write_text(
        "#!/bin/sh\necho setting up uid map: Permission denied >&2; exit 1\n"
    )
    said = run(tmp_path, capfd, HOST.oci, "--tools", str(place))
    assert said.startswith(
        f"{start}no root of its own to run in (setting up uid map: Permission denied)\n{way}  -> "
    )


def test_a_program_that_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert HOST is not None
    broken = packages(b"#!/bin/sh\necho no fonts; exit 5\n")
    said = run(tmp_path, capfd, HOST.oci, "--tools", str(tools(tmp_path)), packages=broken)
    assert said == (
        "error: fc-cache of fontconfig 1.0-1 failed: exit code 5\n  no fonts\n"
        "  -> leave it out: name fontconfig in accept_scripts of the base\n"
    )
