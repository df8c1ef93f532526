"""What stands behind the digests of an image, beside what its steps were made from: for its report."""

from __future__ import annotations

from typing import Any, Iterable

from slim_python_image.bases import Base, DebianBase, DebPackage, DebPackages, RegistryBase, Source
from slim_python_image.products import Wheel
from slim_python_image.util_rules.image_definition import ImageDefinition


def _versions(packages: Iterable[DebPackage]) -> dict[str, str]:
    return {f"{package.name}:{package.architecture}": package.version for package in packages}


def _packages_of(source: Source | None) -> dict[str, str]:
    return _versions(source.packages) if isinstance(source, DebPackages) else {}


def platform_context(parts: ImageDefinition, base: Base, wheels: Iterable[Wheel]) -> dict[str, Any]:
    """Return what stands behind the digests of one platform: configuration, Python, packages that build."""
    built = any(wheel.inputs for wheel in wheels)
    return {
        "config": parts.config.to_dict(),
        "target": {
            "python": base.target.python,
            "libc": base.target.libc,
            "libc_version": base.target.libc_version,
        },
        "interpreter_packages": _packages_of(base.interpreter.source),
        "builder_packages": _versions(base.builder) if built and isinstance(base, DebianBase) else {},
    }


def _patterns(parts: ImageDefinition) -> dict[str, str]:
    return {group.name: ", ".join(group.patterns) for group in parts.groups}


def image_fields(parts: ImageDefinition, base: Base) -> dict[str, Any]:
    """Return what decides which wheels and layers an image has, and which base image it names.

    :param base: of any of its platforms.
    """
    return {
        # The index names it, also when none of the platforms' own base images is another one.
        **({"base_image": base.root} if isinstance(base, RegistryBase) else {}),
        "annotations": dict(parts.annotations),
        "base": str(parts.base),
        "compression": parts.options.compression,
        "extends": str(parts.extends) if parts.extends else None,
        **({"extra_packages": parts.packages[-1].split(", ")} if parts.packages else {}),
        "layer_budget": parts.layer_budget,
        **({"layer_groups": _patterns(parts)} if parts.groups else {}),
        **({"max_layer_size": parts.max_layer_size} if parts.max_layer_size else {}),
        "no_binary": list(parts.no_binary),
        "only_binary": list(parts.only_binary),
        "resolve": parts.resolve,
        "requirements": sorted({root.requirement for root in parts.roots}),
    }
