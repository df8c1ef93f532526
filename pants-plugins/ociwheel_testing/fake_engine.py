"""A container engine made up for tests: a program that keeps its images and containers in a folder.

It runs no container: what one answers is written by the test. Each call is kept, so that a test can read the
arguments that a real engine would have got.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """\
#!{python} -I
import io, json, os, sys, tarfile
from pathlib import Path
state = Path({state!r})
argv = sys.argv[1:]
with open(state / "calls", "a") as file:
    file.write(json.dumps(argv) + "\\n")
plan = json.loads((state / "plan.json").read_text())
said = plan.get(argv[0])
if said:
    sys.stderr.write(said)
    sys.exit(1)
def load():
    with tarfile.open(argv[argv.index("--input") + 1]) as tar:
        names = json.load(tar.extractfile("manifest.json"))[0]["RepoTags"]
    for name in names:
        (state / "images" / name.replace("/", "!")).touch()
def create():
    number = str(len(list((state / "containers").iterdir())) + 1) * 12
    (state / "containers" / number).write_text(argv[argv.index("--label") + 1])
    print("WARNING: the platform is another")
    print(number)
def cp():
    if argv[1] == "-":
        (state / "input.tar").write_bytes(sys.stdin.buffer.read())
        return
    target = Path(argv[2])
    target.mkdir()
    for name, text in plan.get("out", {{}}).items():
        (target / name).write_bytes(text.encode("latin-1"))
def start():
    sys.stdout.write(plan.get("output", ""))
    if plan.get("wait"):
        sys.stdout.flush()
        (state / "started").touch()
        sys.stdin.read()
    sys.exit(plan.get("exit", 0))
def ps():
    label = argv[argv.index("--filter") + 1].removeprefix("label=")
    for path in (state / "containers").iterdir():
        if path.read_text() == label:
            print(path.name)
def rm():
    (state / "containers" / argv[-1]).unlink()
def images():
    if (state / "images" / argv[-1].replace("/", "!")).exists():
        print("sha256:1")
def rmi():
    (state / "images" / argv[-1].replace("/", "!")).unlink()
def version():
    print("linux/amd64")
info = version
globals()[argv[0]]()
"""


@dataclass(frozen=True)
class FakeEngine:
    """The engine's program and what it keeps."""

    folder: Path
    name: str = "docker"

    @property
    def program(self) -> Path:
        """The client."""
        return self.folder / self.name

    def install(self, **plan: Any) -> FakeEngine:
        """Write the program.

        :param plan: a command's name: what it prints when it fails; ``output``, ``exit`` and ``out`` (files):
            what the container prints, ends with and leaves; ``wait``: it ends when its standard input does.
        """
        for kept in ("images", "containers"):
            (self.folder / "state" / kept).mkdir(parents=True, exist_ok=True)
        text = _PROGRAM.format(python=sys.executable, state=str(self.folder / "state"))
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(0o755)
        self.plan(**plan)
        return self

    def plan(self, **plan: Any) -> None:
        """Say anew what happens."""
        (self.folder / "state/plan.json").write_text(json.dumps(plan), encoding="utf-8")

    def machine(self, **env: str) -> Path:
        """Write the machine's settings that name this engine, and return their folder."""
        place = self.folder / "machine"
        place.mkdir(exist_ok=True)
        settings = {"engines": [str(self.program)], "env": env}
        (place / "container-engine.json").write_text(json.dumps(settings), encoding="utf-8")
        return place

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        path = self.folder / "state/calls"
        return (
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            if path.exists()
            else []
        )

    @property
    def left(self) -> list[str]:
        """The names of images and containers that are there."""
        kept = [*(self.folder / "state/images").iterdir(), *(self.folder / "state/containers").iterdir()]
        return sorted(path.name for path in kept)
