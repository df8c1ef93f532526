"""What the fields of images and wheel sets imply: their bases, entry points and parents are dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwnersRequest,
    map_module_to_address,
)
from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.addresses import Address
from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.content_fields import FilesAtField
from slim_python_image.start_fields import (
    EntryPointField,
    EntryPointsField,
    ExecutableField,
    ImageResolveField,
)
from slim_python_image.target_types import ExtendsField
from slim_python_image.util_rules.ancestry import one_address
from slim_python_image.util_rules.placed import named_targets
from slim_python_image.util_rules.start import resolve_of, resolved_entry_point
from slim_python_image.wheel_set_target import BaseField


@dataclass(frozen=True)
class BaseInferenceFieldSet(FieldSet):
    """Targets that stand on a base."""

    required_fields = (BaseField,)

    base: BaseField


class InferBaseDependency(InferDependenciesRequest[BaseInferenceFieldSet]):
    """The base of an image or a wheel set, so that changing it changes them."""

    infer_from = BaseInferenceFieldSet


@dataclass(frozen=True)
class ImageInferenceFieldSet(FieldSet):
    """Images, whose entry point and parent are dependencies too."""

    required_fields = (EntryPointField, ExtendsField)

    entry_point: EntryPointField
    executable: ExecutableField
    entry_points: EntryPointsField
    files_at: FilesAtField
    resolve: ImageResolveField
    extends: ExtendsField


class InferImageDependencies(InferDependenciesRequest[ImageInferenceFieldSet]):
    """The owner of an image's entry point, and the image it extends."""

    infer_from = ImageInferenceFieldSet


async def entry_point_owners(value: str | None, resolve: str | None) -> tuple[Address, ...]:
    """Return the addresses that own an entry point's module.

    Of a package that runs as `python -m`, both `__init__` and `__main__`.
    """
    if not value:
        return ()
    module, _, function = value.partition(":")
    found: list[Address] = []
    for name in (module,) if function else (module, f"{module}.__main__"):
        owners = await map_module_to_address(PythonModuleOwnersRequest(name, resolve=resolve), **implicitly())
        found.extend(owners.unambiguous)
    return tuple(dict.fromkeys(found))


@rule(desc="Infer the base of an image")
async def infer_base(request: InferBaseDependency) -> InferredDependencies:
    field = request.field_set.base
    assert field.value is not None
    return InferredDependencies([await one_address(field.value, field.address, field.alias)])


@rule(desc="Infer the entry point and the parent of an image")
async def infer_image(request: InferImageDependencies, python_setup: PythonSetup) -> InferredDependencies:
    fields = request.field_set
    resolve = resolve_of(fields.resolve.value, fields.address, python_setup)
    entry_point = await resolved_entry_point(
        fields.entry_point.value, fields.executable.value, fields.address, resolve
    )
    found = [*await named_targets(fields.files_at)]
    for value in (entry_point, *(fields.entry_points.value or {}).values()):
        found += await entry_point_owners(value, resolve)
    if fields.extends.value:
        found.append(await one_address(fields.extends.value, fields.address, fields.extends.alias))
    return InferredDependencies(found)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferBaseDependency),
        UnionRule(InferDependenciesRequest, InferImageDependencies),
    )
