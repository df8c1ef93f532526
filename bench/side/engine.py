"""A Docker engine whose daemon and containers are measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.side.meter import Group
from tests.support.engine import Engine


@dataclass
class GroupedEngine(Engine):
    """An engine in a control group, without a bridge: its containers use the host's network."""

    publishes: bool = False
    group: Group = field(kw_only=True)

    def daemon_command(self) -> list[str]:
        """Return what starts the daemon in the group.

        :raises EngineError: this machine has none.
        """
        parent = ["--cgroup-parent", self.group.parent] if self.group.supported else []
        return [*self.group.prefix(), *super().daemon_command(), *parent]
