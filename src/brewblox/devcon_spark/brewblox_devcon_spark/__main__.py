"""Starts the Spark service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from brewblox_devcon_spark import blocks, network, profiles, units
from brewblox_devcon_spark.settings import SparkSettings
from brewblox_service import create_app, run


def build(settings: SparkSettings) -> FastAPI:
    """Return the application of the Spark service."""
    names = blocks.BlockNames(settings.names_file)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await names.load()
        yield

    routers = [
        blocks.create_router(names),
        network.create_router(settings.service_type, settings.discovery_timeout),
        profiles.create_router(),
        units.create_router(),
    ]
    checks = {
        "network": lambda: bool(network.interfaces()),
        "units": lambda: units.convert(0, "degC", "kelvin") > 0,
    }
    return create_app(settings, routers=routers, checks=checks, lifespan=lifespan)


def main() -> None:
    """Serve with the settings of the environment."""
    settings = SparkSettings()
    run(build(settings), settings)


if __name__ == "__main__":
    main()
