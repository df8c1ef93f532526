"""A key of an image that changes when its digest would: of locks, sources and fields, nothing is built."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterable

from pants.engine.addresses import Address
from pants.engine.fs import Digest, FileEntry

from ociwheel.layer.exclude import excluded
from slim_python_image import engine
from slim_python_image.bases import Base, DebianBase, DebPackage, DebPackages
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Root, canonical_json
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.build_pins import build_lock_path
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.image_content import ImageContent, contents_of
from slim_python_image.util_rules.image_definition import ImageDefinition, ImageDefinitionRequest, read_image
from slim_python_image.util_rules.image_layers import ancestors_of
from slim_python_image.util_rules.lock_lines import LockLines, LockLinesRequest, reached, read_lines
from slim_python_image.util_rules.locks import normalized, requirement_name
from slim_python_image.util_rules.made_files import makes_files

# The steps whose code makes bytes of an image, or what such a step stands on.
_STEPS = (
    *("wheel-layer", "wheel-layers", "source-layer", "source-layers", "deb-layer", "deb-layers"),
    *("made-files", "rootfs-layer", "venv-layer", "account-layer"),
    *("lock-entries", "describe", "plan", "inspect-sdist", "build-pins", "fetch-crates", "interpreter"),
    *("zig", "zig-libc", "sysroot", "gcc", "build-programs", "container", "build", "build-code", "emulate"),
    *("image", "index"),
)


@dataclass(frozen=True)
class ImageKeyRequest:
    """Compute the key of an image target."""

    address: Address


@dataclass(frozen=True)
class ImageKey:
    """64 hexadecimal digits."""

    key: str


@dataclass(frozen=True)
class BackendCode:
    """This plugin's own code, which divides an image into layers and names them.

    :param fingerprint: 64 hexadecimal digits.
    """

    fingerprint: str


def wanted(root: Root) -> tuple[str, str]:
    """Return what of a requirement decides what is chosen from a lock: not its versions, the lock has one."""
    text, _, marker = root.requirement.partition(";")
    extras = re.search(r"\[([^\]]*)\]", text)
    named = sorted(normalized(one.strip()) for one in (extras.group(1) if extras else "").split(",") if one)
    return f"{requirement_name(text)}[{','.join(named)}]", " ".join(marker.split())


def _debs(packages: Iterable[DebPackage]) -> list[list[str]]:
    return sorted([one.name, one.version, one.architecture, one.sha256] for one in packages)


def runtime(base: Base, *, bytecode: bool) -> dict[str, Any]:
    """Return what an image is made from of its base, besides what compiles."""
    source = base.interpreter.source
    python = _debs(source.packages) if bytecode and isinstance(source, DebPackages) else []
    common = {"target": asdict(base.target), "interpreter": python}
    if isinstance(base, DebianBase):
        groups = [
            [group.title, group.bytecode, _debs(group.packages)] for group in (*base.groups, *base.added)
        ]
        return {
            **common,
            "groups": groups,
            "accept_scripts": list(base.accept_scripts),
            "made_with": _debs(base.made_with) if makes_files(base) else [],
        }
    return {
        **common,
        "image": [base.name, base.root, base.manifest, base.python, base.certificates, base.nonroot],
        "env": dict(base.env),
        "labels": dict(base.labels),
    }


def builder(base: Base, names: Iterable[str], options: SlimImageOptions) -> dict[str, Any]:
    """Return what some distributions are compiled with, where they are compiled.

    :param names: those that may be.
    """
    settings = {name: options.build_settings(name) for name in names}
    if isinstance(base, DebianBase):
        gcc = _debs(base.gcc) if any(options.compiler(name) for name in names) else []
        groups = {
            name: _debs(base.builder_groups[name].packages) for name in names if name in base.builder_groups
        }
        return {
            "settings": settings,
            "packages": _debs(base.builder),
            "groups": groups,
            "gcc": gcc,
            "emulation": _debs(base.emulation),
            "programs": {name: _debs(packages) for name, packages in base.programs.items()},
        }
    layers = [layer.digest for layer in base.builder.layers] if base.builder else []
    return {"settings": settings, "layers": layers}


def compiled(lock: bytes | None, pins: dict[str, list[str]], minor: str) -> dict[str, Any]:
    """Return what a build lock says of the distributions of an image, by name."""
    try:
        document = json.loads(lock or b"{}")
        rows = [
            row
            for row in document.get("environments", ())
            if row["python"] == minor and row["sdist"].partition("==")[0] in pins
        ]
        files, crates = document.get("files", {}), document.get("crates", {})
        return {
            row["sdist"]: [
                row["sha256"],
                {pin: files.get(pin) for pin in row["pins"]},
                {crate: crates.get(crate) for crate in row.get("crates", ())},
            ]
            for row in rows
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"": hashlib.sha256(lock or b"").hexdigest()}


def shared(parts: ImageDefinition, content: ImageContent) -> dict[str, Any]:
    """Return what of an image is in the layers that images which extend it have too."""
    return {
        "address": str(parts.address),
        "roots": sorted({wanted(root) for root in parts.roots}),
        "no_binary": sorted(parts.no_binary),
        "only_binary": sorted(parts.only_binary),
        "options": asdict(parts.options),
        "layer_budget": parts.layer_budget,
        "layer_groups": [[group.name, group.patterns] for group in parts.groups],
        "max_layer_size": parts.max_layer_size,
        "prefer": list(parts.prefer),
        "workdir": parts.config.workdir,
        "time": parts.time,
        # With a script, or files at absolute places, its last layer is no other image's.
        "scripts": bool(parts.scripts or content.placed),
    }


def definition(parts: ImageDefinition, content: ImageContent) -> dict[str, Any]:
    """Return what of an image's own fields is in its bytes; what is only checked is not."""
    return {
        **shared(parts, content),
        "platforms": list(parts.platforms),
        "wheels": sorted([wheel.name, wheel.sha256] for wheel in content.local_wheels),
        "scripts": sorted(parts.scripts),
        "config": parts.config.to_dict(),
        "annotations": dict(parts.annotations),
        "writable": list(parts.writable),
        "places": json.loads(content.placed.places) if content.placed else [],
    }


