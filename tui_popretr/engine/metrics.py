"""Metrics for Prometheus: their text, and the task that writes it into a file for node_exporter's textfile collector.

prometheus_client is imported only where text is made: it takes longer to load than a session without mail.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import trio

from tui_popretr import __version__
from tui_popretr.config.model import MetricsSettings
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode, describe_os_error, out_of_threads
from tui_popretr.facts import ConfigurationReloaded, Fact, Level
from tui_popretr.text import visible

if TYPE_CHECKING:
    from prometheus_client import Metric

#: A client's object in the status of the control socket (docs/control.md).
Client = dict[str, Any]

#: The label `result` by exit code.
RESULTS: Final = {
    ExitCode.OK: "ok",
    ExitCode.UNAVAILABLE: "unavailable",
    ExitCode.CANT_CREATE: "cantcreate",
    ExitCode.IO_ERROR: "io",
    ExitCode.TEMPORARY: "temporary",
    ExitCode.PROTOCOL: "protocol",
    ExitCode.LOGIN: "login",
    ExitCode.CONFIGURATION: "configuration",
    ExitCode.SOFTWARE: "internal",
}
_RESULTS: Final = {str(code.value): result for code, result in RESULTS.items()}
_PREFIX: Final = "popretr_client"
#: Seconds for the last write, at the end.
_LAST_TIMEOUT: Final = 1.0


def metrics_text(clients: Iterable[Client], *, up: bool = True) -> str:
    """Return the metrics of these clients in Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    enabled = [client for client in clients if client["state"] != "disabled"]

    class Clients(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _families(enabled, up=up)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Clients())
    return generate_latest(registry).decode()


def _families(clients: Sequence[Client], *, up: bool) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily("popretr_up", "Whether the program runs.", value=float(up))
    build = GaugeMetricFamily("popretr_build_info", "The version of the program.", labels=["version"])
    build.add_metric([__version__], 1.0)
    yield build

    def gauge(name: str, text: str, value: Callable[[Client], float | None]) -> Metric:
        family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=["client"])
        for client in clients:
            if (number := value(client)) is not None:
                family.add_metric([client["id"]], number)
        return family

    def counter(name: str, text: str, key: str) -> Metric:
        family = CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=["client"])
        for client in clients:
            family.add_metric([client["id"]], client[key])
        return family

    yield gauge(
        "last_success_timestamp_seconds",
        "The end of the last successful session.",
        lambda c: _time(c["last_success"]),
    )
    yield gauge("last_message_timestamp_seconds", "The last delivery of a message.", lambda c: _time(c["last_message"]))
    sessions = CounterMetricFamily(
        f"{_PREFIX}_sessions", "Sessions since the start, by result.", labels=["client", "result"]
    )
    for client in clients:
        for result, count in _sessions(client).items():
            sessions.add_metric([client["id"], result], count)
    yield sessions
    yield counter("messages", "Messages delivered since the start.", "messages")
    yield counter("octets", "Octets delivered since the start.", "octets")
    yield gauge("failures_in_a_row", "Sessions that failed since the last success.", lambda c: c["failures_in_a_row"])
    yield gauge("kept_messages", "Messages that arrived cut short and stay on the server.", lambda c: float(c["kept"]))
    yield gauge(
        "certificate_expiry_timestamp_seconds",
        "The end of the validity of the server's certificate.",
        lambda c: _time(c.get("certificate_expires")),
    )


def _sessions(client: Client) -> dict[str, int]:
    """Return the sessions by result. Each result is there from the start, so that the first session is an increase."""
    counts = dict.fromkeys(RESULTS.values(), 0)
    for code, count in client.get("sessions", {}).items():  # a program of an earlier version has none
        counts[_RESULTS.get(code, "internal")] += count
    return counts


def _time(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def write(path: str, text: str) -> None:
    """Replace the file at `path` in one step, readable by all: node_exporter runs as another user. Raises OSError."""
    unfinished = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.tmp")
    # Not *.prom, which the collector reads. The folder may belong to a group: what is there under that name, such as a
    # link or a FIFO, is removed and never opened.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)
            file.write(text)
        os.rename(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


class MetricsTask:
    """A companion of the engine that writes the file of its settings, at the end with popretr_up 0."""

    def __init__(self, engine: Engine, clients: Callable[[], Iterable[Client]]) -> None:
        """`clients` returns the clients as in the status of the control socket; they are read in a thread."""
        self._engine = engine
        self._clients = clients
        self._limiter = trio.CapacityLimiter(1)
        self._trouble = ""  # the last error that was logged
        self._reloaded = trio.Event()
        engine.subscribe(self._on_fact)

    def _on_fact(self, fact: Fact) -> None:
        if isinstance(fact, ConfigurationReloaded):
            self._reloaded.set()

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Write the file at intervals and after each reload, until cancelled."""
        task_status.started()
        written: MetricsSettings | None = None
        try:
            while True:
                self._reloaded = trio.Event()
                settings = self._engine.settings.metrics
                if written is not None and (settings is None or settings.path != written.path):
                    await self._write(written.path, up=False)  # a reload has named another file, or none
                written = settings
                if settings is not None:
                    await self._write(settings.path, up=True)
                with trio.move_on_after(math.inf if settings is None else settings.every):
                    await self._reloaded.wait()
        finally:
            if written is not None:
                with trio.move_on_after(_LAST_TIMEOUT, shield=True):
                    await self._write(written.path, up=False)

    async def _write(self, path: str, *, up: bool) -> None:
        clients = self._clients()

        def make() -> None:
            write(path, metrics_text(clients, up=up))

        trouble = ""
        try:
            await trio.to_thread.run_sync(make, limiter=self._limiter, abandon_on_cancel=True)
        except OSError as problem:
            trouble = describe_os_error(problem)
        except RuntimeError as problem:
            if out_of_threads(problem) is None:
                raise
            trouble = "the system starts no further thread"
        if trouble and trouble != self._trouble:
            self._engine.note(Level.WARNING, f"the metrics cannot be written to {visible(path, 4096)}: {trouble}")
        self._trouble = trouble
