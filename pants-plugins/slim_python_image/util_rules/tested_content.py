"""What tests bring along into an image: pytest, their own requirements and files, as layers above its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Iterable, Mapping

from pants.backend.python.subsystems.pytest import PyTest
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonTestSourceField
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest, strip_python_sources
from pants.core.util_rules.config_files import find_config_file
from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.fs import Digest, FileEntry
from pants.engine.internals.graph import transitive_targets
from pants.engine.target import Target, TransitiveTargetsRequest

from slim_python_image import engine
from slim_python_image.bases import Base
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.image_test_target import InsideTestsField
from slim_python_image.products import GZIP, Layer, Root, SlimImageError, Wheel, canonical_json
from slim_python_image.util_rules.first_party import neutral
from slim_python_image.util_rules.image_content import FirstParty, contents_of, first_party
from slim_python_image.util_rules.image_definition import ImageDefinition
from slim_python_image.util_rules.image_layers import (
    ancestors_of,
    image_wheels,
    layer_request,
    wheel_layers_of,
)
from slim_python_image.util_rules.layers import SourceLayerRequest, source_layers
from slim_python_image.util_rules.locks import LockEntriesRequest, normalized, read_lock, requirement_name
from slim_python_image.util_rules.placed import PlacedFiles
from slim_python_image.util_rules.requirements import requirements_of
from slim_python_image.util_rules.wheels import WheelSetRequest, make_wheel_set

PLACE = "/ociwheel-test"
"""Where the core's step lets tests bring things: no image has such a folder."""
_CONFIGS = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
# A file that lists a folder is how site-packages is followed by another one, in which nothing wins over it.
_BEHIND = "ociwheel-test.pth"


@dataclass(frozen=True)
class TestedContentRequest:
    """What tests bring into an image.

    :param owner: the target that names the tests.
    """

    owner: Address
    tests: InsideTestsField
    parts: ImageDefinition
    base: Base

    __test__ = False


@dataclass(frozen=True)
class TestedContent:
    """What tests bring into an image.

    :param layers: above those of the image.
    :param arguments: of pytest: the tests' files in the image, and their configuration.
    """

    layers: tuple[Layer, ...]
    arguments: tuple[str, ...]

    __test__ = False


def site_packages(parts: ImageDefinition, base: Base) -> str:
    """Return the folder in the image that has its code."""
    return f"{parts.options.prefix}/lib/python{base.target.minor}/site-packages"


def pytest_names(names: Iterable[str], requirements: Iterable[str]) -> tuple[str, ...]:
    """Return what of a lock has to be installed for pytest to run: what was asked for, or it and its plugins.

    :param names: of the distributions of the lock.
    """
    found = sorted(normalized(name) for name in names)
    asked = tuple(requirements)
    return asked or tuple(name for name in found if name == "pytest" or name.startswith("pytest-"))


def check_pytest(names: Iterable[str], lockfile: str, image: Address) -> None:
    """Check that pytest is among what is installed to run tests.

    :param names: requirements.
    :raises SlimImageError: it is not.
    """
    if "pytest" not in {requirement_name(name) for name in names}:
        raise SlimImageError(
            f"{image}: no pytest can run in it, because {lockfile} has none\n"
            "  -> lock pytest in a resolve, and name that in `[pytest].install_from_resolve`"
        )


def config_file(paths: Iterable[str], tests: Iterable[str]) -> str | None:
    """Return the file that configures pytest: of those above all tests the nearest, as pytest would.

    :param tests: paths of files in the repository.
    """
    folder = os.path.commonpath([os.path.dirname(path) or "." for path in tests])
    above = [path for path in paths if f"{folder}/".startswith(f"{os.path.dirname(path)}/".lstrip("/"))]
    ranked = sorted(
        above, key=lambda path: (-len(os.path.dirname(path)), _CONFIGS.index(os.path.basename(path)))
    )
    return ranked[0] if ranked else None


async def pytest_wheels(
    parts: ImageDefinition, base: Base, pytest: PyTest, python_setup: PythonSetup
) -> WheelSetRequest:
    """Return the wheels of pytest.

    :raises SlimImageError: no lock has it.
    """
    resolve = pytest.install_from_resolve or parts.resolve
    if resolve not in python_setup.resolves:
        known = ", ".join(sorted(python_setup.resolves))
        raise SlimImageError(
            f"[pytest].install_from_resolve is {resolve!r}\n  -> name one of `[python].resolves`: {known}"
        )
    lockfile = python_setup.resolves[resolve]
    lock = await read_lock(LockEntriesRequest(lockfile), **implicitly())
    names = pytest_names((entry.name for entry in lock.entries), pytest.requirements or ())
    check_pytest(names, lockfile, parts.address)
    roots = tuple(Root(name, f"[pytest] of {resolve}") for name in names)
    return WheelSetRequest(roots, lockfile, resolve, base, (), ())


def brought(image: Iterable[Wheel], tests: Iterable[Wheel], pytest: Iterable[Wheel]) -> tuple[Wheel, ...]:
    """Return the wheels that an image lacks: of the tests, and of pytest what the tests do not have."""
    have = {normalized(wheel.name) for wheel in image}
    found: dict[str, Wheel] = {}
    for wheel in (*tests, *pytest):
        if normalized(wheel.name) not in have:
            found.setdefault(normalized(wheel.name), wheel)
    return tuple(found[name] for name in sorted(found))


