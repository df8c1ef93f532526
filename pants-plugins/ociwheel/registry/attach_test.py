from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ociwheel.digest import Digest
from ociwheel.image.layout import MANIFEST, Descriptor
from ociwheel.registry.attach import sign_simply
from ociwheel.registry.refusals import RegistryError
from ociwheel.signing.signatures import Signer


@pytest.mark.parametrize("layers", [7, "x", [7], [{}], [{"digest": "x"}]])
def test_signatures_of_others_that_are_none(layers: Any) -> None:
    answer = SimpleNamespace(status=200, body=json.dumps({"layers": layers}).encode())
    push: Any = SimpleNamespace(request=lambda *_, **__: answer, repository_name="h/app")
    subject = Descriptor(MANIFEST, Digest.of(b"{}"), 2)
    with pytest.raises(
        RegistryError, match=r"^h/app: the signatures that sha256-[0-9a-f]{64}\.sig names are no"
    ):
        sign_simply(push, "h/app", subject, Signer(lambda _: b"s", b"k"))
