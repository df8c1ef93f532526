"""Images where they are used: an engine that pulls them, starts them and says what they consist of."""

from __future__ import annotations

import http.client
import time
from types import TracebackType
from typing import Self

from bench.side.engine import GroupedEngine
from bench.side.repository import Service
from bench.side.site import ContenderError, Site
from bench.sizes.measure import Meter
from tests.support.engine import EngineError
from tests.support.registry_server import free_port

ANSWER_SECONDS = 60
STARTS = 5
_PAUSE_SECONDS = 0.005
_IMPORT = "import time; t = time.perf_counter(); import {}.__main__; print(time.perf_counter() - t)"


class Node:
    """An engine that had no image yet; a context manager."""

    def __init__(self, site: Site) -> None:
        self.engine = GroupedEngine(site.work / "e" / "node", group=site.meter.group)
        self._work = site.work

    def __enter__(self) -> Self:
        self.engine.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.engine.stop()

    def pull(self, reference: str) -> None:
        """Pull an image."""
        try:
            self.engine.docker("pull", "--quiet", reference)
        except EngineError as error:
            raise ContenderError(str(error)) from error

    def seconds_to_answer(self, image: str, service: Service) -> float:
        """Return the median time from ``docker run`` to the first answer of ``/health``.

        :raises ContenderError: there is none.
        """
        return _median([self._answer(image, service) for _ in range(STARTS)])

    def _answer(self, image: str, service: Service) -> float:
        port = free_port()
        options = ["--detach", "--network", "host", "--cap-drop", "ALL", "--env", f"BREWBLOX_PORT={port}"]
        options += ["--tmpfs", "/tmp"]  # noqa: S108  of the container
        started = time.perf_counter()
        number = self.engine.docker("run", *options, image).strip()
        try:
            while not _answers(port):
                if time.perf_counter() - started > ANSWER_SECONDS:
                    printed = self.engine.docker("logs", number, merge=True)
                    raise ContenderError(f"{service.name} does not answer; it printed:\n{printed}")
                time.sleep(_PAUSE_SECONDS)
            return time.perf_counter() - started
        finally:
            self.engine.call("rm", "--force", "--volumes", number)

    def seconds_to_import(self, image: str, service: Service, python: str) -> float:
        """Return the median time of the first import of a service in a new container."""
        command = ["run", "--rm", "--network", "none", "--entrypoint", python, image]
        code = _IMPORT.format(service.module)
        return _median([float(self.engine.docker(*command, "-c", code)) for _ in range(STARTS)])

    def sizes(self, image: str) -> dict[str, float]:
        """Return bytes unpacked and compressed, and the number of files."""
        measured = Meter(self.engine, self._work).measure(image, image)
        return {
            "unpacked": measured.engine,
            "compressed": measured.gzip,
            "flattened": measured.flattened,
            "files": measured.files,
            "layers": len(measured.layers),
        }


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        # 503 is an answer too: of a service that misses something outside of its image.
        return connection.getresponse().status in (200, 503)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
