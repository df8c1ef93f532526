import pytest

from ociwheel.elf.debian_libraries import release_of, table


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libpq.so.5", "libpq5"),
        ("libyaml-0.so.2", "libyaml-0-2"),
        ("libz.so.1", "zlib1g"),
        ("libssl.so.3", "libssl3"),
        ("libcrypto.so.3", "libssl3"),
        ("libxml2.so.2", "libxml2"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libX11.so.6", "libx11-6"),
        ("libGL.so.1", "libgl1"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libldap-2.5.so.0", "libldap-2.5-0"),
        ("libjpeg.so.62", "libjpeg62-turbo"),
        ("libsnappy.so.1", "libsnappy1v5"),
        ("libnss3.so", "libnss3"),
        ("libblas.so.3", "libblas3"),
        ("libopenblas.so.0", "libopenblas0-pthread"),
        ("libcuda.so.1", None),
        ("nonsense", None),
    ],
)
def test_packages_of_libraries(soname: str, package: str | None) -> None:
    assert table("bookworm").package(soname) == package


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libpq.so.5", "libpq5"),
        ("libssl.so.3", "libssl3t64"),
        ("libglib-2.0.so.0", "libglib2.0-0t64"),
        ("libcurl.so.4", "libcurl4t64"),
        ("libldap.so.2", "libldap2"),
        ("libldap-2.5.so.0", None),
        ("libjpeg.so.62", "libjpeg62-turbo"),
        ("libz.so.1", "zlib1g"),
    ],
)
def test_packages_of_trixie(soname: str, package: str | None) -> None:
    assert table("trixie").package(soname) == package


@pytest.mark.parametrize(
    ("glibc", "suite"),
    [
        (None, "bookworm"),
        ((2, 31), "bookworm"),
        ((2, 36), "bookworm"),
        ((2, 37), "trixie"),
        ((2, 41), "trixie"),
        ((2, 99), "trixie"),
    ],
)
def test_the_release_of_a_glibc(glibc: tuple[int, int] | None, suite: str) -> None:
    assert release_of(glibc).suite == suite


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_tables_are_small(suite: str) -> None:
    assert 3000 < len(table(suite).packages) < 10_000
