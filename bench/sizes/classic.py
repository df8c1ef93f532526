"""The same service in the classic two-stage Dockerfile: its build context, and its build."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.sizes.bases import WITH_PIP, WITHOUT_PIP, Base
from tests.support.engine import Engine

LOCK = Path("3rdparty/python/default.lock")
SOURCES = Path("src/brewblox")
# The library that the other services import.
LIBRARY = "service"
# Settings of pip that say where packages are; the rest of a machine's settings is no concern of a container.
NETWORK_KEYS = {"index-url", "extra-index-url", "find-links", "proxy", "trusted-host", "timeout", "retries"}
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True)
class Variant:
    """One way to write the Dockerfile.

    :param python: the interpreter inside that has the service's dependencies.
    """

    name: str
    title: str
    base: Base
    python: str

    def image(self, service: str) -> str:
        """Return the name of the image of a service."""
        return f"bench-{service}:{self.name}"


VARIANTS = (
    Variant("deleted-wheels", "classic", WITH_PIP, "python3"),
    Variant("mounted-wheels", "classic, wheels mounted", WITH_PIP, "python3"),
    Variant("copied-venv", "venv copied, base without pip", WITHOUT_PIP, "/app/venv/bin/python"),
)


def lock_subset(lock: str, names: Iterable[str]) -> str:
    """Return the entries of a hash-pinned requirements file that have one of the names, with their hashes.

    :param names: normalized, as PEP 503 has it.
    :raises ValueError: when the lock lacks one.
    """
    wanted = set(names)
    found: set[str] = set()
    lines = []
    keep = False
    for line in lock.splitlines():
        if match := _NAME.match(line):
            name = re.sub(r"[-_.]+", "-", match[1]).lower()
            keep = name in wanted
            found |= {name} & wanted
        if keep and not line.lstrip().startswith("#"):
            lines.append(line)
    if missing := wanted - found:
        raise ValueError(f"{LOCK} has no {', '.join(sorted(missing))}: package the images again")
    return "\n".join(lines) + "\n"


def write_context(
    root: Path, service: str, distributions: Iterable[str], variant: Variant, folder: Path
) -> None:
    """Write the build context of a service: its Dockerfile, its part of the lock, its sources."""
    text = (root / "bench" / "classic" / f"{variant.name}.Dockerfile").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(text.replace("@MODULE@", f"brewblox_{service}"))
    (folder / "requirements.txt").write_text(lock_subset((root / LOCK).read_text(), distributions))
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    unwanted = shutil.ignore_patterns("*_test.py", "__pycache__")
    for part in {LIBRARY, service}:
        package = f"brewblox_{part}"
        shutil.copytree(root / SOURCES / part / package, source / package, ignore=unwanted)
    files = SOURCES / service / "config"
    if (root / files).exists():
        shutil.copytree(root / files, source / files)


def pip_configuration(listing: str) -> str:
    """Return a pip.conf for the builder with where this machine finds packages.

    :param listing: what ``pip config list`` prints. Folders of this machine are dropped.
    """
    lines = ["[global]", "cert = /run/secrets/ca", "disable-pip-version-check = true"]
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        key = key.rpartition(".")[2]
        values = [part for part in value.strip("'\"").split() if not part.startswith(("file:", "/"))]
        if key in NETWORK_KEYS and values:
            lines.append(f"{key} = {' '.join(values)}")
    return "\n".join(lines) + "\n"


def write_secrets(folder: Path) -> list[str]:
    """Write what the builder needs to reach the index; return the options of ``docker build``.

    They are secrets of BuildKit, so neither a layer nor the history of the image holds them.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "pip.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(pip_configuration(listing))
    bundle = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    return ["--secret", f"id=pip,src={configuration}", "--secret", f"id=ca,src={bundle}"]


def build(
    engine: Engine, variant: Variant, service: str, context: Path, *, full: Base, secrets: list[str]
) -> str:
    """Build a service and return the name of its image.

    :raises EngineError: when the build fails, with its output.
    """
    image = variant.image(service)
    # The host's network: the only one that an engine without a bridge has.
    options = [
        "--network",
        "host",
        "--build-arg",
        f"FULL={full.image}",
        "--build-arg",
        f"SLIM={variant.base.image}",
    ]
    engine.docker("build", "--progress", "plain", *options, *secrets, "--tag", image, str(context))
    return image
