"""What Pants 2.17 reads of rules that call by name, and what its engine is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pants.engine import intrinsics  # type: ignore[attr-defined] # what is tested
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, DigestContents, FileContent, PathGlobs
from pants.engine.internals.graph import resolve_target
from pants.engine.internals.selectors import Get
from pants.engine.target import WrappedTarget, WrappedTargetRequest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.util_rules.image_definition import ImageDefinitionRequest, read_image
from tests.support.rules import function_of


@dataclass(frozen=True)
class Order:
    """Ask for a dish."""

    name: str


@dataclass(frozen=True)
class Dish:
    """What is asked for."""

    name: str


@dataclass(frozen=True)
class Table:
    """Several dishes."""

    dishes: tuple[Dish, ...]


async def both(name: str) -> tuple[Dish, ...]:
    return await concurrently(cook(Order(one), **implicitly()) for one in (name, "water"))


@rule
async def serve(request: Order) -> Table:
    await intrinsics.create_digest(CreateDigest([]))
    await resolve_target(WrappedTargetRequest(Address("a"), description_of_origin="a test"), **implicitly())
    return Table(await both(request.name))


@rule(desc="Cook")
async def cook(request: Order) -> Dish:
    found = await intrinsics.get_digest_contents(**implicitly({PathGlobs(["*"]): PathGlobs}))
    return Dish(f"{request.name} {found}")


def collected(**rules: Any) -> list[Any]:
    return list(collect_rules(rules))


def asked_for(one: Any) -> list[tuple[type, tuple[type, ...]]]:
    return [(get.output_type, get.input_types) for get in one.rule.input_gets]


def test_calls_are_read_from_the_source_also_of_helpers_and_of_rules_further_below() -> None:
    assert asked_for(serve) == [
        (Digest, (CreateDigest,)),
        (WrappedTarget, (WrappedTargetRequest,)),
        (Dish, (Order,)),
    ]


def test_what_is_given_implicitly_has_the_type_that_is_named() -> None:
    assert asked_for(cook) == [(DigestContents, (PathGlobs,))]


def test_a_call_asks_the_engine_by_the_types_of_the_rule() -> None:
    call = cook(Order("soup"), **implicitly())
    assert isinstance(call, Get)
    assert (call.output_type, call.input_types, call.inputs) == (Dish, [Order], [Order("soup")])


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((Order("soup"), "salt"), {}), ((), {"request": Order("soup")})],
)
def test_a_form_that_later_versions_do_not_read_is_refused_here_too(
    arguments: tuple[object, ...], options: dict[str, object]
) -> None:
    with pytest.raises(TypeError, match="positional arguments and"):
        cook(*arguments, **options)


def test_a_rule_keeps_its_name_and_stays_a_rule() -> None:
    assert read_image.__name__ == "read_image"  # type: ignore[attr-defined] # as the function has it
    names = [one.canonical_name.rpartition(".")[2] for one in collected(serve=serve, cook=cook)]
    assert names == ["serve", "cook"]


def test_the_first_answer_of_the_engine_is_what_a_rule_goes_on_with() -> None:
    coroutine = function_of(serve)(Order("soup"))
    get = coroutine.send(None)
    assert get.output_type is Digest


def test_helpers_of_other_modules_are_followed() -> None:
    assert (Digest, (PathGlobs,)) in [
        (get.output_type, tuple(get.input_types))
        for one in collected(read=rule_with_helper)
        for get in one.input_gets
    ]
    assert ImageDefinitionRequest in read_image.rule.input_selectors


@rule
async def rule_with_helper(request: Order) -> Dish:
    return Dish(str(await engine.read_path(request.name)))


def test_requests_for_files_have_a_hash_of_what_is_in_them() -> None:
    """With one hash for all, the engine compared each with all before it."""
    requests = [CreateDigest([FileContent("a", b"%d" % number)]) for number in range(100)]
    assert len({hash(one) for one in requests}) > 90
    assert hash(requests[3]) == hash(CreateDigest([FileContent("a", b"3")]))
