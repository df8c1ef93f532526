"""Test an image: what it is to have and to say, and a command that runs inside it.

The request is a JSON object: facts (paths of the layers' layer-facts.json files, bottom first), env and user
(what the configuration says), expected (an object with files_present, files_absent, commands, env, user).

With a layout, the image is unpacked, and the process becomes the command in it: in namespaces where this
machine gives some, or in a container engine. Its exit code is ours. What it writes to ``/ociwheel-test/out``
is in the output folder. With namespaces nothing can be written to but the folders that belong to the image's
user; the network is the machine's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ociwheel.base.image_files import LockedLayer, open_image
from ociwheel.build.root import Refused, has_bubblewrap, prepare
from ociwheel.containers.engine import ENGINES, engine_for_tests
from ociwheel.containers.engine_images import check_emulation, choose_platform, provide
from ociwheel.digest import Digest
from ociwheel.documents import document, read_document, read_value
from ociwheel.elf.tree import ImageTree
from ociwheel.errors import ImageError, ToolError
from ociwheel.image import archive
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.image.users import Owner, owner
from ociwheel.image_name import ImageName
from ociwheel.notes import note
from ociwheel.reading import Value
from ociwheel.remedies import Remedy
from ociwheel.testing.root import OUT, command, unpack
from ociwheel.testing.structure import Expected, Said, check_structure

AUTO, NAMESPACES = "auto", "namespaces"
RUNNERS = (AUTO, NAMESPACES, *ENGINES)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    add = parser.add_argument
    add("--request", type=Path, required=True, metavar="FILE", help="the request")
    add("--layout", type=Path, metavar="DIR", help="OCI layout of the image that the command runs in")
    add("--platform", help="platform of the image, linux/amd64")
    add("--name", metavar="NAME:TAG", help="name of the image in an engine")
    add("--tools", type=Path, metavar="DIR", help="what `build-programs` made, with bubblewrap")
    add("--runner", choices=RUNNERS, default=AUTO, help="what runs the command (default: auto, the first)")
    add("--output", type=Path, metavar="DIR", help=f"folder for what is written to {OUT}")
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="variable to set")
    add("argument", nargs="*", help="the command, after `--`")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Test the image; with a command this does not come back.

    :raises ImageError: an expectation that does not hold.
    :raises ToolError: nothing here runs the command.
    """
    value = read_value(args.request)
    value.only("facts", "env", "user", "expected")
    tree = ImageTree([read_document(Path(path), "layer-facts") for path in value.at("facts").texts()])
    said = Said(value.at("env").text_members(), value.at("user").text())
    number = check_structure(_expected(value.at("expected")), tree, said)
    if args.layout is None:
        return document("tested", {"held": number})
    sys.stdout.flush()
    return _become(_Job.of(args))


def _expected(value: Value) -> Expected:
    value.only("files_present", "files_absent", "commands", "env", "user")
    return Expected(
        value.optional("files_present", Value.texts) or (),
        value.optional("files_absent", Value.texts) or (),
        value.optional("commands", Value.texts) or (),
        value.optional("env", Value.text_members) or {},
        value.optional("user", Value.text),
    )


@dataclass(frozen=True)
class _Job:
    """A command and the image that it runs in."""

    layout: Layout
    manifest: Descriptor
    config: Mapping[str, Any]
    platform: str
    name: str
    tools: Path | None
    runner: str
    output: Path
    env: Mapping[str, str]
    command: Sequence[str]

    @staticmethod
    def of(args: argparse.Namespace) -> _Job:
        layout = Layout(args.layout)
        manifest = archive.choose(layout, args.platform)
        config = Descriptor.parse(layout.read(manifest).get("config"), f"{manifest.digest}: config")
        args.output.mkdir(parents=True, exist_ok=True)
        return _Job(
            layout=layout,
            manifest=manifest,
            config=layout.read(config),
            platform=args.platform,
            name=args.name,
            tools=args.tools,
            runner=args.runner,
            output=args.output.absolute(),
            env=dict(text.split("=", 1) for text in args.env),
            command=args.argument,
        )

    @property
    def said(self) -> Mapping[str, Any]:
        """What the configuration says of containers."""
        found = self.config.get("config")
        return found if isinstance(found, dict) else {}


def _become(job: _Job) -> NoReturn:
    if job.runner in {AUTO, NAMESPACES}:
        refused = _enter(job)
        if job.runner == NAMESPACES:
            raise ToolError(
                f"this machine gives tests no root of their own: {refused.why}", hint=refused.remedy
            )
        note(f"the tests run in a container engine, because this machine gives no namespaces: {refused.why}")
    _in_engine(job)


def _enter(job: _Job) -> Refused:
    """Become the command in namespaces, or return why this machine gives none."""
    if sys.platform != "linux":
        return Refused("namespaces are Linux's", Remedy.text("install podman or docker"))
    if job.tools is None or not has_bubblewrap(job.tools):
        return Refused("the lock of the base has no bubblewrap", Remedy("relock-base"))
    layers = job.layout.read(job.manifest)["layers"]
    diff_ids = job.config["rootfs"]["diff_ids"]
    locked = [
        LockedLayer(Descriptor.parse(layer, "layers").digest, Digest(diff_id))
        for layer, diff_id in zip(layers, diff_ids, strict=True)
    ]
    root = unpack(open_image(locked, job.layout.folder), _user(job), Path("root").absolute())
    env = dict(text.split("=", 1) for text in job.said.get("Env") or ())
    workdir = str(job.said.get("WorkingDir") or "/")
    words = command(root, job.tools.absolute(), job.output, {**env, **job.env}, workdir)
    ready = prepare(words, (job.command[0], "-c", ""))
    if not isinstance(ready, Refused):
        os.execve(ready[0], [*ready, *job.command], {})  # noqa: S606 (no shell is wanted)
    return ready


def _user(job: _Job) -> Owner:
    try:
        return owner(str(job.said.get("User") or "root"))
    except ImageError as e:
        raise ToolError(f"tests in namespaces need a user by number: {e.what}", hint=e.remedy) from e


def _in_engine(job: _Job) -> NoReturn:
    engine = engine_for_tests(job.runner)
    names = [ImageName.parse_tag(job.name)]
    config = Descriptor.parse(job.layout.read(job.manifest)["config"], "config").digest
    image = provide(engine, job.layout, job.manifest, config, names)
    check_emulation(engine, image, job.platform)
    job.output.chmod(0o777)  # the image's user writes there
    words = ["run", "--rm", "--pull=never", *choose_platform(engine, job.platform)]
    words += ["--volume", f"{job.output}:{OUT}"]
    words += [part for name, value in sorted(job.env.items()) for part in ("--env", f"{name}={value}")]
    engine.replace_process([*words, "--entrypoint", job.command[0], image, *job.command[1:]])
