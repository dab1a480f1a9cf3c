"""PIPELINING (RFC 2920): sender, recipients and DATA in one packet, and each answer given to its own command."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence

import pytest

from tests.delivery.smtp.receiver import SENDER, Say, receiving
from tests.delivery.smtp.sending import MESSAGE, sending
from tests.delivery.smtp.talker import Line, talking
from tui_popretr.config.model import SmtpDestination
from tui_popretr.errors import (
    DeliveryFailed,
    PartlyAccepted,
    RecipientsRefused,
    SmtpProtocolError,
    SmtpServerRefused,
    SmtpTemporaryFailure,
)
from tui_popretr.smtp import WINDOW

A, B = "a@receiver.test", "b@receiver.test"
MAIL, DATA = f"MAIL FROM:<{SENDER}>\r\n".encode(), b"DATA\r\n"
RCPT_A, RCPT_B = (f"RCPT TO:<{each}>\r\n".encode() for each in (A, B))
GREETING: list[Line] = [b"220 hi\r\n", b"250-hi\r\n250 PIPELINING\r\n"]
OK = b"250 ok\r\n"
GOOD: list[Line] = [*GREETING, OK, OK, b"354 go\r\n", OK]


def destination(port: int, *recipients: str, lmtp: bool = False) -> SmtpDestination:
    return SmtpDestination(SENDER, recipients or (A,), host="127.0.0.1", port=port, lmtp=lmtp)


def in_packets(answers: Sequence[bytes], packets: list[bytes]) -> Callable[[socket.socket], None]:
    """Note what comes in one go, and say something after each."""

    def take(sock: socket.socket) -> None:
        for answer in answers:
            packets.append(sock.recv(65536))
            sock.sendall(answer)

    return take


@pytest.mark.parametrize(
    ("offer", "answers", "expected"),
    [
        (b" PIPELINING", [OK + OK + b"354 go\r\n", OK], [MAIL + RCPT_A + DATA]),
        (b" pipelining", [OK + OK + b"354 go\r\n", OK], [MAIL + RCPT_A + DATA]),
        (b" PIPELINES", [OK, OK, b"354 go\r\n", OK], [MAIL, RCPT_A, DATA]),
    ],
)
def test_only_who_offers_it_gets_several_commands_at_once(
    offer: bytes, answers: list[bytes], expected: list[bytes]
) -> None:
    packets: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250-hi\r\n250" + offer + b"\r\n")
        in_packets(answers, packets)(sock)

    with talking([b"220 hi\r\n", serve]) as port, sending(destination(port)) as sender:
        assert sender.send(b"x\r\n").receipt() == "; Reply=250 ok"
    assert packets == [*expected, b"x\r\n.\r\n"]


def test_extensions_of_an_earlier_connection_do_not_count() -> None:
    packets: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250 hi\r\n")
        in_packets([OK, OK, b"354 go\r\n", OK], packets)(sock)

    with talking([*GREETING, b"421 later\r\n"], [b"220 hi\r\n", serve]) as port, sending(destination(port)) as sender:
        sender.prepare(0)
        assert sender.send(b"x\r\n").receipt() == "; Reply=250 ok"
    assert packets == [MAIL, RCPT_A, DATA, b"x\r\n.\r\n"]


def test_answers_that_come_octet_by_octet() -> None:
    def drip(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in b"250-2.1.0 well\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n":
            sock.sendall(bytes([octet]))

        sock.recv(65536)  # the message: the talker does not see the 354
        sock.sendall(OK)

    with talking([*GREETING, b"", b"", drip]) as port, sending(destination(port)) as sender:
        assert sender.send(b"x\r\n").receipt() == "; Reply=250 ok"


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        # MAIL, RCPT a, RCPT b, DATA; what is to be told
        (
            [b"550 who\r\n", b"503 no\r\n", b"503 no\r\n", b"503 no\r\n"],
            SmtpServerRefused,
            "the sender popretr@receiver",
        ),
        (
            [b"450 now\r\n", b"503 no\r\n", b"503 no\r\n", b"503 no\r\n"],
            SmtpTemporaryFailure,
            "the sender popretr@receiver",
        ),
        ([OK, b"550 a\r\n", b"551 b\r\n", b"554 none\r\n"], SmtpServerRefused, f"for {A}: 550 a; for {B}: 551 b"),
        ([OK, b"550 a\r\n", b"450 b\r\n", b"503 none\r\n"], SmtpTemporaryFailure, f"for {A}: 550 a; for {B}: 450 b"),
        ([OK, OK, OK, b"451 full\r\n"], SmtpTemporaryFailure, "refused the message: 451 full"),
    ],
)
def test_after_a_refusal_the_connection_goes_on(answers: list[Line], kind: type[DeliveryFailed], words: str) -> None:
    """Its other answers are taken in, none of them for one to the next message."""
    heard: list[bytes] = []
    again: list[Line] = [b"250 reset\r\n", OK, OK, OK, b"354 go\r\n", OK]
    with talking([*GREETING, *answers, *again], heard=heard) as port, sending(destination(port, A, B)) as sender:
        with pytest.raises(kind, match=re.escape(words)):
            sender.send()
        assert sender.send().receipt() == "; Reply=250 ok"
    assert heard[1:10] == [MAIL, RCPT_A, RCPT_B, DATA, b"RSET\r\n", MAIL, RCPT_A, RCPT_B, DATA]


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([b"550 who\r\n", b"503 no\r\n", b"354 go\r\n", OK], SmtpServerRefused, "refused the sender"),
        ([OK, b"550 a\r\n", b"354 go\r\n", OK], RecipientsRefused, "550 a"),
        ([OK, b"550 a\r\n", b"421 bye\r\n"], RecipientsRefused, "550 a"),
        ([OK, b"421 bye\r\n"], SmtpTemporaryFailure, "ended the session: 421 bye"),
        ([OK, OK, b"421 bye\r\n"], SmtpTemporaryFailure, "refused the message: 421 bye"),
        ([OK, OK], SmtpTemporaryFailure, "closed the connection"),
        ([b"550 who\r\n"], SmtpServerRefused, "refused the sender"),
        ([OK, OK, b"250 ok\r\n", OK], SmtpProtocolError, "refused the message: 250 ok"),
        ([OK + OK, OK, b"354 go\r\n"], SmtpProtocolError, "refused the message: 250 ok"),
        ([OK, b"550 a\r\n" + b"550 b\r\n", b"354 go\r\n"], RecipientsRefused, "550 a"),
        ([OK, OK, b"354 go\r\n250 ok\r\n"], SmtpProtocolError, "accepted a message before it had all of it: 250 ok"),
    ],
)
def test_a_connection_that_cannot_go_on_is_closed_without_an_end(
    answers: list[Line], kind: type[DeliveryFailed], words: str
) -> None:
    """Neither a message nor a lone dot, which might be an empty one: a server may send 354 without a recipient."""
    heard: list[bytes] = []
    with talking([*GREETING, *answers], GOOD, heard=heard) as port, sending(destination(port)) as sender:
        with pytest.raises(kind, match=re.escape(words)) as caught:
            sender.send()
        assert type(caught.value) is kind
        assert sender.send().receipt() == "; Reply=250 ok"
    first = heard[: heard.index(b"EHLO [127.0.0.1]\r\n", 1)]
    assert b".\r\n" not in first
    assert not any(MESSAGE.startswith(line) for line in first if line)


def until_closed(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def test_garbage_behind_354() -> None:
    def go(sock: socket.socket) -> None:
        sock.sendall(b"354 go\r\ngarbage\r\n")
        until_closed(sock)

    with talking([*GREETING, OK, OK, go], GOOD) as port, sending(destination(port)) as sender:
        with pytest.raises(SmtpProtocolError, match="gave an answer that is not an SMTP reply: garbage"):
            sender.send()
        assert sender.send().receipt() == "; Reply=250 ok"


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([b"550 who\r\n", b"503 no\r\n"], SmtpServerRefused, "550 who"),
        ([OK, b"550 a\r\n"], SmtpServerRefused, "550 a"),
    ],
)
def test_a_server_that_answers_too_few_is_given_up(answers: list[Line], kind: type[DeliveryFailed], words: str) -> None:
    """And what it did refuse is told."""
    with talking([*GREETING, *answers, until_closed], GOOD) as port:
        with sending(destination(port), timeout=0.2) as sender:
            with pytest.raises(kind, match=words):
                sender.send()
            assert sender.sink._connection is None
        with sending(destination(port)) as sender:
            assert sender.send().receipt() == "; Reply=250 ok"


def test_an_idle_connection_that_is_closed_is_made_anew() -> None:
    heard: list[bytes] = []
    with talking([*GREETING, b"421 too late\r\n"], GOOD, heard=heard) as port, sending(destination(port)) as sender:
        sender.prepare(0)
        assert sender.send().receipt() == "; Reply=250 ok"
    assert heard.count(MAIL) == 2


def test_after_a_421_no_further_answers_are_read() -> None:
    with (
        talking([*GREETING, b"421 no\r\n", b"", until_closed]) as port,
        sending(destination(port)) as sender,
        pytest.raises(SmtpTemporaryFailure, match="421 no"),
    ):
        sender.send()


def test_who_is_refused_among_several() -> None:
    with receiving() as receiver, sending(receiver.destination(A, B)) as sender:
        receiver.on(f"RCPT {A}", Say("550 unknown"))
        with pytest.raises(PartlyAccepted, match=re.escape(f"{A}: 550 unknown")) as caught:
            sender.send()
        assert caught.value.accepted == (B,)
        sender.send()
    assert [mail.recipients for mail in receiver.mails] == [(B,), (A, B)]
    assert receiver.connections == 1


def test_lmtp_has_an_answer_for_each_recipient() -> None:
    answers: list[Line] = [OK, b"550 a\r\n", OK, b"354 go\r\n", b"250 b has it\r\n"]
    heard: list[bytes] = []
    with (
        talking([*GREETING, *answers], heard=heard) as port,
        sending(destination(port, A, B, lmtp=True)) as sender,
        pytest.raises(PartlyAccepted) as caught,
    ):
        sender.send()
    assert caught.value.accepted == (B,)
    assert heard[1:5] == [MAIL, RCPT_A, RCPT_B, DATA]


def test_as_much_is_sent_ahead_as_fits_into_a_window() -> None:
    """Who sends on without reading answers may wait for ever for a server that does not read before it has answered."""
    recipients = [f"{'r' * 40}{number}@receiver.test" for number in range(300)]
    packets: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250-hi\r\n250 PIPELINING\r\n")
        while not packets or not packets[-1].endswith(DATA):
            packets.append(sock.recv(65536))
            assert packets[-1].endswith(b"\r\n")
            sock.sendall(OK * packets[-1].replace(DATA, b"").count(b"\r\n"))
        sock.sendall(b"354 go\r\n")
        sock.recv(65536)
        sock.sendall(OK)

    with talking([b"220 hi\r\n", serve]) as port, sending(destination(port, *recipients)) as sender:
        assert sender.send(b"x\r\n").receipt() == "; Reply=250 ok"
    assert len(packets) > 3
    assert max(map(len, packets)) <= WINDOW
    assert b"".join(packets).count(b"RCPT TO:") == 300
    assert min(map(len, packets[:-1])) > WINDOW - 100


def test_without_an_accepted_recipient_nothing_more_is_sent() -> None:
    recipients = [f"{'r' * 200}{number}@receiver.test" for number in range(40)]
    heard: list[bytes] = []
    with (
        talking([*GREETING, OK, *[b"550 no\r\n"] * 40], heard=heard) as port,
        sending(destination(port, *recipients)) as sender,
        pytest.raises(SmtpServerRefused, match="550 no"),
    ):
        sender.send()
    assert DATA not in heard


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([OK, b"451 later\r\n", b"451 later\r\n", b"421 busy\r\n"], f"for {A}: 451 later"),
        ([OK, b"451 later\r\n", b"451 later\r\n"], f"for {A}: 451 later"),
    ],
)
def test_a_busy_server_is_asked_once(answers: list[Line], words: str) -> None:
    connections: list[list[Line]] = [[*GREETING, *answers]] * 2
    with talking(*connections) as port, sending(destination(port, A, B)) as sender:
        with pytest.raises(SmtpTemporaryFailure, match=words):
            sender.send()
        assert sum("Connection to" in line for line in sender.said) == 1


def test_421_to_data_after_a_refused_recipient() -> None:
    """The server may have counted the refusals; so the others get a connection without them, and only one."""
    heard: list[bytes] = []
    connections: list[list[Line]] = [
        [*GREETING, OK, b"550 no\r\n", OK, b"421 busy\r\n"],
        [*GREETING, OK, OK, b"421 busy\r\n"],
        [],
    ]
    with talking(*connections, heard=heard) as port, sending(destination(port, A, B)) as sender:
        with pytest.raises(SmtpTemporaryFailure, match="421 busy"):
            sender.send()
        assert sum("Connection to" in line for line in sender.said) == 2
    assert heard.count(RCPT_A) == 1


def test_354_to_a_recipient_is_no_refusal() -> None:
    answers: list[Line] = [OK, b"354 go\r\n", b"503 what\r\n"]
    with talking([*GREETING, *answers]) as port, sending(destination(port)) as sender:
        with pytest.raises(SmtpProtocolError, match=f"neither accepted nor refused {A}: 354 go"):
            sender.send()
        assert ">> SMTP RSET" not in sender.said


def test_an_idle_connection_that_is_lost_without_a_sign() -> None:
    """PIPELINING has worked on it, so it is not the cause: the message is sent over a new connection, with it."""
    packets: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"250-hi\r\n250 PIPELINING\r\n")
        in_packets([OK + OK + b"354 go\r\n", OK], packets)(sock)

    silent: list[Line] = [*GOOD, until_closed]
    with talking(silent, [b"220 hi\r\n", serve]) as port, sending(destination(port), timeout=0.5) as sender:
        for _ in range(2):
            assert sender.send(b"x\r\n").receipt() == "; Reply=250 ok"
    assert packets == [MAIL + RCPT_A + DATA, b"x\r\n.\r\n"]
