"""Settings that come from the environment, the same for every service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What a service is started with: ``BREWBLOX_PORT=5000`` sets ``port``, and so on.

    A service with settings of its own derives from this class and sets its own ``name``.
    """

    model_config = SettingsConfigDict(env_prefix="BREWBLOX_", env_file=".env", extra="ignore", frozen=True)

    name: str = "service"
    host: str = "0.0.0.0"  # noqa: S104  a container's port is published, or not, from the outside
    port: int = Field(default=5000, ge=0, le=65535)
    debug: bool = False
    queue_size: int = Field(
        default=100, ge=1, description="events held for one slow listener before the oldest goes"
    )
