"""The two roots of a set: our layers unpacked above each other, and what `mmdebstrap` installs."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.debian_sets.sets import PackageSet
from ociwheel.base import deb_layer_step, programs_step, rootfs_layer_step
from ociwheel.build import made_files_step
from ociwheel.debian.archive_client import ArchiveClient
from ociwheel.debian.debian_lock import build_lock
from ociwheel.debian.fetch_deb import WantedDeb, fetch_deb
from ociwheel.debian.lock_request import Request
from ociwheel.debian.makers import MAKING_PACKAGES
from ociwheel.debian.packages import Universe
from ociwheel.debian.policy import DEFAULT_EXCLUDED
from ociwheel.documents import read_value
from ociwheel.notes import take_told
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings

PLATFORM = "linux/amd64"
DEFAULTS = ("base-files", "ca-certificates", "libstdc++6", "media-types", "netbase", "tzdata")
_TAR = shutil.which("tar") or "tar"


def lock_set(
    one: PackageSet, suite: str, client: ArchiveClient, universes: dict[str, Universe], work: Path
) -> dict[str, Any]:
    """Lock a set as a base does.

    :param universes: what was read before, by architecture.
    """

    def load(architecture: str) -> Universe:
        if architecture not in universes:
            packages = client.packages(client.suite(suite), "main", architecture)
            universes[architecture] = Universe(architecture, packages)
        return universes[architecture]

    request = {
        "suites": [suite],
        "packages": [*DEFAULTS, *one.packages],
        "builder_packages": [],
        "excluded_packages": [name for name in DEFAULT_EXCLUDED if name not in one.keeps],
        "python": None,
        "platforms": [PLATFORM],
    }
    work.mkdir(parents=True, exist_ok=True)
    (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
    return build_lock(Request.parse(read_value(work / "request.json")), load)


def fetched(
    lock: Mapping[str, Any], keys: Iterable[str], settings: NetworkSettings, pool: Path, folder: Path
) -> Path:
    """Put locked packages into a folder, from the pool where they are there."""
    folder.mkdir(parents=True)
    pool.mkdir(parents=True, exist_ok=True)
    for key in keys:
        row = lock["packages"][key]
        wanted = WantedDeb(row["archive"], row["path"], row["size"], row["sha256"])
        if not (pool / wanted.filename).exists():
            fetch_deb(settings, Network(settings), wanted, pool)
        (folder / wanted.filename).symlink_to(pool / wanted.filename)
    return folder


Step = Callable[[argparse.Namespace], dict[str, Any]]


def _layer(step: Any, root: Path, output: Path, *arguments: str) -> dict[str, Any]:
    """Run a step that writes a layer, and unpack that above the others."""
    parser = argparse.ArgumentParser()
    step.configure(parser)
    run: Step = step.run
    document = run(parser.parse_args([*arguments, "--output", str(output)]))
    if "descriptor" in document:
        blob = output / "blobs/sha256" / document["descriptor"]["digest"].partition(":")[2]
        subprocess.run([_TAR, "-xzpf", blob, "-C", root], check=True)
    return document


def make_image(lock: Mapping[str, Any], settings: NetworkSettings, pool: Path, work: Path) -> dict[str, Any]:
    """Make the base layers of a lock and unpack them into ``work / "image"``.

    :returns: ``notes``, and ``seconds`` by step.
    """
    root = work / "image"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    platform = lock["platforms"][PLATFORM]
    target = work / "target.json"
    target.write_text(json.dumps({"schema": "ociwheel.target/1", **platform["target"]}), encoding="utf-8")
    seconds, facts = {}, []
    take_told()
    debs = work / "debs"
    shutil.rmtree(debs, ignore_errors=True)
    shutil.rmtree(work / "out", ignore_errors=True)
    for number, group in enumerate(platform["layers"]):
        here = fetched(lock, group["packages"], settings, pool, debs / f"{number}")
        start = time.monotonic()
        output = work / f"out/{number}"
        _layer(deb_layer_step, root, output, "--debs", str(here), "--title", group["title"])
        seconds[group["title"]] = time.monotonic() - start
        facts += ["--facts", str(output / "layer-facts.json")]
    names = {lock["packages"][key]["name"] for group in platform["layers"] for key in group["packages"]}
    if names & MAKING_PACKAGES:
        start = time.monotonic()
        _make_files(lock, settings, pool, work)
        seconds["made files"] = time.monotonic() - start
    _layer(rootfs_layer_step, root, work / "out/rootfs", "--target", str(target), *facts)
    shutil.rmtree(work / "out")
    return {"notes": take_told(), "seconds": {name: round(value, 2) for name, value in seconds.items()}}


def _make_files(lock: Mapping[str, Any], settings: NetworkSettings, pool: Path, work: Path) -> None:
    locked = lock["tools"][PLATFORM]
    keys = {key for name in ("bubblewrap", "coreutils", "dash") for key in locked[name]}
    programs = fetched(lock, sorted(keys), settings, pool, work / "programs")
    root, tools = work / "image", work / "out/tools"
    _layer(programs_step, root, tools, "--debs", str(programs), "--target", str(work / "target.json"))
    _layer(
        *(made_files_step, root, work / "out/made", "--debs", str(work / "debs")),
        *("--platform", PLATFORM, "--tools", str(tools)),
    )
    shutil.rmtree(programs)


def install(one: PackageSet, suite: str, mirror: str, folder: Path) -> Path:
    """Let `mmdebstrap` install a set with an essential system below it; needs root or user namespaces."""
    shutil.rmtree(folder, ignore_errors=True)
    names = ",".join([*DEFAULTS, *one.packages, "python3.11", "python3-distutils"])
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=essential", f"--include={names}"),
            *('--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"),
            *("--skip=cleanup/reproducible", suite, str(folder), mirror),
        ],
        check=True,
        stdout=sys.stderr,
    )
    return folder


def works(one: PackageSet, root: Path) -> str:
    """Run what a set is to do in an image; return the end of its message, nothing where it works."""
    command = [
        *("bwrap", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108
        *("--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "HOME", "/tmp"),  # noqa: S108
        *("--setenv", "PATH", "/app/bin:/usr/bin:/bin", "/app/bin/python", "-c", one.script),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
    return "" if done.returncode == 0 else lines[-1]
