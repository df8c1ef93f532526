"""A network bridge of one engine's own: two daemons that share `docker0` take it from each other."""

from __future__ import annotations

import json
import random
import secrets
import subprocess
from dataclasses import dataclass

# 10.213.0.0/16 is private (RFC 1918) and far from what Docker and podman take by themselves.
SUBNETS = [f"10.213.{number}.1/24" for number in range(256)]


class BridgeError(Exception):
    """No bridge: this is not root, or has no iproute2."""


@dataclass(frozen=True)
class Bridge:
    """A bridge that exists.

    :param name: at most 15 characters, as the kernel has it.
    """

    name: str

    @classmethod
    def create(cls) -> Bridge:
        """Create one on a subnet that no other interface has.

        :raises BridgeError: there is none, and why.
        """
        taken = {f"{address['local']}/{address['prefixlen']}" for address in _addresses()}
        # Two that look at the same time hardly choose the same.
        subnet = random.choice([subnet for subnet in SUBNETS if subnet not in taken])
        bridge = cls(f"e2e{secrets.token_hex(5)}")
        _ip("link", "add", bridge.name, "type", "bridge")
        try:
            _ip("address", "add", subnet, "dev", bridge.name)
            _ip("link", "set", bridge.name, "up")
        except BridgeError:
            bridge.delete()
            raise
        return bridge

    def delete(self) -> None:
        """Remove it."""
        _ip("link", "delete", self.name)


def _addresses() -> list[dict[str, object]]:
    interfaces = json.loads(_ip("-json", "address"))
    return [address for interface in interfaces for address in interface.get("addr_info", ()) if address]


def _ip(*args: str) -> str:
    try:
        done = subprocess.run(
            ["ip", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as e:
        raise BridgeError("no ip on this machine\n  -> apt-get install iproute2") from e
    if done.returncode:
        raise BridgeError(f"ip {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout
