from __future__ import annotations

from dataclasses import replace

import pytest
from pants.util.frozendict import FrozenDict

from slim_python_image.bases import DebianBase, DebPackage, Interpreter, LayerGroup
from slim_python_image.products import GZIP, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.image_key import runtime
from slim_python_image.util_rules.made_files import MadeFilesRequest, makes_files


def deb(name: str, architecture: str = "amd64") -> DebPackage:
    return DebPackage(name, "1", architecture, "debian", f"pool/{name}_{architecture}.deb", 1, "0" * 64)


def base_of(*names: str, accept: tuple[str, ...] = ()) -> DebianBase:
    target = TargetEnvironment("linux/arm64", "3.11.2", "glibc", "2.36")
    interpreter = Interpreter("bookworm", replace(target, platform="linux/amd64"), None)
    group = LayerGroup("packages", False, tuple(deb(name, "arm64") for name in names))
    return DebianBase(
        *("bookworm", target, interpreter, (group,), ()),
        programs=FrozenDict({"bubblewrap": (deb("bubblewrap"),)}),
        accept_scripts=accept,
        made_with=tuple(deb(name) for name in names),
    )


def test_a_base_without_programs_that_make_files_has_no_such_layer() -> None:
    assert not makes_files(base_of("libpq5", "ca-certificates"))
    assert makes_files(base_of("libpq5", "fontconfig"))
    assert not makes_files(base_of("libpq5", "fontconfig", accept=("fontconfig",)))
    assert makes_files(base_of("libgvc6", "fontconfig", accept=("fontconfig",)))


def test_programs_are_those_of_this_machine() -> None:
    request = MadeFilesRequest.of(base_of("fontconfig"), GZIP)
    assert request.platform == "linux/arm64"
    assert [package.architecture for package in request.packages.packages] == ["amd64"]
    assert request.programs is not None
    assert [package.name for package in request.programs.source.packages] == ["bubblewrap"]


def test_a_base_that_is_not_locked_for_this_machine() -> None:
    base = replace(base_of("libgvc6", "fontconfig", "libpq5"), made_with=())
    with pytest.raises(SlimImageError) as e:
        MadeFilesRequest.of(base, GZIP)
    assert str(e.value) == (
        "fontconfig, libgvc6 of bookworm makes files when it is installed, and the base has no linux/amd64, whose "
        "programs this machine could run to make them\n"
        "  -> add linux/amd64 to `platforms` of the base and lock it again, or do without these files: "
        "accept_scripts=['fontconfig', 'libgvc6']"
    )


def test_the_key_of_an_image_has_what_its_files_are_made_with() -> None:
    def key(base: DebianBase) -> object:
        return runtime(base, bytecode=False)

    base, plain = base_of("fontconfig"), base_of("libpq5")
    assert key(base) != key(replace(base, made_with=(deb("fontconfig", "other"),)))
    assert key(base) != key(replace(base, accept_scripts=("fontconfig",)))
    assert key(plain) == key(replace(plain, made_with=(deb("libpq5", "other"),)))
