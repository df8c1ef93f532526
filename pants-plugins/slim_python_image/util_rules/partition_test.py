from __future__ import annotations

import pytest
from pants.engine.fs import EMPTY_DIGEST

from slim_python_image.layer_fields import LayerGroup
from slim_python_image.products import Wheel
from slim_python_image.util_rules.partition import HEAVY, partition, title, titled_partition


def wheel(name: str, size: int, platform: str = "any") -> Wheel:
    filename = f"{name}-1.0-py3-none-{platform}.whl"
    return Wheel(name, "1.0", filename, size, "0" * 64, EMPTY_DIGEST)


def names(groups: tuple[tuple[Wheel, ...], ...]) -> list[list[str]]:
    return [[w.name for w in group] for group in groups]


def test_heavy_wheels_stand_alone_and_light_ones_share_by_kind() -> None:
    wheels = [wheel("zoo", HEAVY), wheel("b", 10), wheel("a", 20), wheel("c", 5, "linux_x86_64")]
    assert names(partition(wheels, 24)) == [["zoo"], ["c"], ["a", "b"]]


@pytest.mark.parametrize("budget", [2, 3, 5])
def test_never_more_layers_than_the_budget_and_every_wheel_once(budget: int) -> None:
    wheels = [wheel(f"w{n}", HEAVY + n, "any" if n % 2 else "linux_x86_64") for n in range(10)]
    groups = partition(wheels, budget)
    assert len(groups) == budget
    assert sorted(w.name for group in groups for w in group) == sorted(w.name for w in wheels)


def test_the_largest_get_the_layers_there_are() -> None:
    wheels = [wheel("small", HEAVY), wheel("large", 3 * HEAVY), wheel("middle", 2 * HEAVY)]
    assert names(partition(wheels, 5)) == [["large"], ["middle"], ["small"]]
    assert names(partition(wheels, 3)) == [["large"], ["middle", "small"]]


def test_the_order_of_the_wheels_does_not_matter() -> None:
    wheels = [wheel(f"w{n}", HEAVY * (n % 3), "any") for n in range(9)]
    assert partition(wheels, 4) == partition(reversed(wheels), 4)


def test_no_wheels_no_layers() -> None:
    assert partition([], 24) == ()


def test_titles() -> None:
    assert title((wheel("a", 1),)) == "a 1.0"
    assert title((wheel("a", 1), wheel("b", 1))) == "2 pure wheels"
    assert title((wheel("a", 1), wheel("b", 1, "linux_x86_64"))) == "2 native wheels"


def test_preferred_distributions_lie_above_all_others() -> None:
    wheels = [
        wheel("big", 9 * HEAVY),
        wheel("llama-parse", 2 * HEAVY),
        wheel("small", 5),
        wheel("Other.One", 5),
    ]
    groups = partition(wheels, 10, ["Llama_Parse", "other-one"])
    assert [sorted(one.name for one in group) for group in groups] == [
        ["big"],
        ["small"],
        ["Other.One", "llama-parse"],
    ]
    assert partition(wheels, 10, ["absent"]) == partition(wheels, 10)


def test_groups_lie_below_the_rest_and_count_towards_the_budget() -> None:
    wheels = [
        wheel("torch", 9 * HEAVY),
        wheel("nvidia_nccl", 5 * HEAVY),
        wheel("idna", 5),
        wheel("zoo", HEAVY),
        wheel("ant", 2 * HEAVY),
    ]
    groups = (LayerGroup("gpu", ("torch", "nvidia-*")), LayerGroup("absent", ("jax",)))
    assert [(title, [w.name for w in own]) for title, own in titled_partition(wheels, 4, (), groups)] == [
        ("gpu (2 wheels)", ["nvidia_nccl", "torch"]),
        ("ant 1.0", ["ant"]),
        ("2 pure wheels", ["idna", "zoo"]),
    ]
    assert [own for _, own in titled_partition(wheels, 4)] == list(partition(wheels, 4))


def test_wheels_of_two_groups_have_one_place_whatever_their_order() -> None:
    wheels = [wheel("torch", 1), wheel("tea", 1)]
    groups = (LayerGroup("a", ("torch",)), LayerGroup("b", ("t*",)))
    expected = [("a (1 wheel)", ["torch"]), ("b (1 wheel)", ["tea"])]
    for order in (wheels, wheels[::-1]):
        found = titled_partition(order, 24, (), groups)
        assert [(title, [w.name for w in own]) for title, own in found] == expected
