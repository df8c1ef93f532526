"""Which of the locked libraries a machine gets."""

import json

import pytest

from ociwheel.errors import UsageError
from ociwheel.signing.libraries import LOCK, chosen

_ROWS = json.loads(LOCK.read_text())["native"]


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
@pytest.mark.parametrize("machine", ["linux-x86_64", "linux-aarch64", "macosx-arm64"])
def test_each_machine_has_one_wheel_of_each(minor: int, machine: str) -> None:
    names = [one.name for one in chosen(_ROWS, (3, minor), machine)]
    assert sorted(names) == ["cffi", "cryptography", "pycparser", "pynacl"]


def test_a_machine_without_libraries_is_told_what_else_signs() -> None:
    with pytest.raises(UsageError, match="cosign sign --key"):
        chosen(_ROWS, (3, 11), "linux-riscv64")
