from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.debian.packages import Universe, split_paragraphs
from ociwheel.debian.relations import Relation
from ociwheel.errors import BaseError, OciwheelError
from tests.support.debian import paragraph


def universe(*paragraphs: str) -> Universe:
    return Universe("amd64", split_paragraphs("\n".join(paragraphs), "debian"))


def test_a_paragraph_gives_the_fields_of_a_lock() -> None:
    (candidate,) = split_paragraphs(paragraph("libc6", "2.36-9+deb12u14"), "debian-security")
    assert candidate.key == "libc6=2.36-9+deb12u14:amd64"
    assert candidate.archive == "debian-security"
    assert candidate.path == "pool/main/l/libc6/libc6_2.36-9+deb12u14_amd64.deb"
    assert candidate.size == 1000
    assert candidate.upstream_version == "2.36"


def test_the_highest_version_comes_first_whatever_the_order() -> None:
    packages = universe(
        paragraph("libx", "1.9-1"), paragraph("libx", "1.10-1"), paragraph("libx", "1.10~rc1-1")
    )
    assert [c.version for c in packages.named("libx")] == ["1.10-1", "1.10~rc1-1", "1.9-1"]


def test_provides_are_found_over_folded_lines() -> None:
    packages = universe(
        paragraph("mawk", Provides="awk,\n awk-engine (= 3)"), paragraph("gawk", Provides="awk")
    )
    assert [c.name for c in packages.providers("awk")] == ["gawk", "mawk"]
    assert [c.name for c in packages.providers("awk-engine")] == ["mawk"]


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        (Relation("libssl3"), ["libssl3t64"]),
        (Relation("libssl3", ">=", "3.0"), ["libssl3t64"]),
        (Relation("libssl3", ">=", "4"), []),
        (Relation("unversioned"), ["libssl3t64"]),
        # Policy 7.5: a relation with a version is not satisfied by a virtual package without one.
        (Relation("unversioned", ">=", "1"), []),
        (Relation("libssl3t64", qualifier="arm64"), []),
        (Relation("libssl3t64", qualifier="amd64"), ["libssl3t64"]),
        (Relation("libssl3t64", qualifier="any"), ["libssl3t64"]),
    ],
)
def test_virtual_packages_have_versions_too(relation: Relation, expected: list[str]) -> None:
    packages = universe(paragraph("libssl3t64", "3.5-1", Provides="libssl3 (= 3.5-1), unversioned"))
    assert [c.name for c in packages.satisfying(relation)] == expected


def test_a_path_that_leaves_the_mirror_is_refused() -> None:
    text = paragraph("evil").replace("Filename: pool/", "Filename: pool/../../")
    (candidate,) = split_paragraphs(text, "debian")
    with pytest.raises(BaseError) as e:
        _ = candidate.path
    expected = "'pool/../../main/e/evil/evil_1.0-1_amd64.deb'"
    assert str(e.value) == f"package evil: the package index gives the path {expected}"


@given(st.text(alphabet=st.sampled_from("PackageVrsion: \n.0a(=)|,\t\0é"), max_size=80))
def test_any_index_parses_or_is_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(OciwheelError):
        for candidate in split_paragraphs("Package: a\n" + text, "debian"):
            assert candidate.key.startswith(candidate.name + "=")
            assert ".." not in candidate.path.split("/")
            assert candidate.size >= 0
            assert len(candidate.sha256) == 64
            assert all(group for group in candidate.dependencies)
