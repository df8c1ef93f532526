"""Becomes Pants, and makes no scheduler for loading plugins where there is none to load.

At each start without a daemon Pants 2.17 puts its rule graph together twice: first for a scheduler whose one
use is to resolve ``[GLOBAL].plugins``, then for its work. The first takes four of ten processor seconds, also
in a repository whose plugins come from ``[GLOBAL].pythonpath``, as here. Now it is made when first asked
for. Any other version of Pants is left as it is: see docs/decisions/015.

``pants_launcher.py`` copies this into the environment of Pants, so that it has no other module beside it.
"""

import sys
from importlib import import_module
from typing import Any, Callable, Optional


class LazyScheduler:
    """Stands in for ``pants.init.bootstrap_scheduler.BootstrapScheduler``."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Optional[Any] = None

    @property
    def scheduler(self) -> Any:
        """The scheduler, made now if it has not been."""
        if self._made is None:
            self._made = self._make().scheduler
        return self._made


def load_plugins_lazily(options_initializer: Any, plugin_resolver: Any) -> None:
    """Change the two modules of Pants of that name."""
    create = options_initializer.create_bootstrap_scheduler
    resolve = plugin_resolver.PluginResolver._resolve_plugins  # noqa: SLF001  Pants has no other place for it

    def create_lazily(*args: Any, **kwargs: Any) -> LazyScheduler:
        return LazyScheduler(lambda: create(*args, **kwargs))

    def resolve_if_any(self: Any, options_bootstrapper: Any, env: Any, request: Any) -> Any:
        if not options_bootstrapper.bootstrap_options.for_global_scope().plugins:
            return plugin_resolver.ResolvedPluginDistributions()
        return resolve(self, options_bootstrapper, env, request)

    options_initializer.create_bootstrap_scheduler = create_lazily
    plugin_resolver.PluginResolver._resolve_plugins = resolve_if_any  # noqa: SLF001  as above


def main() -> None:
    """Start Pants."""
    if import_module("pants.version").VERSION.startswith("2.17."):
        load_plugins_lazily(
            import_module("pants.init.options_initializer"), import_module("pants.init.plugin_resolver")
        )
    sys.exit(import_module("pants.bin.pants_loader").main())


if __name__ == "__main__":
    main()
