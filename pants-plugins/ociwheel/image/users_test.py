from __future__ import annotations

import pytest

from ociwheel.errors import ImageError
from ociwheel.image.users import GROUP, PASSWD, Owner, accounts, owner


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("nonroot", "65532:65532"),
        ("root", "0:0"),
        ("0", "0:0"),
        ("nobody", "65534:65534"),
        ("1000", "1000:1000"),
        ("1000:50", "1000:50"),
        ("nonroot:staff", "65532:50"),
        ("65534", "65534:65534"),
    ],
)
def test_users_by_name_and_number(user: str, text: str) -> None:
    assert owner(user).text == text


@pytest.mark.parametrize("user", ["a b", "", "1000:", "-1", str(2**31), "1:" + "9" * 20, "x:y:z"])
def test_what_is_no_user(user: str) -> None:
    with pytest.raises(ImageError):
        owner(user)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ImageError) as e:
        owner("appuser")
    assert str(e.value) == (
        "config.user: there is no user 'appuser' in the image, whose users are nobody, nonroot, root\n"
        '  -> set the field `user` to one of them, or to a number such as "1000"'
    )


ROWS = {"passwd": ["redis:x:100:101::/var/lib/redis:/bin/false"], "group": ["redis:x:101:", "tty:x:5:redis"]}


def test_rows_of_a_number_beside_those_of_packages() -> None:
    assert accounts(Owner(100, 5), ROWS) is None
    made = accounts(Owner(1000, 101), ROWS)
    assert made is not None
    assert made[0].endswith(f"{ROWS['passwd'][0]}\napp:x:1000:101:app:/home/app:/sbin/nologin\n")
    assert "tty:x:5:redis\n" in made[1]
    assert "tty:x:5:\n" not in made[1]


def test_what_is_no_row() -> None:
    with pytest.raises(ImageError, match="a row of passwd or group is none"):
        accounts(Owner(1, 1), {"passwd": ["redis"], "group": []})


def test_rows_of_a_number() -> None:
    assert accounts(Owner(65532, 65532)) is None
    assert accounts(Owner(0, 5)) is None
    assert accounts(Owner(1000, 50)) == (
        f"{PASSWD}app:x:1000:50:app:/home/app:/sbin/nologin\n",
        GROUP,
        "/home/app",
    )
    made = accounts(Owner(1000, 1001))
    assert made is not None
    assert made[1] == f"{GROUP}app:x:1001:\n"
