"""A server that breaks the protocol, or means harm: bounded, neutralised, and told."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.delivery.smtp.receiver import SENDER
from tests.delivery.smtp.sending import Stopped, failure, in_a_thread, sending
from tests.delivery.smtp.talker import Line, talking
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.config.model import SmtpDestination
from tui_popretr.errors import (
    MessageRejected,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpServerUnreachable,
    SmtpTemporaryFailure,
)
from tui_popretr.net.connect import CONNECT_TIMEOUT
from tui_popretr.smtp import MAX_LINE, MAX_LINES

A = "a@receiver.test"
READY: list[Line] = [b"220 hi\r\n", b"250 hi\r\n"]
ACCEPTING: list[Line] = [*READY, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]


def destination(port: int) -> SmtpDestination:
    return SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port)


def endlessly(data: bytes) -> Callable[[socket.socket], None]:
    def say(sock: socket.socket) -> None:
        while True:
            sock.sendall(data)  # until the other side closes

    return say


ODDITIES: dict[str, Line] = {
    "no answer": b"hello\r\n",
    "an empty line": b"\r\n",
    "no number": b"2x0 hi\r\n",
    "a number that is none of SMTP's": b"999 hi\r\n",
    "a number with more behind it": b"2500 hi\r\n",
    "an endless line": endlessly(b"250 " + b"x" * 1000),
    "an endless answer": endlessly(b"250-and another\r\n" * 50),
}


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("step", range(5))
def test_what_no_server_should_say(step: int, oddity: str) -> None:
    said: list[str] = []
    with talking([*ACCEPTING[:step], ODDITIES[oddity]]) as port:
        error = failure(SmtpProtocolError, "gave an answer", destination(port), said=said)
    assert len(str(error)) < 400
    assert sum(map(len, said)) < 2 * MAX_LINES * 1100


def test_bounds_leave_room_for_what_is_legal() -> None:
    long = b"250-" + b"x" * (MAX_LINE - 100) + b"\r\n"
    many = b"250-X\r\n" * (MAX_LINES - 1) + b"250 SIZE 99\r\n"
    with talking([b"220 hi\r\n", long + b"250 hi\r\n"], [b"220 hi\r\n", many]) as port:
        for _ in range(2):
            with sending(destination(port)) as sender:
                sender.prepare(0)


def test_single_octets_buy_no_time() -> None:
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        while not stop.wait(0.01):
            sock.sendall(b"2")

    with talking([b"220 hi\r\n", drip]) as port:
        failure(SmtpTemporaryFailure, "did not answer in time", destination(port), None, timeout=0.3)
        stop.set()


def test_more_answers_than_questions() -> None:
    """An answer that was there before the question is none: else a server could accept what it has never seen."""
    with talking([*READY, b"250 ok\r\n250 ok\r\n"]) as port:
        failure(SmtpProtocolError, "more answers than it was asked for: 250 ok", destination(port))
    with talking([*ACCEPTING[:-1], b"354 go\r\n250 accepted\r\n"]) as port:
        failure(SmtpProtocolError, "accepted a message before it had all of it: 250 accepted", destination(port))


def test_a_refusal_before_the_end_of_the_message() -> None:
    """A server may say it early and yet read on: whatever is sent then is a part of the message for it."""

    def refuse_early(sock: socket.socket) -> None:
        sock.sendall(b"354 go\r\n552 enough\r\n")
        while sock.recv(65536):
            pass

    good = [*ACCEPTING, b"250 accepted\r\n", b"221 bye\r\n"]
    with talking([*ACCEPTING[:-1], refuse_early], good) as port, sending(destination(port)) as sender:
        with pytest.raises(MessageRejected, match="broke the message off: 552 enough"):
            sender.send()
        assert sender.send().receipt() == "; Reply=250 accepted"
        assert ">> SMTP RSET" not in sender.said


@pytest.mark.parametrize("left_over", [b"250 and again\r\n", b"421 4.4.2 timeout\r\n", b"garbage"])
def test_what_was_said_between_two_messages(left_over: bytes) -> None:
    good = [*ACCEPTING, b"250 accepted\r\n", b"221 bye\r\n"]
    with talking([*ACCEPTING, b"250 accepted\r\n" + left_over], good) as port, sending(destination(port)) as sender:
        for _ in range(2):
            assert sender.send().receipt() == "; Reply=250 accepted"
        assert sum("Connection to" in line for line in sender.said) == 2


def test_control_characters_are_shown_as_such() -> None:
    nasty = b"550-\x1b]0;title\x07\xe2\x80\xae\r\n550 \xff\0\x9b31m\r\n"
    said: list[str] = []
    with talking([*READY, nasty]) as port:
        error = failure(SmtpServerRefused, "refused the sender", destination(port), said=said)
    assert r"550 \x1b]0;title\x07\u202e \xff\x00\x9b31m" in str(error)
    assert not any(re.search("[\x00-\x1f\x7f-\x9f]", text) for text in (str(error), *said))


def test_a_server_of_another_protocol() -> None:
    with talking([b"+OK POP3 ready\r\n"]) as port:
        error = failure(
            SmtpProtocolError, r"an answer that is not an SMTP reply: \+OK POP3 ready", destination(port), None
        )
    assert "<address>" in error.advice


def test_a_server_that_takes_nothing_more() -> None:
    """It stops reading in the middle of the message."""
    ended = threading.Event()

    def stand_still(sock: socket.socket) -> None:
        sock.sendall(b"354 go\r\n")
        ended.wait(PATIENCE)

    message = b"x" * 998 + b"\r\n"
    with talking([*ACCEPTING[:-1], stand_still]) as port:
        words = r"has taken no data for 0\.2 s"
        failure(SmtpTemporaryFailure, words, destination(port), message * 32 * 1024, timeout=0.2)
        ended.set()


# --- interrupted where there is no dialogue ---------------------------------------------------------------------------


def test_a_resolver_that_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = threading.Event(), threading.Event()
    nowhere = replace(destination(25), host="mail.receiver.test")

    def getaddrinfo(host: object, port: object, family: int, kind: int, protocol: int, flags: int) -> list[object]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        asked.set()
        ended.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        with sending(nowhere) as sender, in_a_thread(lambda: sender.prepare(0)) as ends:
            assert asked.wait(PATIENCE)
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        assert isinstance(ends[0], Stopped)
        failure(SmtpServerUnreachable, r"no answer within 0\.2 s", nowhere, None, timeout=0.2)
    finally:
        ended.set()


def full_listener() -> tuple[socket.socket, list[socket.socket]]:
    """A port that answers no connection any more, because its queue is full."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    clients: list[socket.socket] = []
    while True:
        client = socket.socket()
        client.settimeout(0.3)
        clients.append(client)
        try:
            client.connect(listener.getsockname())
        except TimeoutError:
            return listener, clients


def test_a_host_that_swallows_everything() -> None:
    listener, clients = full_listener()
    try:
        where = destination(listener.getsockname()[1])
        failure(SmtpServerUnreachable, r"no answer within 0\.3 s", where, None, timeout=0.3)
        started = time.monotonic()
        with sending(where) as sender, in_a_thread(lambda: sender.prepare(0)) as ends:
            wait_for(lambda: sender.calls, "the attempt to connect")
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        assert isinstance(ends[0], Stopped)
        assert time.monotonic() - started < CONNECT_TIMEOUT, "no deadline passed"
    finally:
        for each in (listener, *clients):
            each.close()
