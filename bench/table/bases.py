"""Locks of the base, one for each choice of packages, made in this process: a suite is read once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.table.following import Choice
from ociwheel.debian.archive_client import ArchiveClient
from ociwheel.debian.debian_lock import build_lock, render_lock
from ociwheel.debian.lock_request import Request
from ociwheel.debian.opener import opener
from ociwheel.debian.packages import Universe
from ociwheel.debian.release import default_keyrings
from ociwheel.documents import write_whole
from ociwheel.errors import UsageError
from ociwheel.reading import Value, failing
from ociwheel.transport.settings import load


@dataclass
class Bases:
    """Makes and keeps the locks."""

    folder: Path
    given: Mapping[str, Any]
    """The base of the list, without what a package adds."""
    _universes: dict[tuple[str, str], Universe] = field(default_factory=dict)

    def lock(self, name: str, choice: Choice) -> Path:
        """Return the lock of a base with what a distribution needs, as its own group.

        :raises OciwheelError: the suites have no such packages.
        """
        compilers = [choice.compiler] if choice.compiler != "clang" else []
        request = {
            **self.given,
            "suites": [*self.given["suites"], *choice.suites],
            "packages": sorted({*self.given["packages"], *choice.packages}),
            "builder_groups": {name: sorted(choice.builder_packages)} if choice.builder_packages else {},
            **({"compilers": compilers} if compilers else {}),
        }
        text = json.dumps(request, sort_keys=True)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.lock"
        if not path.exists():
            parsed = Request.parse(Value(request, "", failing(UsageError, "the table's base")))
            made = build_lock(parsed, lambda architecture: self._universe(parsed, architecture))
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, render_lock(made))
        return path

    def _universe(self, request: Request, architecture: str) -> Universe:
        key = (" ".join(request.suites), architecture)
        if key not in self._universes:
            settings = load()
            client = ArchiveClient(
                opener(settings), settings.debian_mirrors, default_keyrings(), datetime.now(UTC)
            )
            self._universes[key] = Universe(
                architecture,
                (c for s in request.suites for c in client.packages(client.suite(s), "main", architecture)),
            )
        return self._universes[key]
