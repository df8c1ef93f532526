from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.util.docutil import bin_name
from slim_python_image_testing.definitions import CONFIG, definition

from slim_python_image.bases import DebianBase, Interpreter
from slim_python_image.products import Layer, SlimImageError, TargetEnvironment
from slim_python_image.util_rules.steps import StepOutcome
from slim_python_image.util_rules.whole_image import account_request, judged, module_globs, with_accounts

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")
BASE = DebianBase("base", TARGET, Interpreter("base", TARGET, None), (), ())
ADDRESS = Address("src", target_name="image")
PARTS = definition("src", TARGET.platform)
LAYER = Layer("{}", "sha256:0", 1, 1, 0, "libraries", EMPTY_DIGEST, EMPTY_DIGEST)


@pytest.mark.parametrize("user", ["nonroot", "root", "0", "65532:65532", "nobody", "65532:50"])
def test_an_image_that_asks_for_nothing_has_no_layer_more(user: str) -> None:
    assert account_request(PARTS, replace(CONFIG, user=user), BASE, (LAYER,)) is None


@pytest.mark.parametrize(
    "changes", [{"user": "1000"}, {"user": "appuser"}, {"volumes": ("/data",)}, {"workdir": "/data"}]
)
def test_what_makes_a_layer(changes: dict[str, Any]) -> None:
    made = account_request(PARTS, replace(CONFIG, **changes), BASE, (LAYER,))
    assert made is not None
    assert made.names == (LAYER.names,)
    wanted = {
        "user": "nonroot",
        "workdir": "/app",
        "volumes": [],
        "writable": [],
        "prefix": "/app",
        "accounts": {},
    }
    asked = {key: list(value) if isinstance(value, tuple) else value for key, value in changes.items()}
    assert json.loads(made.document) == {**wanted, **asked}


ROWS = {"passwd": ["redis:x:100:101::/var/lib/redis:/bin/false"], "group": ["redis:x:101:", "adm:x:4:"]}
SERVER = replace(LAYER, document=json.dumps({"accounts": ROWS}))


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("redis", "100:101"),
        ("redis:adm", "100:4"),
        ("redis:5", "100:5"),
        ("redis:tty", "100:tty"),
        ("100", "100:101"),
        ("nonroot", "nonroot"),
        ("appuser", "appuser"),
    ],
)
def test_a_user_that_a_package_makes_is_a_number(user: str, number: str) -> None:
    assert with_accounts(replace(CONFIG, user=user), (LAYER, SERVER)).user == number


def test_a_user_that_a_package_makes_has_its_rows() -> None:
    assert account_request(PARTS, replace(CONFIG, user="100:101"), BASE, (LAYER, SERVER)) is None
    made = account_request(PARTS, replace(CONFIG, user="1000"), BASE, (LAYER, SERVER))
    assert made is not None
    assert json.loads(made.document)["accounts"] == ROWS


def test_a_writable_folder_makes_one() -> None:
    made = account_request(replace(PARTS, writable=("/app/data",)), CONFIG, BASE, ())
    assert made is not None
    assert json.loads(made.document)["writable"] == ["/app/data"]


def test_where_a_module_may_be() -> None:
    assert module_globs("a.b") == ("a/b.py", "a/b/__init__.py")


def test_what_check_and_audit_say() -> None:
    document = {"notes": ["a note"]}
    assert judged(StepOutcome(json.dumps(document), EMPTY_DIGEST), PARTS, BASE) == document
    with pytest.raises(SlimImageError, match=r"^src:image: it is wrong$"):
        judged(StepOutcome("{}", EMPTY_DIGEST, error="it is wrong"), PARTS, BASE)


def test_a_remedy_names_the_base_of_the_image() -> None:
    remedy = {"code": "add-runtime-packages", "arguments": {"packages": '"libpq5"'}}
    fault: dict[str, Any] = {
        "kind": "audit",
        "what": "it is wrong",
        "where": None,
        "details": [],
        "errors": [],
        "remedy": remedy,
    }
    outcome = StepOutcome("{}", EMPTY_DIGEST, "add it", json.dumps(fault))
    with pytest.raises(SlimImageError) as caught:
        judged(outcome, PARTS, BASE)
    assert str(caught.value) == (
        f'src:image: it is wrong\n  -> add "libpq5" to extra_packages of {PARTS.base}, then run: '
        f"{bin_name()} generate-lockfiles --resolve={BASE.resolve}"
    )
