"""The tags of targets, and that nothing is chosen which they do not have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import parse_tag

from ociwheel.errors import UsageError
from ociwheel.plan.artifacts import choose
from ociwheel.plan.model import File, Formats, Locked
from ociwheel.platforms import PLATFORMS
from ociwheel.target import Target
from tests.support.values import target_of

AMD64, ARM64, ARMV7 = target_of(), target_of("linux/arm64"), target_of("linux/arm/v7")


@pytest.mark.parametrize("field", ["platform", "python", "libc", "libc_version"])
def test_targets_that_make_no_sense(field: str) -> None:
    with pytest.raises(UsageError):
        target_of(**{field: "nonsense"})


_TAGS = st.tuples(
    st.sampled_from(["py3", "py2.py3", "cp311", "cp39", "cp312", "py311"]),
    st.sampled_from(["none", "abi3", "cp311", "cp312"]),
    st.sampled_from(
        [
            "any",
            "linux_armv7l",
            "manylinux2014_x86_64",
            "manylinux_2_36_aarch64.manylinux_2_40_aarch64",
            "win32",
        ]
    ),
)


@given(st.sets(_TAGS), st.sampled_from([AMD64, ARM64, ARMV7]))
def test_what_is_chosen_is_supported(tags: set[tuple[str, str, str]], on: Target) -> None:
    files = ["a-1-" + "-".join(tag) + ".whl" for tag in sorted(tags)]
    supported = set(on.tag_ranks)

    def fits(filename: str) -> bool:
        tag = "-".join(filename.removesuffix(".whl").split("-")[-3:])
        return bool({str(t) for t in parse_tag(tag)} & supported)

    locked = Locked("a", "1", tuple(File(name, "0") for name in files), ())
    chosen = choose(locked, on, Formats())
    assert fits(chosen.filename) if chosen else not any(map(fits, files))


@pytest.mark.parametrize("row", PLATFORMS, ids=lambda row: row.slug)
def test_tags_of_every_platform(row: Any) -> None:
    found = list(target_of(row.oci).platform_tags())
    floor = ".".join(map(str, row.manylinux_floor))
    assert found[0] == f"manylinux_2_36_{row.machine}"
    assert found[-1] == f"linux_{row.machine}"
    assert f"manylinux_{floor.replace('.', '_')}_{row.machine}" in found
    assert len(found) == len(set(found))


def test_legacy_tags_stand_behind_the_glibc_they_mean() -> None:
    found = list(AMD64.platform_tags())
    assert found[found.index("manylinux_2_17_x86_64") + 1] == "manylinux2014_x86_64"
    assert found[found.index("manylinux_2_12_x86_64") + 1] == "manylinux2010_x86_64"
    assert found[-2:] == ["manylinux1_x86_64", "linux_x86_64"]
    musl = target_of(libc="musl", libc_version="1.2.4")
    assert list(musl.platform_tags()) == [
        "musllinux_1_2_x86_64",
        "musllinux_1_1_x86_64",
        "musllinux_1_0_x86_64",
        "linux_x86_64",
    ]


def test_tags_do_not_ask_the_python_that_runs_this(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("asks the host")

    expected = target_of().tags
    monkeypatch.setattr("packaging.tags._cpython_abis", asked)
    monkeypatch.setattr("packaging.tags.platform_tags", asked)
    assert target_of().tags == expected
    assert {tag.abi for tag in expected} == {"cp311", "abi3", "none"}
