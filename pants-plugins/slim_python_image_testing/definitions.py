"""Definitions of images as rules read them from targets, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pants.engine.addresses import Address
from pants.util.frozendict import FrozenDict

from slim_python_image.products import LayerOptions
from slim_python_image.util_rules.image_definition import ImageConfig, ImageDefinition

CONFIG = ImageConfig((), (), FrozenDict(), "nonroot", "/app", (), (), FrozenDict(), None)


def definition(folder: str, platform: str, **changes: Any) -> ImageDefinition:
    """Return the definition of a target ``image`` that asks for nothing."""
    plain = ImageDefinition(
        address=Address(folder, target_name="image"),
        base=Address("base"),
        extends=None,
        platforms=(platform,),
        roots=(),
        resolve="python-default",
        lockfile="default.lock",
        no_binary=(),
        only_binary=(),
        options=LayerOptions("/app", "unchecked-hash", ()),
        layer_budget=10,
        scripts=(),
        config=CONFIG,
        accept=(),
    )
    return replace(plain, **changes)
