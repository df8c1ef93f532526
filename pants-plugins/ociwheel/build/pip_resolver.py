"""Resolves build requirements with pip, the reference for what requirements mean."""

from __future__ import annotations

import os
import re
import sys
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from ociwheel import process
from ociwheel.build.build_lock import Pin
from ociwheel.errors import LockError
from ociwheel.reading import Value, failing, from_json
from ociwheel.transport.settings import NetworkSettings
from ociwheel.wording import redact

_NOTHING = re.compile(
    r"ERROR: (?:No matching distribution found for|Could not find a version that satisfies)"
)


@dataclass(frozen=True)
class Resolved:
    """One wheel that pip chose."""

    pin: Pin
    filename: str
    sha256: str


class ResolutionError(Exception):
    """Requirements that pip cannot satisfy together; the argument is what pip said."""


@dataclass(frozen=True)
class PipResolver:
    """Asks pip, run by this interpreter so that markers and tags are those of the Python that builds."""

    settings: NetworkSettings
    work: Path

    def resolve(self, requirements: Iterable[str], constraints: Sequence[str]) -> tuple[Resolved, ...]:
        """Return the wheels that satisfy all requirements, sorted by name.

        :raises ResolutionError: there are none.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        wanted, limits = self.work / "requirements.txt", self.work / "constraints.txt"
        wanted.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        limits.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--no-input", "--disable-pip-version-check", "--only-binary", ":all:", "--no-cache-dir"]
        command += ["--report", "-", "-r", str(wanted), "-c", str(limits)]
        done = process.run(command, env=self._environment())
        if done.returncode != 0:
            raise ResolutionError(redact(done.stderr.strip() or done.stdout.strip()))
        return tuple(sorted(map(_resolved, _report(done.stdout)), key=lambda r: r.pin))

    def _environment(self) -> dict[str, str]:
        """Return pip's settings as variables: credentials then stand in no command line."""
        settings = self.settings
        env = {
            "HOME": str(self.work),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(self.work),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DEFAULT_TIMEOUT": str(int(settings.timeout)),
        }
        tools = os.environ.get("OCIWHEEL_TOOLS")
        if tools:
            env["PYTHONPATH"] = str(Path(tools).absolute() / "pip")
        if settings.indexes:
            env["PIP_INDEX_URL"] = settings.indexes[0]
            env["PIP_EXTRA_INDEX_URL"] = " ".join(settings.indexes[1:])
        else:
            env["PIP_NO_INDEX"] = "1"
        env["PIP_FIND_LINKS"] = " ".join(settings.find_links)
        env["PIP_TRUSTED_HOST"] = " ".join(sorted(settings.trusted_hosts))
        for scheme, url in settings.proxies.items():
            env["no_proxy" if scheme == "no" else f"{scheme}_proxy"] = url
        if settings.ca_bundle:
            env["PIP_CERT"] = str(settings.ca_bundle)
        if settings.netrc:
            env["NETRC"] = str(settings.netrc)
        return {name: value for name, value in env.items() if value}


def _report(text: str) -> Iterator[Value]:
    """Return what is to be installed, of pip's installation report (version 1)."""
    return from_json(text, failing(LockError, "pip's installation report")).at("install").items()


def _resolved(item: Value) -> Resolved:
    metadata, download = item.at("metadata"), item.at("download_info")
    url = download.at("url").text()
    filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    pin = Pin(canonicalize_name(metadata.at("name").text()), metadata.at("version").text())
    hashes = download.at("archive_info").maybe("hashes")
    sha256 = hashes.maybe("sha256") if hashes else None
    if sha256 is None:
        raise LockError(f"the index gives no SHA-256 of {filename}", where=str(pin))
    return Resolved(pin, filename, sha256.sha256())


def missing_requirement(output: str) -> str | None:
    """Return the requirement for which pip found nothing at all, if that is why it failed."""
    match = re.search(r"No matching distribution found for (?P<what>[^\n(]+)", output)
    return match["what"].strip() if match and _NOTHING.search(output) else None