async def wheels_brought(
    request: TestedContentRequest,
    targets: tuple[Target, ...],
    own: FirstParty,
    pytest: PyTest,
    python_setup: PythonSetup,
) -> tuple[Wheel, ...]:
    """Return the wheels that the tests need beyond their image."""
    parts, base = request.parts, request.base
    wanted = requirements_of(targets, request.owner, python_setup, parts.resolve)
    ancestors = await ancestors_of(parts)
    of_image = image_wheels(parts, ancestors, base)
    image = await make_wheel_set(of_image, **implicitly())
    with_tests = replace(of_image, roots=tuple(sorted({*of_image.roots, *wanted.roots})))
    tests = await make_wheel_set(with_tests, **implicitly())
    tool = await make_wheel_set(await pytest_wheels(parts, base, pytest, python_setup), **implicitly())
    (content,) = await contents_of((parts,))
    return brought((*image.wheels, *content.local_wheels), (*tests.wheels, *own.wheels), tool.wheels)


async def _without(digest: Digest, other: Digest) -> list[FileEntry]:
    """Return the files whose paths another digest has not."""
    there = {one.path for one in await engine.entries(other)}
    found = await engine.entries(digest)
    return [one for one in found if isinstance(one, FileEntry) and one.path not in there]


async def _config(pytest: PyTest, folders: Iterable[str], tests: Iterable[str]) -> Mapping[str, FileEntry]:
    """Return the file that configures pytest, by its name; empty where there is none."""
    found = await find_config_file(pytest.config_request(folders), **implicitly())
    entries = {
        one.path: one for one in await engine.entries(found.snapshot.digest) if isinstance(one, FileEntry)
    }
    path = next(iter(entries), None) if pytest.config else config_file(entries, tests)
    return {} if path is None else {os.path.basename(path): entries[path]}


async def named_tests(field: InsideTestsField) -> Addresses:
    """Return the addresses that the field `tests` names."""
    return await engine.addresses(
        UnparsedAddressInputs(
            field.value or (),
            owning_address=field.address,
            description_of_origin=f"the field `{field.alias}` of {field.address}",
        )
    )


async def _test_targets(request: TestedContentRequest) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Return the tests that a target names, and all that they depend on, themselves included.

    :raises SlimImageError: what it names are no tests.
    """
    named = await named_tests(request.tests)
    reached = await transitive_targets(TransitiveTargetsRequest(named), **implicitly())
    wanted = set(named)
    tests = tuple(
        one
        for one in reached.closure
        if one.has_field(PythonTestSourceField)
        and wanted & {one.address, one.address.maybe_convert_to_target_generator()}
    )
    if not tests:
        listed = ", ".join(request.tests.value or ())
        raise SlimImageError(
            f"{request.owner}: the field `{InsideTestsField.alias}` names no tests: {listed}\n"
            "  -> name `python_tests` targets"
        )
    return tests, tuple(reached.closure)


@rule(desc="Gather what tests bring into an image")
async def tested_content(
    request: TestedContentRequest, pytest: PyTest, python_setup: PythonSetup
) -> TestedContent:
    parts, base = request.parts, request.base
    tests, targets = await _test_targets(request)
    own = await first_party(targets)
    (content,) = await contents_of((parts,))
    stripped = await strip_python_sources(**implicitly(PythonSourceFilesRequest(tests)))
    paths = sorted(stripped.stripped_source_files.snapshot.files)
    wheels = await wheels_brought(request, targets, own, pytest, python_setup)
    options = replace(parts.options, bytecode="none", exclude=(), strip=False, compression=GZIP)
    behind = replace(
        layer_request(parts, base, wheels, f"wheels of {request.owner}"), prefer=(), max_size=None
    )
    sources = [t[PythonTestSourceField].file_path for t in tests]
    config = await _config(pytest, {os.path.dirname(path) for path in sources}, sources)
    placed = PlacedFiles(
        await engine.create_entries(replace(one, path="0") for one in config.values()),
        canonical_json([{"file": "0", "path": f"{PLACE}/{name}"} for name in config]).decode(),
    )
    site = site_packages(parts, base)
    listed = f"{PLACE}/lib/python{base.target.minor}/site-packages\n"
    code = SourceLayerRequest(
        sources=await engine.merge(
            (
                await engine.create_entries(await _without(own.sources, content.sources)),
                await engine.create_files({_BEHIND: listed.encode()}),
            )
        ),
        files=await engine.create_entries(await _without(own.files, content.files)),
        workdir=parts.config.workdir,
        scripts=(),
        title=f"tests of {request.owner}",
        target=neutral(base.target),
        options=options,
        interpreter=base.interpreter,
        placed=placed if config else None,
    )
    layers = (
        *await wheel_layers_of(parts.address, [replace(behind, options=replace(options, prefix=PLACE))]),
        *(await source_layers(code, **implicitly())).layers,
    )
    configured = tuple(part for name in config for part in ("-c", f"{PLACE}/{name}"))
    return TestedContent(layers, (*configured, "--rootdir", site, *(f"{site}/{path}" for path in paths)))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
