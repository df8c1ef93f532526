"""One wheel through the core's steps, each as a process of its own: time, memory, and bytes written."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel_testing.big_wheel import sha256_of

CORE = Path(__file__).resolve().parents[2] / "pants-plugins"
TARGET = {
    "schema": "ociwheel.target/1",
    "platform": "linux/amd64",
    "python": "3.11.2",
    "libc": "glibc",
    "libc_version": "2.36",
}
_CONFIG: dict[str, Any] = {
    "entrypoint": ["/app/bin/python"],
    "cmd": [],
    "env": {},
    "user": "nonroot",
    "workdir": "/app",
    "exposed_ports": [],
    "volumes": [],
    "labels": {},
    "stop_signal": None,
}


class StepError(Exception):
    """A step that failed, with what it said."""


@dataclass(frozen=True)
class Measured:
    """What one step took.

    :param peak: its largest resident memory, bytes.
    :param read: bytes of its input.
    :param written: bytes that it left.
    """

    step: str
    seconds: float
    peak: int
    read: int
    written: int
    document: dict[str, Any]


def tree_bytes(folder: Path) -> int:
    """Return the bytes of the files in a folder, or of a file."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


_METER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
with open(sys.argv[1], "w") as file:
    file.write(str(peak))
sys.exit(done.returncode)
"""


def run_step(work: Path, arguments: list[str], *, reads: list[str], writes: str) -> Measured:
    """Run one step in ``work`` and measure its process.

    :raises StepError: it failed.
    """
    env = {"PYTHONPATH": str(CORE), "OCIWHEEL_MACHINE": str(work / "machine")}
    output, errors, peak = work / ".stdout", work / ".stderr", work / ".peak"
    started = time.perf_counter()
    # A process counts the peak of the one that it was forked from as its own: this one may be large.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", _METER, str(peak), sys.executable, "-m", "ociwheel", *arguments],
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(errors), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        ],
    )
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise StepError(f"{arguments[0]}: {errors.read_text()}")
    return Measured(
        arguments[0],
        seconds,
        int(peak.read_text()),
        sum(tree_bytes(work / path) for path in reads),
        tree_bytes(work / writes),
        json.loads(output.read_bytes()),
    )


def through_the_core(wheel: Path, work: Path, max_size: int | None = None) -> Iterator[Measured]:
    """Yield what each step from the index to the archives takes for one wheel.

    Layouts are made of links, as no step makes one: Pants writes them from the blobs. What no later step reads is
    deleted when the next one is asked for.

    :param max_size: bytes of a layer, ``None`` for one layer.
    """

    def step(*arguments: str, reads: list[str], writes: str) -> Measured:
        # Paths stay whole: the core runs as a module, and nothing depends on the current folder.
        whole = [str(work / one[1:]) if one.startswith("@") else one for one in arguments]
        return run_step(work, whole, reads=reads, writes=writes)

    def write(path: str, document: Any) -> None:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(json.dumps(document))

    name, version = wheel.name.split("-")[:2]
    write("machine/network.json", {"indexes": [], "find_links": [wheel.parent.absolute().as_uri()]})
    write("target.json", TARGET)
    line = {"name": name, "version": version, "sha256": [sha256_of(wheel)]}
    write("request.json", {"lines": [line]})
    yield step(
        *("describe", "--request", "@request.json", "--output", "@described"),
        reads=[str(wheel.absolute())],
        writes="described",
    )
    locked = ("--name", name, "--version", version, "--sha256", sha256_of(wheel))
    yield step(
        *("fetch", *locked, "--filename", wheel.name, "--output", "@wheels"),
        reads=[str(wheel.absolute())],
        writes="wheels",
    )
    layer = step(
        "wheel-layer" if max_size is None else "wheel-layers",
        *("--wheels", "@wheels", "--target", "@target.json", "--title", name),
        *(() if max_size is None else ("--max-size", str(max_size))),
        *("--output", "@layer"),
        reads=["wheels"],
        writes="layer",
    )
    yield layer
    documents = layer.document.get("layers", [layer.document])
    facts = sorted(map(str, (work / "layer").rglob("layer-facts.json")))
    write(
        "audit.json",
        {"platform": "linux/amd64", "facts": facts, "accept": ["**/*"], "lock_packages": []},
    )
    yield step("audit", "--request", "@audit.json", reads=["audit.json", *facts], writes="audit.json")
    request = {
        "platform": "linux/amd64",
        "layers": documents,
        "config": _CONFIG,
        "created": 0,
        "annotations": {},
    }
    write("image.json", request)
    image = step(
        "image", "--request", "@image.json", "--output", "@layout", reads=["image.json"], writes="layout"
    )
    yield image
    write("index.json", {"manifests": [image.document["manifest"]], "annotations": {}, "name": "latest"})
    yield step(
        "index", "--request", "@index.json", "--output", "@layout", reads=["index.json"], writes="layout"
    )
    for blob in (work / "layer").rglob("blobs/sha256/*"):
        os.link(blob, work / "layout/blobs/sha256" / blob.name)
    for form in ("oci-archive", "docker-archive"):
        yield step(
            *("archive", "--layout", "@layout", "--format", form, "--tag", "big:latest"),
            *("--platform", "linux/amd64") if form == "docker-archive" else (),
            *("--output", f"@{form}.tar"),
            reads=["layout"],
            writes=f"{form}.tar",
        )
        (work / f"{form}.tar").unlink()
