"""`reload` waits for its own result: what it makes of the daemon's messages."""

from __future__ import annotations

from typing import Any

import pytest

from tui_popretr.cli.steer import wait_for_reload
from tui_popretr.control.codec import event_to_json
from tui_popretr.errors import ConfigurationError, DaemonUnavailable
from tui_popretr.facts import ClientPaused, ConfigurationRejected, ConfigurationReloaded, ReloadStarted

STARTED = event_to_json(ReloadStarted())
RELOADED = event_to_json(ConfigurationReloaded(("a", "b"), (), ("c",)))
OTHER = event_to_json(ConfigurationReloaded((), ("x",), ()))
REJECTED = event_to_json(ConfigurationRejected(("mail.xml:3:1: error: one", "mail.xml:4:1: error: two")))
PAUSED = event_to_json(ClientPaused("a"))
ACCEPTED = {"id": 2, "ok": "the configuration is read again"}


class Daemon:
    """A connection that gives these messages after the request to reload."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.asked: list[str] = []

    def ask(self, request: str) -> None:
        self.asked.append(request)

    def send(self, request: str) -> int:
        self.asked.append(request)
        return len(self.asked)

    def wait_for_ever(self) -> None:
        pass

    def receive(self) -> dict[str, Any]:
        return self._messages.pop(0)


def outcome(*messages: dict[str, Any]) -> str:
    daemon = Daemon(*messages)
    text = wait_for_reload(daemon)  # type: ignore[arg-type]
    assert daemon.asked == ["watch", "reload"]
    assert daemon._messages == []
    return text


@pytest.mark.parametrize(
    "messages",
    [
        (ACCEPTED, STARTED, RELOADED),
        (ACCEPTED, PAUSED, STARTED, PAUSED, RELOADED),
        (STARTED, OTHER, ACCEPTED, STARTED, RELOADED),
        (STARTED, ACCEPTED, OTHER, STARTED, RELOADED),
        (STARTED, ACCEPTED, REJECTED, STARTED, RELOADED),
        (ACCEPTED, {"n": 1, "event": "configuration_reloaded"}, {"n": 2, "event": "later"}, STARTED, RELOADED),
    ],
)
def test_the_result_is_that_of_this_reload(messages: tuple[dict[str, Any], ...]) -> None:
    assert outcome(*messages) == "configuration reloaded: 2 added, 1 changed"


def test_the_problems_are_the_error() -> None:
    with pytest.raises(ConfigurationError, match=r"^mail.xml:3:1: error: one\nmail.xml:4:1: error: two$") as error:
        outcome(STARTED, ACCEPTED, OTHER, STARTED, REJECTED)
    assert error.value.advice == "the daemon keeps the old configuration"


def test_a_refused_reload_is_an_error() -> None:
    with pytest.raises(DaemonUnavailable, match="reloading is not possible now"):
        outcome({"id": 2, "error": "reloading is not possible now; try again when the program has started"})


def test_after_a_gap_the_log_has_the_result() -> None:
    assert "log" in outcome(ACCEPTED, {"gap": 9})
