"""Takes one monorepo from its checkout to services that run, and measures what that takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.adopted.containers import image_sizes, load, stand_in, start
from bench.adopted.monorepos import Monorepo
from tests.integration.repository import ROOT, Caches, Repository, stopped
from tests.support.engine import Engine

_PLATFORM = "linux/amd64"
_LAUNCHER = (
    *("pants", "build-support/pants_launcher.py", "build-support/pants_server.py"),
    "3rdparty/pants/pants.lock",
)


class TrialError(Exception):
    """A trial that cannot go on, with what was said."""


@dataclass(frozen=True)
class Machine:
    """What all trials of a run share.

    :param checkouts: a folder with a checkout of each monorepo by its name, and a clone, bare or not, of
        each git repository that a lock names by the last part of its address.
    :param work: where they are tried.
    :param launchers: what starts Pants, by version; 2.17.1 is started by this repository's own.
    """

    checkouts: Path
    work: Path
    launchers: Mapping[str, Path]


@dataclass
class Trial:
    """One monorepo with our patch."""

    machine: Machine
    monorepo: Monorepo
    repository: Repository = field(init=False)

    def __post_init__(self) -> None:
        place = self.machine.work / self.monorepo.name
        self.repository = Repository(place / "checkout", Caches(place / "caches"))

    def prepare(self) -> None:
        """Check the commit out, apply the patch, build the plugin's wheel, lay the launcher beside it."""
        root = self.repository.root
        shutil.rmtree(root.parent, ignore_errors=True)
        root.parent.mkdir(parents=True)
        checkout = self.machine.checkouts / self.monorepo.name
        if not checkout.is_dir() or _git(checkout, "rev-parse", "HEAD") != self.monorepo.commit:
            commands = "".join(f"\n  -> {one}" for one in self.monorepo.commands(str(checkout.parent)))
            raise TrialError(f"{checkout}: is no checkout of {self.monorepo.commit}{commands}")
        # Copied and not cloned: a clone that lacks large files of no interest has a checkout all the same.
        shutil.copytree(checkout, root, symlinks=True)
        _git(root, "apply", str(self.monorepo.patch))
        wheels = root.parent / "wheels"
        command = ["python3.11", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels)]
        subprocess.run([*command, str(ROOT / "pants-plugins")], check=True)
        links = [*filter(None, [os.environ.get("PIP_FIND_LINKS")]), str(wheels)]
        self.repository.env |= {
            "PANTS_PYTHON_REPOS_FIND_LINKS": f"+{json.dumps(links)}",
            "PANTS_VERSION": self.monorepo.engine,
            "PANTS_ANONYMOUS_TELEMETRY_ENABLED": "false",
        }
        self._launcher()
        self.tell_git()

    def _launcher(self) -> None:
        root = self.repository.root
        launcher = self.machine.launchers.get(self.monorepo.engine)
        if launcher:
            (root / "pants").write_text(f'#!/bin/sh\nexec {launcher} "$@"\n')
            (root / "pants").chmod(0o755)
            return
        for path in _LAUNCHER:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, root / path)

    def tell_git(self) -> None:
        """Let git find what locks name on this machine, as the configuration of a company does."""
        lines = []
        for url in self.monorepo.mirrors:
            places = [self.machine.checkouts / f"{_name_of(url)}{end}" for end in ("", ".git")]
            clone = next((one for one in places if one.exists()), None)
            if clone is None:
                raise TrialError(
                    f"{places[0]}: is missing; a lock of {self.monorepo.name} names {url}\n"
                    f"  -> git -C {self.machine.checkouts} clone --bare {url}"
                )
            lines.append(f'[url "{clone.absolute().as_uri()}"]\n\tinsteadOf = {url}\n')
        if lines:
            config = self.repository.root.parent / "gitconfig"
            config.write_text("".join(lines))
            self.repository.env["GIT_CONFIG_GLOBAL"] = str(config)

    def pants(self, *arguments: str, daemon: bool = True) -> float:
        """Run Pants; return the seconds it took.

        :raises TrialError: it failed.
        """
        began = time.perf_counter()
        run = self.repository.pants(*arguments, daemon=daemon)
        seconds = time.perf_counter() - began
        log = self.repository.root.parent / "pants.log"
        with log.open("a") as file:
            file.write(f"$ pants {' '.join(arguments)}\n{run.stdout}{run.stderr}\n({seconds:.1f} s)\n\n")
        if run.exit_code != 0:
            raise TrialError(f"{self.monorepo.name}: pants {' '.join(arguments)}\n{run.stderr[-6000:]}")
        return seconds

    def _thrice(self, targets: tuple[str, ...]) -> dict[str, float]:
        """Package from nothing, again, and twice after an edit; the faster edit counts."""
        seconds = {"cold": self.pants("package", *targets), "again": self.pants("package", *targets)}
        edited = self.repository.root / self.monorepo.edit
        text = edited.read_text()
        edits = []
        for number in range(2):
            edited.write_text(f"{text}\n# An edit, number {number}.\n")
            edits.append(self.pants("package", *targets))
        edited.write_text(text)
        return {name: round(value, 2) for name, value in {**seconds, "edit": min(edits)}.items()}

    def run(self, engine: Engine) -> dict[str, Any]:
        """Do it all; return what there is to say of it."""
        self.repository.env |= engine.pants_variables()
        with stopped(self.repository):
            # A daemon that knew the repository before would look through all of it again in the cold run.
            locks = {
                name: round(self.pants("generate-lockfiles", f"--resolve={name}", daemon=False), 1)
                for name in self.monorepo.locks
            }
            ours = self._thrice(tuple(service.target for service in self.monorepo.services))
            services = []
            for service in self.monorepo.services:
                layout = self._layout(service.target)
                image = load(engine, layout, self.repository.root.parent)
                began = start(engine, image, service)
                services.append(
                    {
                        **self._sizes(layout),
                        "target": service.target,
                        "line": began.line,
                        "seconds": round(began.seconds, 1),
                    }
                )
            had = self._had(engine) if self.monorepo.had else {"had": {}, "had_bytes": {}}
        return {
            "locks": locks,
            "seconds": ours,
            "services": services,
            **had,
        }

    def _had(self, engine: Engine) -> dict[str, Any]:
        """Package what it had, and start what of it is an image; return what there is to say of it."""
        if self.monorepo.repair.exists():
            _git(self.repository.root, "apply", str(self.monorepo.repair))
        for base in self.monorepo.bases:
            stand_in(engine, base, self.machine.work / "bases")
        seconds = self._thrice(self.monorepo.had)
        if not self.monorepo.images:
            return {"had": seconds, "had_bytes": self._had_bytes()}
        sizes, images = {}, {}
        for target, image, service in zip(
            self.monorepo.had, self.monorepo.images, self.monorepo.services, strict=True
        ):
            began = start(engine, image, replace(service, target=target))
            sizes[target], unpacked = image_sizes(engine, image, self.repository.root.parent)
            images[target] = {"unpacked": unpacked, "line": began.line, "seconds": round(began.seconds, 1)}
        return {"had": seconds, "had_bytes": sizes, "had_images": images}

    def _layout(self, target: str) -> Path:
        path, _, name = target.partition(":")
        return self.repository.root / "dist" / path.replace("/", ".") / name

    def _sizes(self, layout: Path) -> dict[str, int]:
        (platform,) = json.loads(layout.with_name(f"{layout.name}.json").read_bytes())["platforms"]
        return {"bytes": platform["size"], "unpacked": platform["unpacked_size"]}

    def _had_bytes(self) -> dict[str, int]:
        """Return the bytes of what its own targets made, by target."""
        found = {}
        for target in self.monorepo.had:
            made = self._layout(target)
            for path in (made.with_name(f"{made.name}.pex"), made):
                if path.is_dir():
                    found[target] = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
                elif path.is_file():
                    found[target] = path.stat().st_size
        return found


def _name_of(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].removesuffix(".git")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("/usr/bin/env", "git", *arguments), cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()
