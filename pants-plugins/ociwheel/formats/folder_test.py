from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ociwheel.errors import BuildError
from ociwheel.formats.folder import Folder
from ociwheel.formats.guard import Guard

GUARD = Guard("x.tar", BuildError)


def modes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path.relative_to(folder))] = (
            os.readlink(path) if stat.S_ISLNK(mode) else oct(stat.S_IMODE(mode))
        )
    return found


def test_files_folders_and_links_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with Folder(tmp_path / "new/out", GUARD) as folder:
            folder.write("a/b/program", [b"1", b"2"], executable=True)
            folder.link("a/link", "b/program")
            folder.make_folder("empty")
            folder.write("a/text", [b"first"], executable=True)
            folder.write("a/text", [b"second"], executable=False)
            folder.second_name("a/other", "a/text")
            folder.second_name("a/twin", "a/link")
    finally:
        os.umask(before)
    assert modes(tmp_path) == {
        "new": "0o755", "new/out": "0o755", "new/out/a": "0o755", "new/out/a/b": "0o755",
        "new/out/a/b/program": "0o755", "new/out/a/link": "b/program", "new/out/a/other": "0o644",
        "new/out/a/text": "0o644", "new/out/a/twin": "b/program", "new/out/empty": "0o755",
    }  # fmt: skip
    assert (tmp_path / "new/out/a/other").read_bytes() == b"second"


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (lambda f: f.link("a", "/etc"), "the link 'a' would leave its folder"),
        (lambda f: f.link("a", "../x"), "the link 'a' would leave its folder"),
        (lambda f: f.link("a/b", "../../x"), "the link 'a/b' would leave its folder"),
        (lambda f: (f.link("a", "b/../.."), f.link("b", ".")), "the link 'a' would leave its folder"),
        (lambda f: (f.link("a", "b/b/../../x"), f.link("b", ".")), "the link 'a' would leave its folder"),
        (lambda f: (f.link("a", "d/../../x"), f.link("d", "e/f"), f.make_folder("e/f")), None),
        (lambda f: (f.link("a", "d/../../../x"), f.link("d", "e/f")), "the link 'a' would leave its folder"),
        (lambda f: (f.link("a", "b"), f.link("b", "a")), "the link 'a' leads in a circle"),
        (lambda f: f.link("a", "a"), "the link 'a' leads in a circle"),
        (lambda f: (f.link("a", "b"), f.write("a/x", [], executable=False)), "the entry 'a/x' is below 'a', a symbolic link"),
        (lambda f: (f.write("a", [], executable=False), f.make_folder("a/x")), "the entry 'a/x' is below 'a', a file"),
        (lambda f: (f.make_folder("a"), f.link("a", "b")), "the entry 'a' cannot be written: Is a directory"),
        (lambda f: (f.make_folder("a"), f.write("a", [], executable=False)), "the entry 'a' cannot be written: Is a directory"),
        (lambda f: (f.link("a", "b"), f.make_folder("a")), "the entry 'a' is below 'a', a symbolic link"),
        (lambda f: f.second_name("a", "b"), "the hard link 'a' points to nothing: 'b'"),
        (lambda f: f.second_name("a", "a"), "the hard link 'a' points to nothing: 'a'"),
    ],
)  # fmt: skip
def test_what_would_lead_outside(
    tmp_path: Path, fill: Callable[[Folder], object], message: str | None
) -> None:
    def run() -> None:
        with Folder(tmp_path / "out", GUARD) as folder:
            fill(folder)

    if message is None:
        run()
        return
    with pytest.raises(BuildError) as e:
        run()
    assert e.value.render() == f"x.tar: {message}"
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_a_link_that_is_on_the_disk_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/a").symlink_to("../elsewhere")
    (tmp_path / "out/b").symlink_to("../elsewhere/b")
    for path in ("a/x", "b"):
        with pytest.raises(BuildError, match="cannot be written"), Folder(tmp_path / "out", GUARD) as folder:
            folder.write(path, [b"x"], executable=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


_PATHS = st.sampled_from(("a", "b", "a/b", "a/c", "b/a", "a/b/c", "d"))
_TEXTS = st.sampled_from(("a", "b", "..", "../..", ".", "a/b/../..", "../a", "b/../../x", "./b/..", "c/.."))
_STEPS = st.one_of(
    st.tuples(st.just("link"), _PATHS, _TEXTS),
    st.tuples(st.just("write"), _PATHS, st.just("")),
    st.tuples(st.just("make"), _PATHS, st.just("")),
    st.tuples(st.just("second"), _PATHS, _PATHS),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_STEPS, max_size=8))
def test_no_order_of_entries_leads_outside(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("room").resolve()
    try:
        with Folder(root / "out", GUARD) as folder:
            for step, path, other in steps:
                if step == "link":
                    folder.link(path, other)
                elif step == "write":
                    folder.write(path, [b"x"], executable=False)
                elif step == "make":
                    folder.make_folder(path)
                else:
                    folder.second_name(path, other)
    except BuildError:
        pass
    assert [path.name for path in root.iterdir()] == ["out"]
    for place in (root / "out").rglob("*"):
        assert place.resolve().is_relative_to(root / "out")
