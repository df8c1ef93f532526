from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.meson_dependencies import lacking, unconditional
from ociwheel.build.pkgconfig import Sysroot


def project(folder: Path, **files: str) -> Path:
    """Write ``meson.build`` files; ``root`` is the one at the top, others are below folders of their names."""
    for name, text in files.items():
        path = folder / ("" if name == "root" else name.replace("__", "/")) / "meson.build"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dependency('dbus-1', version: '>=1.8')", ("dbus-1",)),
        (
            "a = dependency(\n  'glib-2.0',  # of GNOME\n  required: true,\n)\nb = dependency('cairo')",
            ("glib-2.0", "cairo"),
        ),
        ("dependency('a', modules: ['x', 'y'], version: ['>=1', '<2'])", ("a",)),
        ("# dependency('a')\nx = 'dependency(\\'b\\')'\ny = '''\ndependency('c')\n'''", ()),
        ("dependency('a', required: false)", ()),
        ("dependency('a', required: get_option('tests'))", ()),
        ("dependency('a', fallback: ['a', 'a_dep'])\ndependency('b', native: true)", ()),
        (
            "dependency('a', 'b')\ndependency(name)\ndependency('a' + 'b')\npy.dependency()\npy.dependency('c')",
            (),
        ),
        ("if get_option('x')\n  dependency('a')\nelse\n  dependency('b')\nendif\ndependency('c')", ("c",)),
        ("foreach one : names\n  dependency('a')\nendforeach", ()),
        ("a = windows ? dependency('a') : dependency('b')\ndependency('c')", ("c",)),
        ("declare_dependency(dependencies: [dependency('a')])", ("a",)),
        ("dependency('../../etc/passwd')\ndependency('')", ()),
        ("dependency('a'", ()),
    ],
)
def test_only_what_is_needed_whatever_the_options_are(
    tmp_path: Path, text: str, found: tuple[str, ...]
) -> None:
    assert unconditional(project(tmp_path, root=text)) == found


def test_folders_and_subprojects_are_followed_within_the_sdist(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/meson.build").write_text("dependency('outside')")
    source = project(
        tmp_path / "demo-1.0",
        root="subdir('src/c')\nsubproject('own')\nsubproject('perhaps', required: false)\nsubdir('../outside')\n"
        "subdir('src/c')\nsubdir('none')\nif x\n  subdir('other')\nendif",
        src__c="dependency('dbus-1')\nsubdir('deep')\nsubdir('..')",
        src__c__deep="dependency('glib-2.0')\ndependency('dbus-1')",
        subprojects__own="dependency('cairo')",
        subprojects__perhaps="dependency('perhaps')",
        other="dependency('other')",
    )
    assert unconditional(source) == ("dbus-1", "cairo", "glib-2.0")


def test_what_the_sysroot_has_is_not_lacking(tmp_path: Path) -> None:
    source = project(tmp_path / "src", root="dependency('a')\ndependency('b')\ndependency('c')")
    for place in (
        "lib/arm-linux-gnueabihf/pkgconfig/a.pc",
        "share/pkgconfig/b.pc",
        "share/pkgconfig/c.pc.in",
    ):
        (tmp_path / "root/usr" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root/usr" / place).touch()
    assert lacking(source, Sysroot(str(tmp_path / "root"), "arm-linux-gnueabihf")) == ("c",)
    assert lacking(tmp_path / "none", Sysroot(str(tmp_path), "arm-linux-gnueabihf")) == ()


@given(st.text(alphabet="dependency('a,)[]{}?:.#\n if endif", max_size=60) | st.text())
def test_no_text_is_too_much(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "meson.build").write_text(text, encoding="utf-8", errors="replace")
    assert all(name in text for name in unconditional(folder))
