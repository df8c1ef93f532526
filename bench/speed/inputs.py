"""What both sides build from: sdists, wheels of their requirements, Debian packages, all fetched first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.speed.steps import Steps
from ociwheel.build.build_lock import Pin
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.transport import settings

PLATFORM = "linux/arm/v7"
PYTHON = "3.11"


@dataclass(frozen=True)
class Sdist:
    """A distribution to build, pinned, and what its build requires."""

    name: str
    version: str
    sha256: str
    requires: tuple[str, ...] = ("setuptools==80.9.0", "wheel==0.45.1")

    @property
    def filename(self) -> str:
        """The sdist's file name."""
        return f"{self.name}-{self.version}.tar.gz"


# Versions of the example's lock, where it has the distribution.
SDISTS = (
    Sdist("multidict", "7.2.1", "e8af3e6f1bdbc31fd762b094133b478b89988eaebc63cbe82b1d9e3bbd15cede"),
    Sdist(
        "pyyaml",
        "6.0.3",
        "d76623373421df22fb4cf8817020cbb7ef15c725b9d5e45f17e189bfc384190f",
        ("setuptools==80.9.0", "wheel==0.45.1", "cython==3.1.2"),
    ),
    Sdist("psutil", "7.2.2", "0746f5f8d406af344fd547f1c8daa5f5c33dbc293bb8d6a16d80b4bb88f59372"),
    Sdist(
        "aiohttp",
        "3.14.5",
        "5558a7f5a05af9ecf744af91e5baefc436f93c9333e656c27ec253f9a6bbe178",
        ("setuptools==80.9.0", "wheel==0.45.1", "pkgconfig==1.5.5"),
    ),
    Sdist("netifaces", "0.11.0", "043a79146eb2907edf439899f262b3dfe41717d34124298ed281139a8b93ca32"),
    Sdist("ciso8601", "2.4.1", "76452eacea17b948645c66ca92b7d282e909dc04e9b158340adced09b3f77ee3"),
)


def fetch_sdists(sdists: Iterable[Sdist], work: Path) -> None:
    """Fetch each sdist to ``sdists`` and its pure requirements to ``requirements/<name>`` below ``work``.

    Both sides install the same files: Cython, too, is the one without compiled modules.
    """
    client = IndexClient(settings.load())
    for sdist in sdists:
        wanted = Wanted(sdist.name, sdist.version, sdist.filename, sdist.sha256)
        fetch_artifact(client, wanted, work / "sdists")
        for requirement in sdist.requires:
            fetch_pure(client, Pin.parse(requirement), work / "requirements" / sdist.name)


def fetch_pure(client: IndexClient, pin: Pin, folder: Path) -> None:
    """Fetch the wheel of a pin that fits every platform.

    :raises ValueError: the index has none.
    """
    for offer in client.offers(pin.name):
        for file in offer.files:
            matches = file.filename.lower().startswith(f"{pin.name.replace('-', '_')}-{pin.version}-")
            if matches and file.filename.endswith("-none-any.whl") and file.sha256:
                fetch_artifact(client, Wanted(pin.name, pin.version, file.filename, file.sha256), folder)
                return
    raise ValueError(f"the index has no pure wheel of {pin}")


def lock_base(steps: Steps, builder_packages: Iterable[str]) -> dict[str, list[str]]:
    """Lock and fetch the packages of sysroot, container and interpreter; return their keys by folder."""
    request = {
        "name": "speed",
        "suites": ["bookworm"],
        "packages": ["base-files"],
        "builder_packages": sorted(builder_packages),
        "emulation_packages": ["g++", "gcc", "libc6-dev", "make"],
        "python": PYTHON,
        "platforms": [PLATFORM],
    }
    steps.write("request.json", request)
    lock = steps.run("debian-lock", "--request", "request.json", "--output", "base.lock")
    one = lock["platforms"][PLATFORM]
    steps.write("target.json", {"schema": "ociwheel.target/1", **one["target"]})
    steps.write(
        "host.json", {"schema": "ociwheel.target/1", **one["target"], "platform": steps.host_platform}
    )
    folders: dict[str, list[str]] = {
        "sysroot-debs": one["builder"],
        "container-debs": one["emulation"],
        "interpreter-debs": lock["interpreters"][steps.host_platform],
    }
    for folder, keys in folders.items():
        rows = [lock["packages"][key] for key in keys]
        wanted = [{name: row[name] for name in ("archive", "path", "size", "sha256")} for row in rows]
        steps.write(f"{folder}.json", {"schema": "ociwheel.debs/1", "packages": wanted})
        steps.run("fetch-debs", "--request", f"{folder}.json", "--output", folder)
    return folders


def fetch_compiler(steps: Steps, tools_lock: Path) -> str:
    """Fetch the compiler's wheel for this machine and return its file name."""
    row = json.loads(tools_lock.read_text())["zig"][f"linux-{steps.machine}"]
    wanted = Wanted(row["name"], row["version"], row["filename"], row["sha256"])
    fetch_artifact(IndexClient(settings.load()), wanted, steps.work)
    return str(row["filename"])
