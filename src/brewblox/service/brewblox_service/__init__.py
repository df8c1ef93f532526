"""What every Brewblox service has in common: settings, the application, health, events, and a client."""

from brewblox_service.app import create_app, run
from brewblox_service.client import ServiceClient, ServiceUnavailable
from brewblox_service.events import EventBus, Subscription
from brewblox_service.settings import ServiceSettings

__all__ = [
    "EventBus",
    "ServiceClient",
    "ServiceSettings",
    "ServiceUnavailable",
    "Subscription",
    "create_app",
    "run",
]
