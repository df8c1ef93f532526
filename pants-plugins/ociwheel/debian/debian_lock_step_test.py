"""The whole step against a mirror of files, signed with a throwaway key."""

from __future__ import annotations

import argparse
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from ociwheel.debian import debian_lock_step
from ociwheel.debian.policy import EMULATION_PROGRAMS
from ociwheel.debian.pythons import suites_with
from ociwheel.errors import OciwheelError, ToolError, UsageError
from tests.support.debian import Mirror, SigningKey, paragraph, signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = {
    "name": "base",
    "suites": ["tiny"],
    "packages": ["tzdata", "libextra"],
    "builder_packages": ["libextra-dev"],
    "python": "3.11",
    "platforms": ["linux/amd64"],
}


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with signing_key() as made:
        yield made


@pytest.fixture
def mirror(tmp_path: Path, key: SigningKey) -> Mirror:
    return Mirror(tmp_path / "mirror", key)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only mirrors are files."""
    place = tmp_path / "machine"
    place.mkdir()
    settings = {"indexes": [], "debian_mirrors": {"debian": [mirror.url], "debian-security": [mirror.url]}}
    (place / "network.json").write_text(json.dumps(settings))
    monkeypatch.setenv("OCIWHEEL_MACHINE", str(place))
    return place


def index(architecture: str) -> list[str]:
    return [
        paragraph("debconf"),
        paragraph("gcc", architecture=architecture, Depends="gcc-12 (>= 1.0)"),
        paragraph("gcc-12", architecture=architecture, Depends="libgcc-12-dev, libc6-dev"),
        paragraph("gcc-12-base", architecture=architecture),
        paragraph("libasan8", architecture=architecture, Depends="libc6"),
        paragraph("libc6", "2.36-9+deb12u14", architecture=architecture, Depends="libgcc-s1"),
        paragraph(
            "libc6-dev",
            architecture=architecture,
            Depends="libc6, linux-libc-dev, libcrypt-dev, rpcsvc-proto",
        ),
        paragraph("libcrypt-dev", architecture=architecture),
        paragraph("libextra", architecture=architecture, Depends="libc6 (>= 2.36)"),
        paragraph(
            "libextra-dev", architecture=architecture, Depends="libextra (= 1.0-1), libc6-dev, libgcc-12-dev"
        ),
        paragraph("libgcc-s1", architecture=architecture, Depends="gcc-12-base"),
        paragraph("libpython3.11-dev", "3.11.2-6", architecture=architecture, Depends="libpython3.11-stdlib"),
        paragraph("libpython3.11-stdlib", "3.11.2-6", architecture=architecture, Depends="libc6"),
        paragraph(
            "libgcc-12-dev", architecture=architecture, Depends="gcc-12-base, libgcc-s1, libgomp1, libasan8"
        ),
        paragraph("rpcsvc-proto", architecture=architecture),
        paragraph("libgomp1", architecture=architecture, Depends="libc6"),
        paragraph(
            "libstdc++-12-dev", architecture=architecture, Depends="libgcc-12-dev, libc6-dev, libstdc++6"
        ),
        paragraph("libstdc++6", architecture=architecture, Depends="libc6"),
        paragraph("linux-libc-dev", architecture=architecture),
        paragraph("python3", "3.11.2-1+b1", architecture=architecture, Depends="python3.11 (>= 3.11.2-1~)"),
        paragraph("python3.11", "3.11.2-6", architecture=architecture, Depends="libpython3.11-stdlib"),
        paragraph("tzdata", "2024a-0", architecture="all", Depends="debconf"),
    ]


def publish(mirror: Mirror, suite: str = "tiny") -> Path:
    return mirror.publish(suite, {"amd64": index("amd64"), "arm64": index("arm64")})


def lock(tmp_path: Path, key: SigningKey, **changes: Any) -> dict[str, Any]:
    request = tmp_path / "request.json"
    request.write_text(json.dumps({**REQUEST, **changes}))
    arguments = argparse.Namespace(request=request, output=tmp_path / "base.lock", keyring=[key.keyring])
    return debian_lock_step.run(arguments)


def fault(tmp_path: Path, key: SigningKey, **changes: Any) -> str:
    with pytest.raises(OciwheelError) as e:
        lock(tmp_path, key, **changes)
    return str(e.value)


def test_the_closures_of_image_sysroot_and_interpreter(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish(mirror)
    result = lock(tmp_path, key)
    platform = result["platforms"]["linux/amd64"]
    assert platform["target"] == {
        "platform": "linux/amd64",
        "python": "3.11.2",
        "libc": "glibc",
        "libc_version": "2.36",
    }
    assert [(x["title"], x["bytecode"], x["packages"]) for x in platform["layers"]] == [
        (
            "libraries",
            False,
            ["gcc-12-base=1.0-1:amd64", "libc6=2.36-9+deb12u14:amd64", "libgcc-s1=1.0-1:amd64"],
        ),
        ("data", False, ["tzdata=2024a-0:all"]),
        ("python3.11", True, ["libpython3.11-stdlib=3.11.2-6:amd64", "python3.11=3.11.2-6:amd64"]),
        ("packages", False, ["libextra=1.0-1:amd64"]),
    ]
    assert [k.partition("=")[0] for k in platform["builder"]] == [
        "gcc-12-base",
        "libc6",
        "libc6-dev",
        "libcrypt-dev",
        "libextra",
        "libextra-dev",
        "libgcc-12-dev",
        "libgcc-s1",
        "libgomp1",
        "libpython3.11-dev",
        "libpython3.11-stdlib",
        "libstdc++-12-dev",
        "libstdc++6",
        "linux-libc-dev",
    ]
    assert [k.partition("=")[0] for k in result["interpreters"]["linux/arm64"]] == [
        "gcc-12-base",
        "libc6",
        "libgcc-s1",
        "libpython3.11-stdlib",
        "libstdc++6",
        "python3.11",
    ]
    assert result["inputs"] == {k: v for k, v in REQUEST.items() if k != "name"}


def test_the_runtime_is_that_of_the_suite_s_gcc(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    """trixie has gcc 14, and packages of 12 and 13 beside it."""
    packages = {
        one: [text.replace("gcc-12", "gcc-14").replace("++-12", "++-14") for text in index(one)]
        + [paragraph("libgcc-12-dev", architecture=one), paragraph("libstdc++-13-dev", architecture=one)]
        for one in ("amd64", "arm64")
    }
    packages = {
        one: [
            text.replace("libgcc-12-dev\n", "libgcc-14-dev\n", 1) if "libextra-dev" in text else text
            for text in texts
        ]
        for one, texts in packages.items()
    }
    mirror.publish("tiny", packages)
    names = {k.partition("=")[0] for k in lock(tmp_path, key)["platforms"]["linux/amd64"]["builder"]}
    assert {"libgcc-14-dev", "libstdc++-14-dev"} <= names
    assert not {"libgcc-12-dev", "libstdc++-13-dev", "gcc-14"} & names


def test_suites_without_a_gcc_are_told(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    packages = {one: [t for t in index(one) if "Package: gcc\n" not in t] for one in ("amd64", "arm64")}
    mirror.publish("tiny", packages)
    message = fault(tmp_path, key)
    assert "the suites have no gcc for amd64, whose C runtime wheels are compiled against" in message
    assert "-> add the release itself to suites of the base" in message


def test_gcc_is_locked_by_machine_and_target_where_it_is_asked_for(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    packages = {}
    for one, other in (("amd64", "aarch64-linux-gnu"), ("arm64", "x86-64-linux-gnu")):
        cross = "armhf" if one == "amd64" else "amd64"
        packages[one] = [
            *index(one),
            paragraph("g++-12", architecture=one, Depends="gcc-12, libstdc++-12-dev, libmpfr6"),
            paragraph("libmpfr6", architecture=one, Depends="libc6"),
            paragraph(
                f"g++-12-{other}", architecture=one, Depends=f"libmpfr6, libstdc++-12-dev-{cross}-cross"
            ),
            paragraph(
                f"libstdc++-12-dev-{cross}-cross", architecture="all", Depends=f"libc6-dev-{cross}-cross"
            ),
            paragraph(f"libc6-dev-{cross}-cross", architecture="all"),
        ]
    mirror.publish("tiny", packages)
    result = lock(tmp_path, key, compilers=["gcc"])
    found = {
        host: [k.partition("=")[0] for k in targets["linux/amd64"]]
        for host, targets in result["compilers"].items()
    }
    assert {"g++-12", "gcc-12", "libmpfr6", "libc6"} <= set(found["linux/amd64"])
    # libc and headers of Linux are the sysroot's.
    assert not {"libc6-dev", "libasan8", "linux-libc-dev"} & set(found["linux/amd64"])
    assert {"g++-12-x86-64-linux-gnu", "libstdc++-12-dev-amd64-cross", "libmpfr6"} <= set(
        found["linux/arm64"]
    )
    assert not {name for name in found["linux/arm64"] if name.startswith("libc6-dev")}
    assert set(result["compilers"]["linux/arm64"]["linux/amd64"]) <= set(result["packages"])
    assert "compilers" not in lock(tmp_path, key)
    with pytest.raises(UsageError, match="compilers are icc; there is gcc"):
        lock(tmp_path, key, compilers=["icc"])


def publish_with_a_compiler(mirror: Mirror) -> None:
    programs = [paragraph(name, Pre_Depends="libc6") for name in EMULATION_PROGRAMS]
    compiler = [
        paragraph("libxml-dev", Depends="libxml, libc6-dev"),
        paragraph("libxml", Depends="libextra"),
    ]
    mirror.publish("tiny", {"amd64": [*index("amd64"), *programs, *compiler], "arm64": index("arm64")})


def test_a_group_is_locked_as_what_it_adds_to_the_builder(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish_with_a_compiler(mirror)
    before = lock(tmp_path, key)
    result = lock(tmp_path, key, builder_groups={"lxml": ["libxml-dev"], "zope": ["libextra-dev"]})
    platform = result["platforms"]["linux/amd64"]
    assert platform.pop("builder_groups") == {
        "lxml": ["libxml=1.0-1:amd64", "libxml-dev=1.0-1:amd64"],
        "zope": [],
    }
    assert platform == before["platforms"]["linux/amd64"]
    assert result["inputs"]["builder_groups"] == {"lxml": ["libxml-dev"], "zope": ["libextra-dev"]}
    written = (tmp_path / "base.lock").read_text().splitlines()
    assert '          "libxml-dev=1.0-1:amd64"' in written


def test_a_groups_faults_name_its_distribution(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish_with_a_compiler(mirror)
    message = fault(tmp_path, key, builder_groups={"lxml": ["libxslt-dev"]})
    assert "linux/amd64, builder_packages of lxml: " in message
    assert "no suite has libxslt-dev" in message
    with pytest.raises(
        UsageError, match=r"request\.json: builder_groups\.lxml: expected a list, found 'libxslt-dev'$"
    ):
        lock(tmp_path, key, builder_groups={"lxml": "libxslt-dev"})


def publish_with_curl(mirror: Mirror) -> None:
    programs = {
        one: [
            paragraph("curl", architecture=one, Depends="libcurl4, libextra"),
            paragraph("libcurl4", architecture=one, Depends="libc6, debconf"),
        ]
        for one in ("amd64", "arm64")
    }
    only_here = [paragraph("tini", Depends="libc6")]
    mirror.publish(
        "tiny",
        {
            "amd64": [*index("amd64"), *programs["amd64"], *only_here],
            "arm64": [*index("arm64"), *programs["arm64"]],
        },
    )


def test_packages_of_images_are_locked_as_what_they_add_to_the_runtime(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish_with_curl(mirror)
    lock(tmp_path, key)
    before = (tmp_path / "base.lock").read_text().splitlines()
    wanted = {"curl": ["linux/amd64"], "curl, tini": ["linux/amd64"], "libextra": ["linux/amd64"]}
    result = lock(tmp_path, key, image_packages=wanted)
    assert result["platforms"]["linux/amd64"]["image_packages"] == {
        "curl": ["curl=1.0-1:amd64", "libcurl4=1.0-1:amd64"],
        "curl, tini": ["curl=1.0-1:amd64", "libcurl4=1.0-1:amd64", "tini=1.0-1:amd64"],
        "libextra": [],
    }
    assert result["inputs"]["image_packages"] == wanted
    # What was there stays, line by line.
    assert not set(before) - set((tmp_path / "base.lock").read_text().splitlines())


def test_packages_of_images_may_be_missing_where_no_image_needs_them(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish_with_curl(mirror)
    both = ["linux/amd64", "linux/arm64"]
    result = lock(tmp_path, key, platforms=both, image_packages={"tini": ["linux/amd64"], "curl": both})
    assert list(result["platforms"]["linux/arm64"]["image_packages"]) == ["curl"]
    message = fault(tmp_path, key, platforms=both, image_packages={"tini": both})
    assert "linux/arm64, extra_packages tini: these packages cannot be installed together on arm64" in message
    assert "linux/amd64" not in message


def test_emulation_locks_a_compiler_with_its_libc_and_a_shell(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish_with_a_compiler(mirror)
    before = lock(tmp_path, key)
    result = lock(tmp_path, key, emulation_packages=["gcc"])
    platform = result["platforms"]["linux/amd64"]
    names = {one.partition("=")[0] for one in platform.pop("emulation")}
    assert {
        "gcc",
        "gcc-12",
        "libc6",
        "libc6-dev",
        "libgcc-12-dev",
        "libextra-dev",
        "libpython3.11-dev",
    } <= names
    assert {"dash", "mawk", "coreutils", "python3.11"} <= names
    assert not {"tzdata", "debconf"} & names
    assert platform == before["platforms"]["linux/amd64"]


def test_a_lock_has_one_package_per_line_and_no_host(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror)
    result = lock(tmp_path, key)
    text = (tmp_path / "base.lock").read_text()
    assert json.loads(text) == result
    assert str(tmp_path) not in text
    lines = text.splitlines()
    assert [line for line in lines if '"libextra=1.0-1:amd64": ' in line] == [
        (
            '    "libextra=1.0-1:amd64": {"architecture": "amd64", "archive": "debian", "name": "libextra", '
            '"path": "pool/main/l/libextra/libextra_1.0-1_amd64.deb", '
            f'"sha256": "{result["packages"]["libextra=1.0-1:amd64"]["sha256"]}", '
            '"size": 1000, "version": "1.0-1"},'
        )
    ]
    assert sum('"path": ' in line for line in lines) == len(result["packages"])


def test_locking_again_gives_the_same_bytes(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror)
    lock(tmp_path, key)
    first = (tmp_path / "base.lock").read_bytes()
    mirror.publish("tiny", {a: list(reversed(index(a))) for a in ("arm64", "amd64")})
    lock(tmp_path, key)
    assert (tmp_path / "base.lock").read_bytes() == first


def test_without_a_version_python_is_the_distributions_own(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish(mirror)
    assert lock(tmp_path, key, python=None)["python"] == "3.11"


def test_a_security_suite_is_locked_from_its_own_archive(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish(mirror)
    update = [paragraph("libextra", "1.0-1+deb12u1", Depends="libc6")]
    mirror.publish("tiny-security", {"amd64": update, "arm64": []})
    result = lock(tmp_path, key, suites=["tiny", "tiny-security"], builder_packages=[])
    package = result["packages"]["libextra=1.0-1+deb12u1:amd64"]
    assert package["archive"] == "debian-security"
    assert result["packages"]["libc6=2.36-9+deb12u14:amd64"]["archive"] == "debian"


def test_a_changed_release_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    release = publish(mirror)
    release.write_bytes(release.read_bytes().replace(b"Suite: tiny", b"Suite: tinY"))
    message = fault(tmp_path, key).splitlines()
    assert message[0] == f"{mirror.url}/dists/tiny/InRelease: no good signature by a known key"
    assert any("BAD signature" in line for line in message)
    assert message[-1] == "  -> the file was changed, or the suite needs a keyring of its own: --keyring FILE"


def test_what_stands_beside_the_signed_text_is_not_believed(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    """Text before the signed message is in the file, but not in what gpgv says is signed."""
    release = publish(mirror)
    signed = release.read_bytes()
    mirror.publish("tiny", {"amd64": [paragraph("evil")], "arm64": [paragraph("evil")]})
    text = release.read_bytes().split(b"\n\n", 1)[1].split(b"-----BEGIN PGP SIGNATURE")[0]
    release.write_bytes(text + b"\n" + signed)
    assert "no suite has" not in fault(tmp_path, key)
    assert "differs from what the signed InRelease says" in fault(tmp_path, key)


def test_a_signature_by_another_key_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror)
    with signing_key() as other:
        message = fault(tmp_path, other)
    assert "no good signature by a known key" in message
    assert "No public key" in message


def test_an_unsigned_release_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    release = publish(mirror)
    release.write_text("Suite: tiny\nSHA256:\n")
    assert "no good signature by a known key" in fault(tmp_path, key)


def test_an_expired_release_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    mirror.extra["Valid-Until"] = "Sat, 08 Jan 2022 00:00:00 UTC"
    publish(mirror)
    assert fault(tmp_path, key) == (
        f"{mirror.url}/dists/tiny/InRelease: the release was valid until Sat, 08 Jan 2022 00:00:00 UTC\n"
        "  -> the mirror is out of date: name another one"
    )


def test_a_mirror_that_is_a_state_of_the_archive_is_valid_as_of_its_time(
    tmp_path: Path, mirror: Mirror, machine: Path, key: SigningKey
) -> None:
    """Releases of testing are valid for a week; a state of the archive has them for good."""
    mirror.extra["Valid-Until"] = "Sat, 08 Jan 2022 00:00:00 UTC"
    publish(mirror)

    def locked_as_of(state: str) -> dict[str, Any]:
        place = mirror.root.parent / state
        if not place.exists():
            shutil.copytree(mirror.root, place)
        mirrors = {"debian_mirrors": {"debian": [place.as_uri()]}}
        (machine / "network.json").write_text(json.dumps(mirrors))
        return lock(tmp_path, key)

    assert locked_as_of("20220105T120000Z")["python"] == "3.11"
    assert "Z" not in (tmp_path / "base.lock").read_text()
    for late in ("20220109T000000Z", "20229999T000000Z", "20220105T120000Z/debian"):
        with pytest.raises(OciwheelError, match="the release was valid until"):
            locked_as_of(late)


def test_the_release_of_another_suite_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror, "old")
    shutil.copytree(mirror.root / "dists/old", mirror.root / "dists/tiny")
    expected = f"{mirror.url}/dists/tiny/InRelease: the mirror answers with the release of old"
    assert fault(tmp_path, key) == expected


def test_an_index_that_differs_from_the_release_is_refused(
    tmp_path: Path, mirror: Mirror, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(mirror)
    path = "tiny/main/binary-amd64/Packages.xz"
    (mirror.root / "dists" / path).write_bytes(b"something else")
    message = fault(tmp_path, key)
    assert message.splitlines()[0] == (
        f"{mirror.url}/dists/{path}: the package index differs from what the signed InRelease says"
    )
    assert "found:  14 bytes, sha256 " in message
    assert "warning: the package index differs" in capsys.readouterr().err


def test_an_index_that_is_being_replaced_is_found_by_its_hash(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish(mirror)
    place = mirror.root / "dists/tiny/main/binary-amd64"
    old = place / "Packages.xz"
    by_hash = place / "by-hash/SHA256"
    by_hash.mkdir(parents=True)
    release = (mirror.root / "dists/tiny/InRelease").read_text()
    digest = next(x.split()[0] for x in release.splitlines() if x.endswith("binary-amd64/Packages.xz"))
    old.rename(by_hash / digest)
    old.write_bytes(b"the next one")
    assert "libextra=1.0-1:amd64" in lock(tmp_path, key)["packages"]


def test_the_second_mirror_serves_when_the_first_has_no_such_suite(
    tmp_path: Path, mirror: Mirror, machine: Path, key: SigningKey
) -> None:
    publish(mirror)
    mirrors = {"debian_mirrors": {"debian": [f"{mirror.url}/gone", mirror.url]}}
    (machine / "network.json").write_text(json.dumps(mirrors))
    assert lock(tmp_path, key)["python"] == "3.11"


def test_a_suite_that_no_mirror_has_names_each(
    tmp_path: Path, mirror: Mirror, machine: Path, key: SigningKey
) -> None:
    mirrors = {"debian_mirrors": {"debian": [f"{mirror.url}/one", f"{mirror.url}/two"]}}
    (machine / "network.json").write_text(json.dumps(mirrors))
    assert fault(tmp_path, key) == (
        "no mirror gives the suite 'tiny':\n"
        f"  {mirror.url}/one/dists/tiny/InRelease: the mirror does not give it: No such file or directory\n"
        f"  {mirror.url}/two/dists/tiny/InRelease: the mirror does not give it: No such file or directory"
    )


def test_faults_of_all_platforms_come_together(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror)
    message = fault(
        tmp_path, key, packages=["libnothing"], platforms=["linux/amd64", "linux/arm64", "linux/386"]
    )
    assert message.splitlines() == [
        "3 problems:",
        "  linux/amd64, packages: these packages cannot be installed together on amd64:",
        "    libnothing: no suite has libnothing",
        "    -> change packages, extra_packages, builder_packages, excluded_packages or suites",
        "  linux/arm64, packages: these packages cannot be installed together on arm64:",
        "    libnothing: no suite has libnothing",
        "    -> change packages, extra_packages, builder_packages, excluded_packages or suites",
        "  tiny: the suite has no component 'main' for i386",
        "    its architectures: amd64, arm64",
    ]


def test_a_python_that_the_suites_lack_is_told_once_per_platform(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish(mirror)
    way_out = (
        "no release of Debian has python3.12: bookworm 3.11, trixie 3.13, forky 3.14; or take an image of a "
        "registry that has it, such as python:3.12-slim"
    )
    assert fault(tmp_path, key, python="3.12").splitlines() == [
        "2 problems:",
        "  the suites have no python3.12 for linux/amd64",
        "    they have python3.11",
        f"    -> {way_out}",
        "  the suites have no python3.12 for linux/arm64",
        "    they have python3.11",
        f"    -> {way_out}",
    ]


def test_a_loader_that_is_too_old(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    def old(architecture: str) -> list[str]:
        return [text.replace("2.36-9+deb12u14", "2.31-13+deb11u11") for text in index(architecture)]

    mirror.publish("tiny", {"amd64": old("amd64"), "arm64": index("arm64")})
    assert fault(tmp_path, key) == (
        "the suites have glibc 2.31 for linux/amd64, whose loader starts no Python from another folder: that "
        "takes 2.33\n"
        "  -> name later suites (bookworm and later), or take an image of a registry, such as "
        "python:3.11-slim-bullseye"
    )


def test_which_release_has_a_python() -> None:
    assert suites_with("3.13") == "trixie has python3.13"


def test_faults_of_image_and_sysroot_come_together(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish(mirror)
    message = fault(tmp_path, key, packages=["libone"], builder_packages=["libtwo"])
    assert [line for line in message.splitlines() if "linux/" in line] == [
        "  linux/amd64, packages: these packages cannot be installed together on amd64:",
        "  linux/amd64, builder_packages: these packages cannot be installed together on amd64:",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suites": []}, "suites is empty"),
        ({"packages": "tzdata"}, "packages: expected a list, found 'tzdata'"),
        ({"python": "3"}, "python: expected a minor version such as \"3.11\", found '3'"),
        ({"platform": []}, "unknown keys: platform"),
    ],
)
def test_a_request_that_makes_no_sense(
    tmp_path: Path, key: SigningKey, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as e:
        lock(tmp_path, key, **changes)
    assert str(e.value) == f"{tmp_path / 'request.json'}: {message}"


def test_without_gpgv_the_message_says_how_to_get_it(
    tmp_path: Path, mirror: Mirror, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mirror)
    monkeypatch.setattr(shutil, "which", lambda *a, **k: None)
    with pytest.raises(ToolError) as e:
        lock(tmp_path, key)
    assert str(e.value) == (
        "gpgv, which checks the signature of a Debian archive, is not there\n"
        "  -> install gpgv: apt-get install gpgv (Debian, Ubuntu), brew install gnupg (macOS)"
    )


def publish_with_programs(mirror: Mirror, arm: str = "1.0-1") -> None:
    def programs(architecture: str, version: str) -> list[str]:
        rust = {"architecture": architecture}
        return [
            paragraph("make", Depends="libc6", **rust),
            paragraph("sed", Pre_Depends="libc6", **rust),
            paragraph("cargo-web", version, Depends=f"rustc-web (= {version}), gcc | c-compiler", **rust),
            paragraph("rustc-web", version, Depends=f"libstd-rust-web-dev (= {version}), gcc", **rust),
            paragraph("libstd-rust-web-dev", version, Depends="libstd-rust-web-1.85", **rust),
            paragraph("libstd-rust-web-1.85", version, Depends="libc6", **rust),
            paragraph("gcc", Depends="libc6", **rust),
        ]

    mirror.publish(
        "tiny",
        {
            "amd64": [*index("amd64"), *programs("amd64", "1.0-1")],
            "arm64": [*index("arm64"), *programs("arm64", arm)],
        },
    )


def test_programs_are_locked_for_machines_that_build(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish_with_programs(mirror)
    result = lock(tmp_path, key)
    assert set(result["tools"]) == {"linux/amd64", "linux/arm64"}
    assert set(result["tools"]["linux/arm64"]) == {"make", "sed"}  # of those that this archive has
    assert "make=1.0-1:arm64" in result["tools"]["linux/arm64"]["make"]
    assert "libc6=2.36-9+deb12u14:arm64" in result["tools"]["linux/arm64"]["make"]
    assert "make=1.0-1:arm64" in result["packages"]


def test_cargo_is_locked_for_machines_that_build_and_its_library_for_targets(
    tmp_path: Path, mirror: Mirror, key: SigningKey
) -> None:
    publish_with_programs(mirror)
    result = lock(tmp_path, key, builder_groups={"orjson": ["cargo-web"]})
    tools = {k.partition("=")[0] for k in result["tools"]["linux/amd64"]["cargo-web"]}
    assert {"cargo-web", "rustc-web", "libstd-rust-web-dev", "libstd-rust-web-1.85", "libc6"} <= tools
    assert "gcc" not in tools
    # What cargo runs of what it compiles is linked to this machine's libc.
    host = {k.partition("=")[0] for k in result["tools"]["linux/arm64"]["libc6-dev"]}
    assert {"libc6-dev", "libgcc-12-dev", "linux-libc-dev"} <= host
    assert "libc6-dev" not in lock(tmp_path, key)["tools"]["linux/arm64"]
    # rustc's own libraries are nothing that a target links to.
    platform = result["platforms"]["linux/amd64"]
    assert platform["builder_groups"] == {"orjson": ["libstd-rust-web-dev=1.0-1:amd64"]}


def test_rust_in_two_versions_is_refused(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    publish_with_programs(mirror, arm="0.9-1")
    assert fault(tmp_path, key, builder_groups={"orjson": ["cargo-web"]}).startswith(
        "the suites have libstd-rust-web-dev in several versions, and rustc reads only its own\n"
        "  linux/arm64: 0.9-1\n  linux/amd64: 1.0-1\n  -> "
    )
