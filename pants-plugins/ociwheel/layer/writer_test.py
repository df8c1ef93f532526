import gzip
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ociwheel_testing.elf_writer import Elf, elf_bytes

import ociwheel
from ociwheel.errors import LayerError
from ociwheel.layer.writer import Content, Entry, write_layer

_CONTENT = (Content("wheel", "demo", "1.0"),)
# Regenerate after a wanted change: run this file's `_listing` on the same entries and paste.
_GOLDEN = """\
0755 0:0 0 app/
0755 0:0 0 app/bin/
0755 0:0 5 app/bin/run
0755 0:0 0 app/lib/
0644 0:0 5 app/lib/a.py
0644 0:0 0 app/lib/b.py link to app/lib/a.py
0644 0:0 0 app/lib/empty
0777 0:0 0 app/lib/l -> ../bin/run
1777 0:0 0 tmp/
0700 65532:65532 0 work/
0640 65532:65532 3 work/ü.txt"""
_GOLDEN_DIFF_ID = "sha256:7edf6438fef719842b70fbfe0b717d2032f0aba7596ed27aabbf5da995d77674"


def _entries(folder: Path) -> list[Entry]:
    source = folder / "run"
    source.write_bytes(b"#!sh\n")
    return [
        Entry("tmp", "dir", 0o1777),
        Entry("app/lib/a.py", "hardlink", 0o644, target="app/lib/b.py"),
        Entry("app/lib/b.py", "file", 0o100644, source=b"a = 1"),
        Entry("app/bin/run", "file", 0o755, source=source),
        Entry("app/lib/l", "symlink", 0o600, target="../bin/run"),
        Entry("app/lib/empty", "file", 0o644),
        Entry("work", "dir", 0o700, 65532, 65532),
        Entry("work", "dir", 0o700, 65532, 65532),
        Entry("work/ü.txt", "file", 0o640, 65532, 65532, source="ü\n".encode()),
    ]


def _blob(output: Path, layer: dict[str, Any]) -> bytes:
    path: Path = output / "blobs" / "sha256" / layer["descriptor"]["digest"].removeprefix("sha256:")
    return path.read_bytes()


def _listing(tar: bytes) -> str:
    lines = []
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for m in archive:
            link = f" link to {m.linkname}" if m.islnk() else f" -> {m.linkname}" if m.issym() else ""
            size = 0 if m.islnk() else m.size
            slash = "/" if m.isdir() else ""
            lines.append(f"{m.mode:04o} {m.uid}:{m.gid} {size} {m.name}{slash}{link}")
    return "\n".join(lines)


def test_golden_layer(tmp_path: Path) -> None:
    layer = write_layer(_entries(tmp_path), tmp_path / "out", title="demo", contents=_CONTENT)
    blob = _blob(tmp_path / "out", layer)
    tar = gzip.decompress(blob)
    assert _listing(tar) == _GOLDEN
    assert layer == {
        "schema": "ociwheel.layer/1",
        "descriptor": {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}",
            "size": len(blob),
        },
        "diff_id": f"sha256:{hashlib.sha256(tar).hexdigest()}",
        "unpacked_size": 13,
        "files": 11,
        "elf_files": 0,
        "title": "demo",
        "contents": [{"type": "wheel", "name": "demo", "version": "1.0", "unpacked_size": 13}],
        "left_out": [],
    }
    assert layer["diff_id"] == _GOLDEN_DIFF_ID
    assert sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file()) == sorted(
        [hashlib.sha256(blob).hexdigest(), "layer-facts.json", "layer-names.json"]
    )


def test_each_content_has_the_bytes_of_its_own_files(tmp_path: Path) -> None:
    entries = [
        Entry("a", "file", 0o644, source=b"12345", origin="one 1.0"),
        Entry("b", "file", 0o644, source=b"123", origin="one 1.0"),
        Entry("c", "hardlink", 0o644, target="a", origin="one 1.0"),
        Entry("d", "file", 0o644, source=b"12", origin="two 2.0"),
        Entry("e", "file", 0o644, source=b"1"),
    ]
    contents = [
        Content("deb", name, version) for name, version in (("one", "1.0"), ("two", "2.0"), ("no", "1"))
    ]
    layer = write_layer(entries, tmp_path, title="t", contents=contents)
    assert [(one["name"], one["unpacked_size"]) for one in layer["contents"]] == [
        ("one", 8),
        ("two", 2),
        ("no", 0),
    ]
    assert layer["unpacked_size"] == 11


def test_a_layer_says_whether_its_code_opens_libraries(tmp_path: Path) -> None:
    opened = {"a 1": {"files": [], "calls": [["magic"]]}, "b 1": {"files": ["libb.so"], "calls": []}}

    def opens(*origins: str) -> object:
        some = {origin: opened[origin] for origin in origins}
        out = tmp_path / str(len(some))
        return write_layer([], out, title="demo", contents=[], opened=some).get("opens")

    assert (opens("a 1", "b 1"), opens("b 1")) == (1, None)


