"""Settings of the Spark service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from brewblox_service import ServiceSettings


class SparkSettings(ServiceSettings):
    """What the Spark service is started with, beside what every service has."""

    name: str = "devcon_spark"
    names_file: Path | None = Field(
        default=None, description="where block names are kept; in memory only without"
    )
    service_type: str = "_brewblox._tcp.local."
    discovery_timeout: float = Field(
        default=2.0, gt=0, le=30, description="seconds to listen for controllers"
    )
