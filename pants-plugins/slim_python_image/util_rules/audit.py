"""The audit of an image: every ELF file finds its libraries in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.bases import Base, DebianBase, RegistryBase
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Layer, canonical_json
from slim_python_image.util_rules.image_definition import ImageDefinition
from slim_python_image.util_rules.registry_images import LayerFactsRequest, list_layer
from slim_python_image.util_rules.steps import StepOutcome, StepRequest, Toolbox, run_step

# What the core's `blob-facts` says of each file: a fault of the base is not the image's.
BASE_ORIGIN = "the base image"


@dataclass(frozen=True)
class AuditRequest:
    """Check that the ELF files of some layers can load.

    :param facts: `layer-facts.json` of each layer, bottom first.
    :param packages: the names of the base's packages.
    """

    platform: str
    facts: tuple[Digest, ...]
    packages: tuple[str, ...]
    accept: tuple[str, ...]
    libc: str = "glibc"
    strict: bool = False
    library_path: str = ""


@dataclass(frozen=True)
class Audit:
    """What the audit found, or its faults."""

    outcome: StepOutcome


async def audited_facts(layers: Iterable[Layer], base: Base) -> tuple[Digest, ...]:
    """Return the lists of files of layers, those of a registry's image included."""
    facts: list[Digest] = []
    for layer in layers:
        if layer.remote is None or not isinstance(base, RegistryBase):
            facts.append(layer.facts)
        else:
            listed = await list_layer(
                LayerFactsRequest(layer.remote, base.image.image_name, base.image.resolve), **implicitly()
            )
            facts.append(listed.digest)
    return tuple(facts)


def audited(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Return the layers that an audit has to look at.

    A layer without ELF files above all others that have some changes nothing, so it is left out: an
    edit of Python sources audits nothing again. One whose code opens libraries by name is kept, for the
    note about those that the image lacks. Of layers of a registry's image nobody knows without their
    bytes: where nothing above them has ELF files, there is nothing to audit.
    """
    noting = not any(layer.remote for layer in layers)
    while layers and not (layers[-1].elf_files or (noting and layers[-1].opens)):
        layers = layers[:-1]
    return layers


def audit_request(
    parts: ImageDefinition, base: Base, layers: tuple[Layer, ...], facts: tuple[Digest, ...] | None = None
) -> AuditRequest:
    """Return the audit of an image's layers.

    :param facts: the lists of files of the layers to look at; by default, those that the layers have.
    """
    return AuditRequest(
        platform=base.target.platform,
        facts=tuple(layer.facts for layer in audited(layers)) if facts is None else facts,
        libc=base.target.libc,
        packages=tuple(sorted(one.name for one in base.packages)) if isinstance(base, DebianBase) else (),
        accept=parts.accept,
        strict=parts.strict_audit,
        library_path=parts.config.env.get("LD_LIBRARY_PATH", ""),
    )


@rule
async def audit_layers(request: AuditRequest, toolbox: Toolbox) -> Audit:
    paths = [f"facts/{number:03}" for number in range(len(request.facts))]
    document = {
        "platform": request.platform,
        "facts": [f"{path}/layer-facts.json" for path in paths],
        "accept": list(request.accept),
        "lock_packages": list(request.packages),
        "libc": request.libc,
        "strict": request.strict,
        "library_path": [folder for folder in request.library_path.split(":") if folder],
        # Without locked packages the base is somebody else's image, whose files nobody here can mend.
        "trusted": [] if request.packages else [BASE_ORIGIN],
    }
    placed = [await engine.add_prefix(digest, path) for digest, path in zip(request.facts, paths)]
    outcome = await run_step(
        StepRequest(
            step="audit",
            arguments=("--request", "request.json"),
            description=f"Audit the libraries of {len(paths)} layers for {request.platform}",
            toolbox=toolbox,
            inputs=await engine.merge(
                (*placed, await engine.create_files({"request.json": canonical_json(document)}))
            ),
        ),
        **implicitly(),
    )
    return Audit(outcome)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
