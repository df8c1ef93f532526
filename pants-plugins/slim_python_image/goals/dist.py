"""Layouts go into `dist` complete: Pants itself clears a place, and then fills it while others look.

The goal `package` writes what each `BuiltPackage` holds, and then logs what was packaged. So a package of
ours holds what of its layout is not in `dist` yet, below a folder beside it, and the first line that it logs
moves that into place: nothing else runs after the goal has written.

Another target may take the image into its sandbox, by the same `BuiltPackage`: then it holds the whole
layout, as in every goal but `package`, and Pants writes it. Nothing tells a rule who asks for a package, so
who could is read from what targets name.
"""

from __future__ import annotations

import hashlib
import posixpath
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator

from pants.base.build_root import BuildRoot
from pants.core.goals.package import OutputPathField
from pants.core.util_rules.distdir import DistDir
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry
from pants.engine.internals.options_parsing import _Options
from pants.engine.target import AllTargets, Dependencies, SpecialCasedDependencies, Target
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, rule, uncacheable_rule
from slim_python_image.goals.dist_folder import (
    Place,
    Wanted,
    check_replaced,
    clear_staging,
    foreign_files,
    forget,
    forget_documents,
    listed,
    look,
    move,
    refused,
    staging_name,
)
from slim_python_image.products import SlimImageError
from slim_python_image.start_fields import EntryPointField
from slim_python_image.target_types import OutputFormatField

_GOAL = "package"


# --- who takes an image in ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Goals:
    """The goals of a run. Options as a whole are others in each run, and what asks for them runs in each."""

    names: tuple[str, ...]

    @property
    def package(self) -> bool:
        """Whether packages are written to `dist`."""
        return _GOAL in self.names


@rule
async def goals_of_run(options: _Options) -> Goals:
    return Goals(tuple(options.options.goals))


@dataclass(frozen=True)
class TakenIn:
    """The images that other targets may take into their sandboxes in this run.

    :param packaged: the goal is one that writes packages.
    :param same_place: images that would be written to one place in `dist`, by that place.
    """

    addresses: frozenset[Address]
    packaged: bool
    same_place: FrozenDict[str, tuple[Address, ...]] = FrozenDict()

    def check_alone(self, output: str) -> None:
        """Check that no other image is written to a place.

        :raises SlimImageError: naming the images: the last one written would replace the others in silence.
        """
        if output in self.same_place:
            named = " and ".join(str(one) for one in self.same_place[output])
            raise SlimImageError(
                f"dist/{output} is the place of {named}\n  -> give each an `output_path` of its own"
            )


def is_image(target: Target) -> bool:
    """Tell whether a target is an image."""
    return target.has_fields((EntryPointField, OutputFormatField))


def named_by(target: Target, names: frozenset[str]) -> Iterator[str]:
    """Yield what a target's dependencies name that may be an image.

    :param names: what the addresses of images end in.
    """
    for value in target.field_values.values():
        if isinstance(value, (Dependencies, SpecialCasedDependencies)):
            for text in value.value or ():
                address = text.lstrip("!").partition("@")[0]
                if address.rpartition(":")[2].rpartition("/")[2] in names:
                    yield text


def takers(targets: Iterable[Target], goals: Iterable[str]) -> tuple[Target, ...]:
    """Return the targets that may take packages in.

    :param goals: `package` alone packages nothing for a target that is no package, such as a test.
    """
    alone = tuple(goals) == (_GOAL,)
    return tuple(
        one for one in targets if not is_image(one) and (not alone or one.has_field(OutputPathField))
    )


def same_place(images: Iterable[Target]) -> FrozenDict[str, tuple[Address, ...]]:
    """Return the places in `dist` that more than one image would be written to."""
    found: dict[str, list[Address]] = {}
    for image in images:
        output = posixpath.normpath(image[OutputPathField].value_or_default(file_ending=None))
        found.setdefault(output, []).append(image.address)
    return FrozenDict({place: tuple(sorted(those)) for place, those in found.items() if len(those) > 1})


async def _named(target: Target, names: frozenset[str]) -> tuple[Address, ...]:
    found = tuple(dict.fromkeys(named_by(target, names)))
    if not found:
        return ()
    return tuple(
        await engine.addresses(
            UnparsedAddressInputs(
                found,
                owning_address=target.address,
                description_of_origin=f"the dependencies of {target.address}",
                skip_invalid_addresses=True,
            )
        )
    )


@rule
async def images_taken_in(targets: AllTargets, goals: Goals) -> TakenIn:
    if not goals.package:
        return TakenIn(frozenset(), packaged=False)
    places = same_place(one for one in targets if is_image(one))
    images = {one.address for one in targets if is_image(one)}
    names = frozenset(address.target_name for address in images)
    named = [await _named(one, names) for one in takers(targets, goals.names)]
    taken = frozenset(address for found in named for address in found) & images
    return TakenIn(taken, packaged=True, same_place=places)


# --- a layout -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DistFolder:
    """`dist` at the beginning of a run: looked at once, whatever number of images there are.

    :param shown: the folder, as people see it.
    :param staging: what the names of folders begin with in which Pants writes what is not in its place yet.
    :param left: such folders of this process, which a run that was interrupted left.
    """

    path: Path
    shown: str
    staging: str
    left: frozenset[str] = frozenset()


