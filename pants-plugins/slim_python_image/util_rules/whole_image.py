"""What is known of an image as a whole: its user's folders, and whether it can start what it is told to."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image import engine
from slim_python_image.bases import Base, DebianBase
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Layer, SlimImageError, canonical_json
from slim_python_image.remedies import names
from slim_python_image.util_rules.base_layers import accounts_of
from slim_python_image.util_rules.image_definition import ImageConfig, ImageDefinition
from slim_python_image.util_rules.layer_steps import make_layer
from slim_python_image.util_rules.steps import OUT, StepOutcome, StepRequest, Toolbox, run_step

# The users that a base has without more, and their numbers.
_KNOWN_USERS = frozenset({"root", "nobody", "nonroot", "0", "65532", "65534"})
_NAMES = "layer-names.json"


@dataclass(frozen=True)
class AccountLayerRequest:
    """Write the layer of an image's user and its folders.

    :param document: the core's request, without `names`.
    :param names: `layer-names.json` of the layers of the base whose files are known, bottom first.
    """

    document: str
    names: tuple[Digest, ...]
    compression: str


@dataclass(frozen=True)
class CheckRequest:
    """Check an image as a whole.

    :param document: the core's request, without `names`.
    :param names: `layer-names.json` of its layers, bottom first.
    :param source: the start's module, where it is first-party code.
    """

    document: str
    names: tuple[Digest, ...]
    source: Digest
    platform: str


@dataclass(frozen=True)
class Check:
    """What the check found, or what is wrong."""

    outcome: StepOutcome


def account_request(
    parts: ImageDefinition, config: ImageConfig, base: Base, layers: tuple[Layer, ...]
) -> AccountLayerRequest | None:
    """Return the layer of what an image's user owns, ``None`` where it asks for nothing.

    :param config: the image's, with what it inherits of its base.
    :param layers: of the base. Above them, all folders belong to root; those that the image's user has are
        its own, also where first-party files lie in them.
    """
    rows = accounts_of(layers) if isinstance(base, DebianBase) else None
    known = rows is None or config.user.partition(":")[0] in _KNOWN_USERS | _users_of(rows).keys()
    if known and not config.volumes and not parts.writable and config.workdir == parts.options.prefix:
        return None
    document = {
        "user": config.user,
        "prefix": parts.options.prefix,
        "workdir": config.workdir,
        "volumes": list(config.volumes),
        "writable": list(parts.writable),
        "accounts": rows,
    }
    return AccountLayerRequest(
        canonical_json(document).decode(),
        tuple(layer.names for layer in layers if layer.remote is None),
        parts.options.compression,
    )


def _users_of(rows: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return number and group of users by name and by number, as an image's configuration has them."""
    found = {}
    for name, _, uid, gid, *_ in (row.split(":") for row in rows.get("passwd", ())):
        found[name] = found[uid] = f"{uid}:{gid}"
    return found


def with_accounts(config: ImageConfig, layers: Iterable[Layer]) -> ImageConfig:
    """Return an image's configuration with the number of a user that its packages' scripts make.

    :param layers: of its base.
    """
    rows = accounts_of(layers)
    name, _, group = config.user.partition(":")
    user = _users_of(rows).get(name)
    if user is None:
        return config
    groups = {row.split(":")[0]: row.split(":")[2] for row in rows["group"]}
    uid, _, gid = user.partition(":")
    return replace(config, user=f"{uid}:{groups.get(group, group) or gid}")


async def with_names(document: str, names: tuple[Digest, ...]) -> Digest:
    """Return a step's input: its request, and the lists of names that it mentions."""
    value: dict[str, Any] = json.loads(document)
    paths = [f"names/{number:03}" for number in range(len(names))]
    value["names"] = [f"{path}/{_NAMES}" for path in paths]
    placed = [await engine.add_prefix(digest, path) for digest, path in zip(names, paths)]
    return await engine.merge((*placed, await engine.create_files({"request.json": canonical_json(value)})))


@rule
async def account_layer(request: AccountLayerRequest, toolbox: Toolbox) -> Layer:
    return await make_layer(
        StepRequest(
            step="account-layer",
            arguments=("--request", "request.json", "--output", OUT),
            description="Layer folders of the image's user",
            toolbox=toolbox,
            inputs=await with_names(request.document, request.names),
            output_directories=(OUT,),
        ),
        request.compression,
    )


async def account_layers(
    parts: ImageDefinition, config: ImageConfig, base: Base, layers: tuple[Layer, ...]
) -> tuple[Layer, ...]:
    """Return the topmost layer of an image: what its user owns; none where there is nothing.

    :raises SlimImageError: an unknown user, or folders that nobody may write to.
    """
    request = account_request(parts, config, base, layers)
    if request is None:
        return ()
    try:
        made = await account_layer(request, **implicitly())
    except SlimImageError as e:
        raise SlimImageError(f"{parts.address}: {e}") from None
    return (made,) if made.fields()["files"] else ()


def module_globs(module: str) -> tuple[str, ...]:
    """Return where the text of a module may be, below stripped source roots."""
    path = module.replace(".", "/")
    return (f"{path}.py", f"{path}/__init__.py")


async def check_request(
    parts: ImageDefinition, config: ImageConfig, base: Base, layers: tuple[Layer, ...], sources: Digest
) -> CheckRequest:
    """Return the check of an image's layers.

    :param sources: the image's own code.
    """
    start = dict(parts.start)
    function = start.get("function")
    globs = module_globs(start["module"]) if function else ()
    document = {
        "prefix": parts.options.prefix,
        "python": base.target.minor,
        "path": config.env.get("PATH", ""),
        # Of a registry's image nobody knows the files without its bytes.
        "whole": isinstance(base, DebianBase),
        "start": start,
        "workdir": config.workdir,
        "volumes": list(config.volumes),
        "prefer": list(parts.prefer),
        "target": json.loads(base.target.to_json()),
    }
    return CheckRequest(
        document=canonical_json(document).decode(),
        names=tuple(layer.names for layer in layers if layer.remote is None),
        source=await engine.subset(sources, *globs) if globs else EMPTY_DIGEST,
        platform=base.target.platform,
    )


@rule
async def check_image(request: CheckRequest, toolbox: Toolbox) -> Check:
    inputs = (
        await with_names(request.document, request.names),
        await engine.add_prefix(request.source, "sources"),
    )
    return Check(
        await run_step(
            StepRequest(
                step="check",
                arguments=("--request", "request.json", "--sources", "sources"),
                description=f"Check the image for {request.platform}",
                toolbox=toolbox,
                inputs=await engine.merge(inputs),
            ),
            **implicitly(),
        )
    )


def judged(outcome: StepOutcome, parts: ImageDefinition, base: Base) -> dict[str, Any]:
    """Return the document of a step that looked at a whole image: its check or its audit.

    :raises SlimImageError: something is wrong with the image.
    """
    if outcome.error is not None:
        known = names(parts.resolve, base.resolve, base_name=str(parts.base))
        raise SlimImageError(f"{parts.address}: {outcome.naming(known).error}")
    return outcome.fields()


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
