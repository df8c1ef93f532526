"""What a step was made from, in full: the parts of its key as a document that two builds can compare.

It is derived from the step's request itself, so nothing can change a step's key without showing here.
"""

from __future__ import annotations

from typing import Any, Iterable

from pants.engine.fs import DigestEntries, FileEntry, SymlinkEntry
from pants.engine.rules import collect_rules, rule

from slim_python_image import engine
from slim_python_image.products import (
    Base,
    CoreSources,
    DebPackage,
    ImageParts,
    StepInputs,
    StepRequest,
    Wheel,
    canonical_json,
)


def files_of(entries: DigestEntries) -> dict[str, str]:
    """Return files by path: the SHA-256 of a file, the target of a link."""
    found = {}
    for entry in entries:
        if isinstance(entry, FileEntry):
            executable = " executable" if entry.is_executable else ""
            found[entry.path] = entry.file_digest.fingerprint + executable
        elif isinstance(entry, SymlinkEntry):
            found[entry.path] = f"-> {entry.target}"
        else:
            found[entry.path] = "directory"
    return found


@rule
async def step_inputs(request: StepRequest, core: CoreSources) -> StepInputs:
    document = {
        "step": request.step,
        "arguments": list(request.arguments),
        "files": files_of(await engine.entries(request.inputs)),
        "trees": {name: digest.fingerprint for name, digest in request.trees.items()},
        "code": core.steps[request.step].fingerprint,
        "libraries": request.toolbox.digest.fingerprint if request.toolbox else None,
        "interpreter": request.interpreter.digest.fingerprint if request.interpreter else None,
    }
    return StepInputs(canonical_json(document).decode())


def _versions(packages: Iterable[DebPackage]) -> dict[str, str]:
    return {f"{package.name}:{package.architecture}": package.version for package in packages}


def platform_context(parts: ImageParts, base: Base, wheels: Iterable[Wheel]) -> dict[str, Any]:
    """Return what stands behind the digests of one platform: configuration, Python, packages that build."""
    built = any(wheel.inputs for wheel in wheels)
    return {
        "config": parts.config.to_dict(),
        "target": {
            "python": base.target.python,
            "libc": base.target.libc,
            "libc_version": base.target.libc_version,
        },
        "interpreter_packages": _versions(base.interpreter.packages),
        "builder_packages": _versions(base.builder) if built else {},
    }


def image_fields(parts: ImageParts, base: Base) -> dict[str, Any]:
    """Return what decides which wheels and layers an image has, and which base image it names.

    :param base: of any of its platforms.
    """
    return {
        # The index names it, also when none of the platforms' own base images is another one.
        **({"base_image": base.registry.root} if base.registry else {}),
        "annotations": dict(parts.annotations),
        "base": str(parts.base),
        "compression": parts.options.compression,
        "extends": str(parts.extends) if parts.extends else None,
        "layer_budget": parts.layer_budget,
        "no_binary": list(parts.no_binary),
        "only_binary": list(parts.only_binary),
        "resolve": parts.resolve,
        "requirements": sorted({root.requirement for root in parts.roots}),
    }


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
