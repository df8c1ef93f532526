from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from slim_python_image_testing.definitions import definition

from slim_python_image.layer_fields import LayerGroup, LayerGroupsField
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules import layer_groups
from slim_python_image.util_rules.layer_groups import check_groups, check_groups_early

NAMES = {"torch", "nvidia-cudnn-cu12", "nvidia_nccl_cu12", "idna"}


def groups(**patterns: list[str]) -> tuple[LayerGroup, ...]:
    return LayerGroupsField(patterns, Address("a")).groups


def parts(prefer: tuple[str, ...] = (), **patterns: list[str]) -> Any:
    return definition("src/a", "linux/amd64", groups=groups(**patterns), prefer=prefer)


def test_names_are_those_of_the_index() -> None:
    (group,) = groups(gpu=["Nvidia_*", "zope.interface"])
    assert group.patterns == ("nvidia-*", "zope-interface")
    assert group.pattern_of("nvidia-cudnn-cu12") == "nvidia-*"
    assert group.pattern_of("mynvidia-x") is None


def test_groups_that_fit() -> None:
    check_groups(parts(gpu=["torch", "nvidia-*", "nvidia-nccl-cu12"]), NAMES)
    check_groups(parts(), set())


def test_all_that_is_wrong_is_told_together() -> None:
    wrong = parts(("Idna",), gpu=["torch", "nvidai-*"], other=["i?na"], torch=["t*"])
    with pytest.raises(SlimImageError) as e:
        check_groups(wrong, NAMES)
    assert str(e.value) == (
        "src/a:image: the field `layer_groups` does not fit the image\n"
        "  'nvidai-*' of 'gpu' matches no distribution of the image\n"
        "  idna is in 'other' (i?na) and in `prefer`, whose distributions lie above all others\n"
        "  torch is in 'gpu' (torch) and 'torch' (t*)\n"
        "  -> name each distribution in one group, and leave out what the image does not have"
    )


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, str]]]:
    """Return the plan of each platform: name and kind of each artifact."""
    plans: dict[str, list[tuple[str, str]]] = {}

    async def read_base(request: Any, **_: object) -> Any:
        return SimpleNamespace(base=request.platform)

    async def plan_wheels(platform: str, **_: object) -> Any:
        artifacts = [SimpleNamespace(name=name, kind=kind) for name, kind in plans[platform]]
        return SimpleNamespace(artifacts=[SimpleNamespace(artifact=one) for one in artifacts])

    monkeypatch.setattr(layer_groups, "read_base", read_base)
    monkeypatch.setattr(layer_groups, "plan_wheels", plan_wheels)
    monkeypatch.setattr(layer_groups, "image_wheels", lambda _parts, _ancestors, base: base)
    monkeypatch.setattr(layer_groups, "plan_request", lambda wanted: wanted)
    return plans


def early(groups: Any) -> None:
    asyncio.run(check_groups_early(definition("src/a", "x", groups=groups, platforms=("x", "y"))))


def test_one_platform_may_have_what_another_has_not(planned: dict[str, Any]) -> None:
    planned.update(x=[("torch", "wheel"), ("nvidia-nccl", "wheel")], y=[("torch", "wheel")])
    early(groups(gpu=["nvidia-*"]))
    with pytest.raises(SlimImageError, match="'tensorflow' of 'gpu' matches no distribution"):
        early(groups(gpu=["tensorflow"]))


def test_where_an_sdist_may_require_more_than_the_plan_knows_it_is_too_early(planned: dict[str, Any]) -> None:
    planned.update(x=[("torch", "sdist")], y=[])
    early(groups(gpu=["tensorflow"]))


def test_without_groups_nothing_is_planned_for_them(planned: dict[str, Any]) -> None:
    early(())
    assert planned == {}
