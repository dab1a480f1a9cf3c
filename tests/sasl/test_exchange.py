"""Exchanges of any mechanism: the initial response, what ends them, and what of a response is secret."""

from __future__ import annotations

import pytest

from tui_popretr.sasl import MAX_LINE, Cancelled, MechanismUnusable, Response, begin, decode_challenge
from tui_popretr.secret import Secret

PASSWORD = Secret("hunter2")


def test_an_initial_response_is_sent_once() -> None:
    exchange = begin("PLAIN", "me", PASSWORD)
    assert exchange.start() == exchange.initial == Response(Secret("\0me\0hunter2"), hide=PASSWORD)
    with pytest.raises(Cancelled, match="continues after"):
        exchange.respond(b"")


def test_without_it_the_first_challenge_gets_the_response() -> None:
    exchange = begin("PLAIN", "me", PASSWORD)
    assert exchange.start(initial_response=False) is None
    assert exchange.respond(b"") == exchange.initial
    with pytest.raises(Cancelled, match="continues after"):
        exchange.respond(b"")


def test_a_cancelled_exchange_stays_cancelled() -> None:
    exchange = begin("CRAM-MD5", "me", PASSWORD)
    for challenge in (None, b"<1@example>"):
        with pytest.raises(Cancelled, match="not base64"):
            exchange.respond(challenge)
    assert exchange.problem == "the server's challenge is not base64"


@pytest.mark.parametrize(
    ("payload", "challenge"),
    [(b"", b""), (b" PDE+ ", b"<1>"), (b"PDE", None), (b"go ahead", None), (b"\xff", None), (b"PDE+\tPDE+", None)],
)
def test_challenges_are_decoded(payload: bytes, challenge: bytes | None) -> None:
    assert decode_challenge(payload) == challenge


def test_secrets_of_a_response() -> None:
    assert set(Response(Secret("ab"), hide=Secret("b")).secrets()) == {b"ab", b"YWI=", b"b", b"Yg=="}
    assert Response(Secret("me"), public=True).secrets() == ()
    assert Response(Secret("")).secrets() == ()
    assert "hunter2" not in repr(Response(PASSWORD, hide=PASSWORD))


def test_a_response_fits_a_line() -> None:
    longest = (MAX_LINE - 2) // 4 * 3
    assert len(Response(Secret("x" * longest)).encoded()) <= MAX_LINE - 2
    with pytest.raises(MechanismUnusable, match="longer than 12288"):
        Response(Secret("x" * (longest + 1)))


def test_a_text_that_is_not_unicode_is_not_repeated() -> None:
    assert Response(Secret("\udcff")).octets() == b"\xff"
    with pytest.raises(MechanismUnusable, match="UTF-8") as caught:
        Response(Secret("hunter2\ud800"))
    assert caught.value.__context__ is None
