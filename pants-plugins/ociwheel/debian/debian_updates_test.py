"""The step against a mirror of files: a lock that was right once, and what its suites have since."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ociwheel import schemas
from ociwheel.debian import debian_updates_step
from ociwheel.errors import BaseError, OciwheelError
from tests.support.debian import Mirror, SigningKey, paragraph, signing_key
from tests.support.debian_lock import LOCK
from tests.support.values import value_of


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with signing_key() as made:
        yield made


@pytest.fixture
def mirror(tmp_path: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    made = Mirror(tmp_path / "mirror", key)
    machine = tmp_path / "machine"
    machine.mkdir()
    settings = {"indexes": [], "debian_mirrors": {"debian": [made.url], "debian-security": [made.url]}}
    (machine / "network.json").write_text(json.dumps(settings))
    monkeypatch.setenv("OCIWHEEL_MACHINE", str(machine))
    return made


def suite(*, libssl3: str = "3.0.9", libc6: str = "2.36-9", tzdata: str = "2024a-0") -> dict[str, list[str]]:
    return {
        architecture: [
            paragraph("libssl3", libssl3, architecture=architecture),
            paragraph("libc6", libc6, architecture=architecture),
            paragraph("libc6-dev", "2.36-9", architecture=architecture),
            paragraph("tzdata", tzdata, architecture="all"),
            *([paragraph("gone", "1")] if architecture == "amd64" else []),
        ]
        for architecture in ("amd64", "arm64")
    }


def ask(tmp_path: Path, key: SigningKey, lock: dict[str, Any] = LOCK) -> list[dict[str, Any]]:
    file = tmp_path / "base.lock"
    file.write_text(json.dumps(lock))
    answer = debian_updates_step.run(argparse.Namespace(lock=file, keyring=[key.keyring]))
    schemas.check(value_of(answer), "debian-updates")
    assert answer["packages"] == len(lock["packages"])
    rows: list[dict[str, Any]] = answer["updates"]
    return rows


def test_nothing_is_newer(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    mirror.publish("tiny", suite(libc6="2.36-8"))  # an older one, as in a suite that another one updates
    mirror.publish("tiny-security", {"amd64": [], "arm64": []})
    rows = ask(tmp_path, key)
    assert [one["name"] for one in rows] == []


def test_security_comes_first_then_what_is_in_images(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    # The point release is newer still than the security update that it takes in.
    mirror.publish("tiny", suite(libssl3="3.0.12", libc6="2.36-9+deb12u1", tzdata="2024b-0"))
    security = {name: [paragraph("libssl3", "3.0.11", architecture=name)] for name in ("amd64", "arm64")}
    mirror.publish("tiny-security", security)
    common = {"security": False, "suite": "tiny"}
    assert ask(tmp_path, key) == [
        {
            "name": "libssl3", "version": "3.0.9", "available": "3.0.12", "suite": "tiny", "security": True,
            "in_image": True, "architectures": ["amd64", "arm64"],
        },
        {
            "name": "tzdata", "version": "2024a-0", "available": "2024b-0", **common,
            "in_image": True, "architectures": ["all"],
        },
        {
            "name": "libc6", "version": "2.36-9", "available": "2.36-9+deb12u1", **common,
            "in_image": False, "architectures": ["amd64", "arm64"],
        },
    ]  # fmt: skip


def test_what_an_image_adds_is_in_images(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    mirror.publish("tiny", suite(libc6="2.36-9+deb12u1"))
    mirror.publish("tiny-security", {"amd64": [], "arm64": []})
    platforms: dict[str, Any] = json.loads(json.dumps(LOCK["platforms"]))
    platforms["linux/amd64"]["image_packages"] = {"libc6": ["libc6=2.36-9:amd64"]}
    found = [
        (one["name"], one["in_image"])
        for lock in (LOCK, {**LOCK, "platforms": platforms})
        for one in ask(tmp_path, key, lock)
    ]
    assert found == [("libc6", False), ("libc6", True)]


def test_a_package_that_the_suites_have_no_more(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    without = {name: [one for one in rows if "gone" not in one] for name, rows in suite().items()}
    mirror.publish("tiny", without)
    mirror.publish("tiny-security", {"amd64": [], "arm64": []})
    (only,) = ask(tmp_path, key)
    assert (only["name"], only["available"], only["suite"]) == ("gone", None, None)


def test_a_mirror_that_does_not_answer_is_an_error(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    mirror.publish("tiny", suite())
    with pytest.raises(OciwheelError, match="tiny-security"):
        ask(tmp_path, key)


def test_a_lock_that_is_none_is_told_with_its_place(tmp_path: Path, mirror: Mirror, key: SigningKey) -> None:
    del mirror
    with pytest.raises(BaseError, match="platforms"):
        ask(tmp_path, key, {**LOCK, "platforms": []})