def test_facts_list_files_and_elf_with_their_origin(tmp_path: Path) -> None:
    elf = elf_bytes(Elf(needed=["libc.so.6"], soname="libdemo.so.1"))
    write_layer(
        [
            Entry("lib/libdemo.so.1", "file", 0o644, source=elf),
            Entry("lib/x.so", "file", 0o644, source=elf, origin="x 2"),
            Entry("lib/fake.so", "file", 0o644, source=b"\x7fELF damaged"),
        ],
        tmp_path,
        title="t",
        contents=_CONTENT,
    )
    facts = json.loads((tmp_path / "layer-facts.json").read_bytes())
    assert facts["files"][0] == ["lib", "d", 0o755, 0, 0, 0, ""]
    assert facts["files"][2] == ["lib/libdemo.so.1", "f", 0o644, 0, 0, len(elf), ""]
    assert [(e["path"], e["origin"], e["needed"]) for e in facts["elf"]] == [
        ("lib/libdemo.so.1", "demo 1.0", ["libc.so.6"]),
        ("lib/x.so", "x 2", ["libc.so.6"]),
    ]


_NAMES = st.text(min_size=1, max_size=8).filter(
    lambda n: n not in {".", ".."} and not set(n) & {"/", "\0"} and not n.startswith(".wh.") and _utf8(n)
)


def _utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_order_of_entries_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = data.draw(st.dictionaries(_NAMES, st.binary(max_size=2000), min_size=1, max_size=8))
    entries = [Entry(f"d{len(n) % 3}/{n}", "file", 0o644, source=content) for n, content in files.items()]
    shuffled = data.draw(st.permutations(entries))
    folder = tmp_path_factory.mktemp("order")
    one = write_layer(entries, folder / "1", title="t", contents=_CONTENT)
    two = write_layer(shuffled, folder / "2", title="t", contents=_CONTENT)
    assert one == two
    assert (folder / "1/layer-facts.json").read_bytes() == (folder / "2/layer-facts.json").read_bytes()


_SCRIPT = """
import os, sys
os.umask(int(sys.argv[2], 8))
from pathlib import Path
from ociwheel.layer.writer import Content, Entry, write_layer
entries = [Entry(f"a/{n}", "file", 0o644, source=str(n).encode() * 9000) for n in range(200)]
if len(sys.argv) > 3:
    entries.reverse()
print(write_layer(entries, Path(sys.argv[1]), title="t", contents=[Content("wheel", "d", "1")])["descriptor"])
"""


def test_surroundings_do_not_show_in_the_bytes(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(ociwheel.__file__).parents[1]), *sys.path])
    outputs = set()
    for number, (umask, extra) in enumerate(
        [
            ("022", {"TZ": "UTC", "LANG": "C"}),
            ("077", {"TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "7"}),
            ("000", {"TZ": "America/New_York", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "5"}),
        ]
    ):
        cwd = tmp_path / f"cwd{number}"
        cwd.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, "out", umask, *(["r"] if number else [])],
            env={"PYTHONPATH": path, **extra}, cwd=cwd, capture_output=True, check=True,
        )  # fmt: skip
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_a_large_file_does_not_live_in_memory(tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(300 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layer = write_layer([Entry("big", "file", 0o644, source=big)], tmp_path, title="t", contents=_CONTENT)
    assert layer["unpacked_size"] == 300 << 20
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 60 << 20


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [Entry("a", "file", 0o644, origin="x 1"), Entry("a", "file", 0o755, origin="y 2")],
            "a comes twice: from x 1 (file, mode 0644, owner 0:0) and from y 2 (file, mode 0755, owner 0:0)",
        ),
        (
            [Entry("a", "symlink", 0, target="b", origin="x 1"), Entry("a/b", "file", 0o644, origin="y 2")],
            "a/b (y 2) is below a, which is a symlink (x 1)",
        ),
        ([Entry("../a", "file", 0o644)], "demo 1.0: the path '../a' is not a plain path inside the image"),
        ([Entry("/a", "file", 0o644)], "demo 1.0: the path '/a' is not a plain path inside the image"),
        ([Entry("a/", "dir", 0o755)], "demo 1.0: the path 'a/' is not a plain path inside the image"),
        ([Entry("\ud800", "file", 0o644)], "demo 1.0: the path '\\ud800' or its link target is not UTF-8"),
        (
            [Entry("d/.wh.x", "file", 0o644)],
            "demo 1.0: the path 'd/.wh.x' has a name that means deletion in an OCI layer (.wh.*)",
        ),
        ([Entry("a", "symlink", 0)], "demo 1.0: the symlink 'a' has no usable target: ''"),
        (
            [Entry("a", "hardlink", 0o644, target="b")],
            "demo 1.0: the hard link a points to nothing in this layer: b",
        ),
        (
            [Entry("a", "file", 0o644, source=Path("/nonexistent/x"))],
            "demo 1.0: cannot read the content of a: No such file or directory",
        ),
    ],
)
def test_entries_that_make_no_layer(tmp_path: Path, entries: list[Entry], message: str) -> None:
    with pytest.raises(LayerError) as e:
        write_layer(entries, tmp_path, title="t", contents=_CONTENT)
    assert str(e.value) == message
    assert not list(tmp_path.glob("blobs/sha256/*"))
    assert not (tmp_path / "layer-facts.json").exists()


def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    class Growing:
        size = 3

        def open(self) -> BinaryIO:
            return io.BytesIO(b"four")

    with pytest.raises(LayerError) as e:
        write_layer([Entry("a", "file", 0o644, source=Growing())], tmp_path, title="t", contents=())
    assert str(e.value) == "a changed while it was read"
