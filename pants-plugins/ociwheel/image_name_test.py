from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.digest import Digest
from ociwheel.errors import UsageError
from ociwheel.image_name import DEFAULT_DOMAIN, ImageName, is_loopback

DIGEST = Digest.of_hex("a" * 64)


@pytest.mark.parametrize(
    ("text", "domain", "repository", "tag", "digest"),
    [
        ("python", DEFAULT_DOMAIN, "library/python", "latest", None),
        ("python:3.11-slim", DEFAULT_DOMAIN, "library/python", "3.11-slim", None),
        ("team/python:3.11", DEFAULT_DOMAIN, "team/python", "3.11", None),
        ("localhost/python", "localhost", "python", "latest", None),
        ("localhost:5000/a/b/python:1", "localhost:5000", "a/b/python", "1", None),
        ("registry.example.com/python", "registry.example.com", "python", "latest", None),
        ("[::1]:5000/python:1", "[::1]:5000", "python", "1", None),
        (f"python@{DIGEST}", DEFAULT_DOMAIN, "library/python", None, DIGEST),
        (f"python:3.11@{DIGEST}", DEFAULT_DOMAIN, "library/python", "3.11", DIGEST),
    ],
)
def test_names_are_read_as_docker_reads_them(
    text: str, domain: str, repository: str, tag: str | None, digest: Digest | None
) -> None:
    assert ImageName.parse(text) == ImageName(domain, repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    ["", "Python", "python:", "python:a b", "python@sha256:12", "a//b", "../python", "python:3@", "-a/b",
     "user:password@registry.example.com/python", "https://registry.example.com/python"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no name of an image"):
        ImageName.parse(text)


def test_a_lock_holds_the_name_without_the_registry() -> None:
    assert ImageName.parse("registry.example.com:5000/team/python:3.11").plain == "team/python:3.11"
    assert ImageName.parse("python:3.11").plain == "python:3.11"


def test_urls_are_those_of_the_distribution_api() -> None:
    name = ImageName.parse("registry.example.com/team/python:3.11")
    assert name.url("manifests", "3.11") == "https://registry.example.com/v2/team/python/manifests/3.11"
    assert (
        ImageName.parse("127.0.0.1:5000/p").url("blobs", DIGEST)
        == f"http://127.0.0.1:5000/v2/p/blobs/{DIGEST}"
    )


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("localhost", True), ("localhost:5000", True), ("127.1.2.3:80", True), ("[::1]:5000", True),
     ("registry.example.com", False), ("10.0.0.1:5000", False), ("localhost.example.com", False)],
)  # fmt: skip
def test_only_this_machine_is_asked_without_tls(domain: str, expected: bool) -> None:
    assert is_loopback(domain) is expected


@given(st.text(max_size=60))
def test_any_text_is_a_name_or_a_usage_error(text: str) -> None:
    try:
        name = ImageName.parse(text)
    except UsageError:
        return
    assert ImageName.parse(str(name)) == name
