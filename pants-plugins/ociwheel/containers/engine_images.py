"""Images in a container engine: loaded where it lacks them, and checked to run on its machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ociwheel.containers.engine import ContainerEngine
from ociwheel.digest import Digest, is_sha256
from ociwheel.errors import ToolError
from ociwheel.image import archive
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.image_name import ImageName
from ociwheel.notes import note

_EMULATORS = "install emulators: apt-get install qemu-user-static; Docker Desktop brings its own"
# What the kernel and the engines say of a program of another architecture.
_WRONG_FORMAT = ("exec format error", "no such image platform", "cannot execute binary file")


def load(
    engine: ContainerEngine,
    layout: Layout,
    manifest: Descriptor,
    names: Sequence[ImageName],
    *,
    within: Path | None = None,
    what: str | None = None,
) -> None:
    """Load an image under some names.

    :param within: the folder for the archive, which is as large as the image.
    :param what: the image in the message, by default its name.
    :raises ToolError: the engine refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="ociwheel-", dir=within) as folder:
        file = Path(folder) / "image.tar"
        archive.docker_archive(layout, manifest, names, file)
        engine.require(f"load {what or f'the image {names[0]}'}", "load", "--quiet", "--input", str(file))


def provide(
    engine: ContainerEngine, layout: Layout, manifest: Descriptor, config: str, names: Sequence[ImageName]
) -> str:
    """Return the ID of an image in the engine, which loads it only when it lacks it.

    :param config: the digest of the image's configuration, which is its ID for most engines; for Docker's
        containerd store it is that of the manifest.
    :raises ToolError: it does not load.
    """
    found = {_image_id(engine, str(name)) for name in names}
    if not found <= {config, manifest.digest} or len(found) != 1:
        note(f"loading {names[0]} into {engine.name}")
        load(engine, layout, manifest, names)
        found = {_image_id(engine, str(name)) for name in names}
    (image, *others) = found
    if image is None or others:
        listed = " and ".join(str(name) for name in names)
        raise ToolError(f"{engine.name} loaded the image, but does not know it as {listed}")
    return image


def _image_id(engine: ContainerEngine, name: str) -> str | None:
    done = engine.call("image", "inspect", "--format", "{{.Id}}", name)
    number = done.stdout.strip()
    if done.returncode != 0 or not number:
        return None
    # podman writes the digits alone.
    return Digest.of_hex(number) if is_sha256(number) else number


def choose_platform(engine: ContainerEngine, platform: str) -> tuple[str, ...]:
    """Return the flags that make the engine run another platform than its own."""
    return () if platform == engine.platform else ("--platform", platform)


def check_emulation(engine: ContainerEngine, image: str, platform: str) -> None:
    """Raise when the engine cannot run programs of a platform.

    :param image: an image of that platform that the engine has.
    """
    if platform == engine.platform:
        return
    probe = ("--entrypoint", "/app/bin/python", image, "-c", "")
    done = engine.call("run", "--rm", "--pull=never", *choose_platform(engine, platform), *probe)
    said = f"{done.stdout}{done.stderr}".lower()
    if done.returncode != 0 and any(words in said for words in _WRONG_FORMAT):
        raise ToolError(
            f"this machine's {engine.name} runs {engine.platform}, and has no emulator for {platform}",
            details=done.tail(3),
            hint=_EMULATORS,
        )
