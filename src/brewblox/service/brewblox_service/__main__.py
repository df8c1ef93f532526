"""Starts the bare service: health, events and nothing else."""

from brewblox_service.app import create_app, run
from brewblox_service.settings import ServiceSettings


def main() -> None:
    """Serve with the settings of the environment."""
    settings = ServiceSettings()
    run(create_app(settings), settings)


if __name__ == "__main__":
    main()
