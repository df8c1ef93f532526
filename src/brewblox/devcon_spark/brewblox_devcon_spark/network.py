"""The network: this machine's interfaces, and the controllers that announce themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from ipaddress import ip_address

import aiozeroconf
import netifaces
from fastapi import APIRouter
from pydantic import BaseModel


class Interface(BaseModel):
    """A network interface and its addresses."""

    name: str
    mac: str | None
    addresses: list[str]


class Controller(BaseModel):
    """A controller that announced itself."""

    name: str
    host: str
    port: int


def _addresses(name: str) -> Interface:
    found = netifaces.ifaddresses(name)
    links = [each["addr"] for each in found.get(netifaces.AF_LINK, [])]
    # A link-local IPv6 address carries its interface: fe80::1%eth0.
    entries = [*found.get(netifaces.AF_INET, []), *found.get(netifaces.AF_INET6, [])]
    addresses = [str(ip_address(each["addr"].partition("%")[0])) for each in entries]
    return Interface(name=name, mac=links[0] if links else None, addresses=addresses)


def interfaces() -> list[Interface]:
    """Return the interfaces of this machine, by name."""
    return [_addresses(name) for name in sorted(netifaces.interfaces())]


@dataclass
class _Listener:
    names: set[str]

    def add_service(self, _zeroconf: object, _type: str, name: str) -> None:
        self.names.add(name)

    def remove_service(self, _zeroconf: object, _type: str, name: str) -> None:
        self.names.discard(name)


async def discover(service_type: str, seconds: float) -> list[Controller]:
    """Return the controllers that answer within so many ``seconds`` over multicast DNS (RFC 6763)."""
    zeroconf = aiozeroconf.Zeroconf(asyncio.get_running_loop(), address_family=[netifaces.AF_INET])
    try:
        listener = _Listener(set())
        browser = aiozeroconf.ServiceBrowser(zeroconf, service_type, listener=listener)
        await asyncio.sleep(seconds)
        browser.cancel()
        found = []
        for name in sorted(listener.names):
            info = await zeroconf.get_service_info(service_type, name)
            if info and info.address:
                found.append(Controller(name=name, host=str(ip_address(info.address)), port=info.port))
        return found
    finally:
        await zeroconf.close()


def create_router(service_type: str, timeout: float) -> APIRouter:
    """Return the routes of ``/network``.

    :param service_type: what controllers announce themselves as.
    :param timeout: seconds to listen for them.
    """
    router = APIRouter(prefix="/network", tags=["network"])

    @router.get("/interfaces")
    async def get_interfaces() -> list[Interface]:
        """List the interfaces of this machine."""
        return interfaces()

    @router.get("/controllers")
    async def get_controllers() -> list[Controller]:
        """Look for controllers; takes as long as the service listens."""
        return await discover(service_type, timeout)

    return router