@uncacheable_rule(desc="Look at dist")
async def look_at_dist(goals: Goals, dist_dir: DistDir, build_root: BuildRoot) -> DistFolder:
    path = Path(build_root.path) / dist_dir.relpath
    left = clear_staging(path) if goals.package else frozenset()
    return DistFolder(path, str(dist_dir.relpath), staging_name(), left)


@dataclass(frozen=True)
class LayoutRequest:
    """Put a layout and what stands beside it into `dist`.

    :param digests: of the layout, whole, and of files beside it, whose paths begin with :data:`BESIDE`.
    :param files: their files, so that nothing is asked of the engine where all of them are there.
    """

    address: Address
    output: str
    shared: bool
    digests: tuple[Digest, ...]
    files: tuple[Wanted, ...]


async def _entries(digests: Iterable[Digest]) -> dict[str, FileEntry]:
    return {
        one.path: one
        for digest in digests
        for one in await engine.entries(digest)
        if isinstance(one, FileEntry)
    }


async def wanted_files(digests: Iterable[Digest]) -> tuple[Wanted, ...]:
    """Return the files of a layout, and those beside it."""
    return tuple(
        Wanted(path, one.file_digest.fingerprint, one.file_digest.serialized_bytes_length)
        for path, one in (await _entries(digests)).items()
    )


@dataclass(frozen=True)
class Staged:
    """What Pants writes beside a layout: as a line of the log, it moves it into place and says so.

    :param dist: the folder, as people see it.
    :param folder: where Pants writes it.
    :param outdated: something is there that an earlier run wrote, and that now may go.
    """

    address: Address
    place: Place
    dist: str
    folder: Path
    files: tuple[Wanted, ...]
    written: tuple[Wanted, ...]
    outdated: bool = False

    def wrote(self, suffix: str = "") -> str:
        """Return the line that Pants logs of a package."""
        return f"Wrote {self.dist}/{self.place.output}{suffix}"

    def __str__(self) -> str:
        """Return the line of the log, after the layout has moved; a second time, nothing is left to move.

        :raises SlimImageError: it could not be moved.
        """
        try:
            if not self.written:
                if self.outdated:
                    forget(self.place, self.files)
            elif self.folder.is_dir():
                move(self.place, self.files, self.written, self.folder)
                shutil.rmtree(self.folder)
        except OSError as e:
            raise SlimImageError(
                f"{self.address}: {e.filename}: {e.strerror}: the layout cannot be moved into its place\n"
                "  -> every layout there is still whole; make room or mend the rights, and package again"
            ) from e
        return self.wrote()


@dataclass(frozen=True)
class PlacedLayout:
    """A layout for its place in `dist`, or, without `staged`, one that Pants has to write whole.

    :param digest: what of it has to be written.
    :param lines: notes about the place.
    """

    staged: Staged | None = None
    digest: Digest = EMPTY_DIGEST
    lines: tuple[str, ...] = ()


async def place_layout(request: LayoutRequest, taken_in: TakenIn, dist: DistFolder) -> PlacedLayout:
    """Look at what is in `dist`, of one layout: another answer each time, so for a rule that is kept nowhere.

    :raises SlimImageError: something that is of no image stands in its place.
    """
    if not taken_in.packaged:
        return PlacedLayout()
    place = Place(dist.path, request.output, request.shared)
    if request.address in taken_in.addresses:
        foreign = foreign_files(place)
        if foreign:
            raise refused(request.output, f"has files that are of no layout: {listed(foreign)}")
        forget_documents(place, (one.path for one in request.files))
        return PlacedLayout()
    found = look(place, request.files)
    folder = dist.path / f"{dist.staging}{hashlib.sha256(request.output.encode()).hexdigest()[:16]}"
    if folder.name in dist.left:
        shutil.rmtree(folder, ignore_errors=True)
    digest = EMPTY_DIGEST
    if found.missing:
        entries = await _entries(request.digests)
        digest = await engine.create_entries(
            FileEntry(posixpath.join(folder.name, one.path), entries[one.path].file_digest)
            for one in found.missing
        )
    note = f"  note: left alone, as no part of the layout: {listed(found.foreign)}"
    staged = Staged(request.address, place, dist.shown, folder, request.files, found.missing, found.outdated)
    return PlacedLayout(staged, digest, (note,) if found.foreign else ())


# --- what Pants writes --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReplacedRequest:
    """Look at what Pants is going to clear in `dist`: files, or a folder whose files all end in a suffix.

    :param image: the path of an image, and
    :param beside: what is written beside it: of attestations, what is not among it goes.
    """

    outputs: tuple[str, ...]
    suffix: str = ""
    image: str = ""
    beside: Digest = EMPTY_DIGEST


@dataclass(frozen=True)
class Replaceable:
    """Nothing of others is there."""


@uncacheable_rule(desc="Look at what is in dist")
async def check_place(
    request: ReplacedRequest, goals: Goals, dist_dir: DistDir, build_root: BuildRoot
) -> Replaceable:
    dist = Path(build_root.path) / dist_dir.relpath
    if goals.package:
        for output in request.outputs:
            check_replaced(dist, output, request.suffix)
        if request.image:
            entries = await engine.entries(request.beside)
            forget_documents(Place(dist, request.image), (one.path for one in entries))
    return Replaceable()


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
