from __future__ import annotations

import pytest

from ociwheel.debian.mirrors import archive_mirrors, archive_of_suite
from ociwheel.errors import BaseError


@pytest.mark.parametrize(
    ("suite", "archive"),
    [
        ("bookworm", "debian"),
        ("bookworm-updates", "debian"),
        ("bookworm-backports", "debian"),
        ("bookworm-security", "debian-security"),
    ],
)
def test_the_archive_of_a_suite(suite: str, archive: str) -> None:
    assert archive_of_suite(suite) == archive


def test_mirrors_keep_their_order_and_come_once() -> None:
    known = {"debian": ["https://b.invalid/debian/", "https://a.invalid/debian", "https://b.invalid/debian"]}
    assert archive_mirrors("debian", known) == ("https://b.invalid/debian", "https://a.invalid/debian")


def test_the_security_archive_is_looked_for_beside_the_main_one() -> None:
    known = {"debian": ["https://a.invalid/debian", "https://b.invalid/other"]}
    assert archive_mirrors("debian-security", known) == ("https://a.invalid/debian-security",)
    known["debian-security"] = ["https://s.invalid/sec"]
    assert archive_mirrors("debian-security", known) == ("https://s.invalid/sec",)


def test_no_mirror_at_all_says_where_to_name_one() -> None:
    with pytest.raises(BaseError) as e:
        archive_mirrors("debian", {})
    assert str(e.value) == (
        "no mirror of the archive 'debian' is known on this machine\n"
        "  -> name mirrors of debian: `debian_mirrors` in network.json, or add an apt source"
    )
