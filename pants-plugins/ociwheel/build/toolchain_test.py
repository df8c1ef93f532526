from __future__ import annotations

from pathlib import Path

import pytest

from ociwheel.build import toolchain
from ociwheel.documents import canonical, document
from ociwheel.target import Target


def target(folder: Path, libc: str) -> Target:
    fields = {"platform": "linux/arm/v7", "python": "3.11.2", "libc": libc, "libc_version": "1.2"}
    (folder / "target.json").write_bytes(canonical(document("target", fields)))
    return Target.read(folder / "target.json")


def test_zig_is_told_the_libc(tmp_path: Path) -> None:
    assert toolchain.zig_target(target(tmp_path, "musl")) == "arm-linux-musleabihf"
    assert toolchain.zig_target(target(tmp_path, "glibc")) == "arm-linux-gnueabihf.1.2"


def test_programs_are_linked_with_the_base_s_libc(tmp_path: Path) -> None:
    on_musl = toolchain.probe_arguments(target(tmp_path, "musl"), cxx=False)
    assert ["-dynamic" in on_musl[kind] for kind in ("exe", "pie", "shared")] == [True, True, False]
    assert "-dynamic" not in toolchain.probe_arguments(target(tmp_path, "glibc"), cxx=False)["exe"]


@pytest.mark.parametrize(("libc", "names"), [("musl", {"m", "pthread"}), ("glibc", {"pthread"})])
def test_a_runtime_answers_for_what_its_libc_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libc: str, names: set[str]
) -> None:
    """musl has no libm: an extension that links with -lm did not link."""
    commands = toolchain._Commands(link=["libc++.a", "libc++abi.a", "libc.so.6"])
    monkeypatch.setattr(toolchain, "_probe", lambda *_: dict.fromkeys(("exe", "pie", "shared"), commands))
    monkeypatch.setattr(toolchain, "_take_libraries", lambda *_: ["libc++.a", "libc++abi.a", "libc.so.6"])
    toolchain.make_runtime(tmp_path, target(tmp_path, libc), tmp_path / "out", tmp_path, cxx=True)
    empty = {path.name for path in (tmp_path / "out/lib").iterdir() if path.read_bytes() == b"!<arch>\n"}
    assert {f"lib{name}.a" for name in names} <= empty
    assert ("libm.a" in empty) is (libc == "musl")
