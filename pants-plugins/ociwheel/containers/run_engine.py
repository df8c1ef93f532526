"""Docker and podman, as far as running an image of a layout needs them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ociwheel import process
from ociwheel.errors import ToolError
from ociwheel.image import archive
from ociwheel.image.layout import Descriptor, Layout
from ociwheel.image.reference import Reference
from ociwheel.notes import note

ENGINES = ("docker", "podman")
_INSTALL = "install one: apt-get install podman (or docker.io); on macOS: brew install podman"
_EMULATORS = "install emulators: apt-get install qemu-user-static; Docker Desktop brings its own"
# What the kernel and the engines say of a program of another architecture.
_WRONG_FORMAT = ("exec format error", "no such image platform", "cannot execute binary file")


@dataclass(frozen=True)
class ContainerEngine:
    """A client that reaches its engine.

    :param name: ``docker`` or ``podman``.
    :param program: the client's path.
    :param platform: what the engine runs without emulation, ``linux/arm64``.
    """

    name: str
    program: str
    platform: str
    env: Mapping[str, str] = field(repr=False)

    def call(self, *args: str) -> process.Completed:
        """Run the client and wait."""
        return process.run([self.program, *args], env=self.env)

    def image_id(self, name: str) -> str | None:
        """Return the ID of an image that the engine has."""
        done = self.call("image", "inspect", "--format", "{{.Id}}", name)
        number = done.stdout.strip().removeprefix("sha256:")
        return f"sha256:{number}" if done.returncode == 0 and number else None

    def provide(self, layout: Layout, manifest: Descriptor, config: str, names: Sequence[Reference]) -> str:
        """Return the ID of the image in the engine, which loads it only when it lacks it.

        :param config: the digest of the image's configuration, which is its ID for most engines; for
            Docker's containerd store it is that of the manifest.
        :raises ToolError: it does not load.
        """
        found = {self.image_id(str(name)) for name in names}
        if not found <= {config, manifest.digest} or len(found) != 1:
            self._load(layout, manifest, names)
            found = {self.image_id(str(name)) for name in names}
        (image, *others) = found
        if image is None or others:
            listed = " and ".join(str(name) for name in names)
            raise ToolError(f"{self.name} loaded the image, but does not know it as {listed}")
        return image

    def _load(self, layout: Layout, manifest: Descriptor, names: Sequence[Reference]) -> None:
        note(f"loading {names[0]} into {self.name}")
        with tempfile.TemporaryDirectory(prefix="ociwheel-") as folder:
            file = Path(folder) / "image.tar"
            archive.docker_archive(layout, manifest, names, file)
            done = self.call("load", "--quiet", "--input", str(file))
        if done.returncode != 0:
            raise ToolError(f"{self.name} does not load the image {names[0]}", details=done.tail())

    def check_emulation(self, image: str, platform: str) -> None:
        """Raise when the engine cannot run programs of a platform.

        :param image: an image of that platform that the engine has.
        """
        if platform == self.platform:
            return
        probe = ("--entrypoint", "/app/bin/python", image, "-c", "")
        done = self.call("run", "--rm", "--pull=never", *self.choose(platform), *probe)
        said = f"{done.stdout}{done.stderr}".lower()
        if done.returncode != 0 and any(words in said for words in _WRONG_FORMAT):
            raise ToolError(
                f"this machine's {self.name} runs {self.platform}, and has no emulator for {platform}",
                details=done.tail(3),
                hint=_EMULATORS,
            )

    def choose(self, platform: str) -> tuple[str, ...]:
        """Return the flags that make the engine run another platform than its own."""
        return () if platform == self.platform else ("--platform", platform)

    def replace_process(self, args: Sequence[str]) -> NoReturn:
        """Become the client: it gets the terminal and its signals, and its exit code is ours."""
        os.execve(self.program, [self.name, *args], dict(self.env))  # noqa: S606 (no shell is wanted)


def find(wanted: str, env: Mapping[str, str]) -> ContainerEngine:
    """Return an engine that answers.

    :param wanted: ``docker``, ``podman``, or ``auto`` for the first of them that answers.
    :raises ToolError: there is none; with what each said.
    """
    answers = []
    for name in ENGINES if wanted == "auto" else (wanted,):
        program = shutil.which(name, path=env.get("PATH"))
        if program is None:
            answers.append(f"{name}: not installed")
            continue
        server = "{{.Server.Os}}/{{.Server.Arch}}" if name == "docker" else "{{.Version.OsArch}}"
        question = "version" if name == "docker" else "info"
        done = process.run([program, question, "--format", server], env=env)
        platform = done.stdout.strip()
        if done.returncode == 0 and platform.startswith("linux/"):
            return ContainerEngine(name, program, platform, env)
        answers.append(f"{name}: {' '.join(done.tail(3)) or 'no answer'}")
    raise ToolError("no container engine answers", details=answers, hint=_INSTALL)
