"""What images and wheel sets need planned, and by which base: known without building anything of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.addresses import Address
from pants.engine.target import Dependencies

from slim_python_image import engine
from slim_python_image.bases import Base
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import Root, SlimImageError
from slim_python_image.start_fields import ImageResolveField
from slim_python_image.target_types import ExtendsField, ImageDependenciesField
from slim_python_image.util_rules.ancestry import added_packages, ancestry
from slim_python_image.util_rules.declared_python import DeclaredPython, declared
from slim_python_image.util_rules.image_definition import platforms_of
from slim_python_image.util_rules.plans import WheelPlanRequest
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.wheel_set_target import WheelSetDependenciesField


@dataclass(frozen=True)
class SubjectRequest:
    """Read what an image or a wheel set needs planned."""

    address: Address


@dataclass(frozen=True)
class Subject:
    """What an image or a wheel set needs planned.

    :param roots: its requirements, and those of the images that it extends.
    :param packages: Debian packages that it and those it extends add, as :class:`BaseRequest` has them.
    """

    address: Address
    base: Address
    platforms: tuple[str, ...]
    roots: tuple[Root, ...]
    resolve: str
    lockfile: str
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]
    declared: tuple[DeclaredPython, ...] = ()
    packages: tuple[str, ...] = ()

    def plan_request(self, base: Base) -> WheelPlanRequest:
        """Return the plan for one platform of the base."""
        return WheelPlanRequest(self.roots, self.lockfile, base.target, self.no_binary, self.only_binary)


@dataclass(frozen=True)
class SubjectAttempt:
    """What an image or a wheel set needs planned, or why nobody knows."""

    subject: Subject | None = None
    error: str | None = None


@rule(desc="Read what an image needs planned")
async def read_subject(request: SubjectRequest, python_setup: PythonSetup) -> Subject:
    """Read a target and those it extends, whose wheels its layers hold too."""
    target = await engine.target(request.address, "a target to look at")
    below = await ancestry(target)
    base = below.base
    field: Dependencies
    parents = [below.extends] if below.extends else []
    packages: tuple[str, ...] = ()
    if target.has_field(ExtendsField):
        field = target[ImageDependenciesField]
        packages = await added_packages(target)
    else:
        field = target[WheelSetDependenciesField]
    targets = await dependency_targets(field, (base, *parents))
    wanted = target[ImageResolveField].value if target.has_field(ImageResolveField) else None
    requirements = requirements_of(targets, target.address, python_setup, wanted)
    inherited = await concurrently(read_subject(SubjectRequest(parent), **implicitly()) for parent in parents)
    no_binary, only_binary = binary_choices(target, requirements.resolve, python_setup)
    return Subject(
        address=target.address,
        base=base,
        platforms=await platforms_of(target, parents[0] if below.inherits else base),
        roots=tuple(sorted({*requirements.roots, *(root for one in inherited for root in one.roots)})),
        resolve=requirements.resolve,
        lockfile=requirements.lockfile,
        no_binary=no_binary,
        only_binary=only_binary,
        declared=declared(targets, requirements.resolve, python_setup),
        packages=packages,
    )


@rule
async def attempt_subject(request: SubjectRequest) -> SubjectAttempt:
    """Read a target; an error is an answer, so that the others are still read."""
    try:
        return SubjectAttempt(await read_subject(request, **implicitly()))
    except SlimImageError as e:
        return SubjectAttempt(error=str(e))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
