"""Settings of the history service."""

from __future__ import annotations

from pathlib import Path

from brewblox_service import ServiceSettings


class HistorySettings(ServiceSettings):
    """What the history service is started with, beside what every service has."""

    name: str = "history"
    redis_url: str | None = None
    retention_file: Path = Path("src/brewblox/history/config/retention.json")