def backend_code(package: Path) -> str:
    """Return the fingerprint of a backend's code, without its tests.

    :param package: its folder.
    """
    found = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if not path.name.endswith("_test.py"):
            data = path.read_bytes()
            found.update(f"{path.relative_to(package).as_posix()} {len(data)}\n".encode() + data)
    return found.hexdigest()


async def files_of(digest: Digest, exclude: Iterable[str] = ()) -> list[list[Any]]:
    """Return the files of a tree: path, content, and whether it can be executed.

    :param exclude: patterns of those that are left out.
    """
    patterns = tuple(exclude)
    return [
        [one.path, one.file_digest.fingerprint, one.is_executable]
        if isinstance(one, FileEntry)
        else [one.path, str(getattr(one, "target", ""))]
        for one in await engine.entries(digest)
        if not excluded(one.path, patterns)
    ]


def platform_part(
    base: Base,
    line: tuple[ImageDefinition, ...],
    lines: LockLines,
    lock: bytes | None,
    options: SlimImageOptions,
) -> dict[str, Any]:
    """Return what one platform adds.

    :param line: the image, and those that it extends.
    :param lock: the build lock, where there is one.
    """
    roots = {wanted(root)[0].partition("[")[0] for one in line for root in one.roots}
    pins = reached(roots, lines.lines)
    builds = compiled(lock, pins, base.target.minor)
    names = sorted({sdist.partition("==")[0] for sdist in builds})
    return {
        "base": runtime(base, bytecode=line[0].options.bytecode != "none"),
        "pins": pins,
        "builds": builds,
        "builder": builder(base, names, options) if builds else {},
    }


@rule(desc="Look at the plugin's code")
async def find_backend() -> BackendCode:
    return BackendCode(backend_code(Path(__file__).parents[1]))


@rule(desc="Compute the key of an image")
async def image_key(
    request: ImageKeyRequest, core: CoreSources, backend: BackendCode, options: SlimImageOptions
) -> ImageKey:
    parts = await read_image(ImageDefinitionRequest(request.address), **implicitly())
    line = (parts, *await ancestors_of(parts))
    contents = await contents_of(line)
    own = contents[0]
    lines = (
        await read_lines(LockLinesRequest(parts.lockfile), **implicitly())
        if parts.lockfile
        else LockLines(())
    )
    lock = await engine.read_path(build_lock_path(parts.resolve, parts.lockfile)) if parts.roots else None
    platforms = {}
    for platform in parts.platforms:
        base = (await read_base(parts.base_on(platform), **implicitly())).base
        platforms[platform] = platform_part(base, line, lines, lock, options)
    document = {
        "code": {step: core.steps[step].fingerprint for step in _STEPS},
        "backend": backend.fingerprint,
        "tools": hashlib.sha256(core.tools.encode()).hexdigest(),
        "image": definition(parts, own),
        "extended": [shared(*one) for one in list(zip(line, contents))[1:]],
        "files": [
            [await files_of(content.sources, one.options.exclude), await files_of(content.files)]
            for one, content in zip(line, contents)
        ],
        "placed": await files_of(own.placed.files) if own.placed else [],
        "lock": lines.whole,
        "platforms": platforms,
    }
    return ImageKey(hashlib.sha256(canonical_json(document)).hexdigest())


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
