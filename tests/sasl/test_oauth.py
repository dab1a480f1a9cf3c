"""Access tokens: the examples of RFC 7628 and of Google, and what servers say of tokens that they do not accept."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest

from tui_popretr.sasl import Cancelled, Endpoint, Exchange, MechanismUnusable, begin
from tui_popretr.secret import Secret

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
NOT_ACCEPTED = "the server does not accept the access token"


@pytest.mark.parametrize("initial_response", [False, True])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_an_error_has_to_be_base64(mechanism: str, initial_response: bool) -> None:
    exchange = begin(mechanism, "me", Secret("token"))
    exchange.start(initial_response=initial_response)
    if not initial_response:
        exchange.respond(None)
    assert responded(exchange, None) == "*"
    assert exchange.problem == "the server's challenge is not base64"


def responded(exchange: Exchange, challenge: bytes | None = b"") -> str:
    """Return the response to a challenge, "*" if the exchange is cancelled."""
    try:
        return exchange.respond(challenge).text.reveal()
    except Cancelled:
        return "*"


def refused(mechanism: str, explanation: bytes, token: str = TOKEN) -> tuple[Exchange, str]:
    """Return an exchange whose token was not accepted, and its response to the server's explanation."""
    exchange = begin(mechanism, "me", Secret(token))
    exchange.start(initial_response=False)
    assert responded(exchange).endswith(f"auth=Bearer {token}\1\1")
    return exchange, responded(exchange, explanation)


@pytest.mark.parametrize("initial_response", [False, True])
def test_oauthbearer_of_the_rfc(initial_response: bool) -> None:
    """RFC 7628 §4.1 and §4.3."""
    sent = (
        b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRj"
        b"Mk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    server = Endpoint("server.example.com", 143)
    exchange = begin("OAUTHBEARER", "user@example.com", Secret(TOKEN), server)
    response = exchange.start(initial_response=initial_response) or exchange.respond(b"")
    assert response.encoded() == sent
    error = (
        b"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRw"
        b"czovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0="
    )
    assert responded(exchange, b64decode(error)) == "\1"
    assert exchange.problem == f"{NOT_ACCEPTED} (status invalid_token, scope example_scope)"
    assert responded(exchange) == "*"


@pytest.mark.parametrize("initial_response", [False, True])
def test_xoauth2_as_google_describes_it(initial_response: bool) -> None:
    sent = (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZ"
        b"Mjl0Q2cBAQ=="
    )
    token = Secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")
    exchange = begin("XOAUTH2", "someuser@example.com", token)
    response = exchange.start(initial_response=initial_response) or exchange.respond(b"")
    assert response.encoded() == sent
    error = b"eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K"
    assert responded(exchange, b64decode(error)) == ""
    assert exchange.problem == f"{NOT_ACCEPTED} (status 401, scope https://mail.google.com/)"
    assert responded(exchange) == "*"


def test_a_username_is_coded_in_oauthbearer() -> None:
    exchange = begin("OAUTHBEARER", "a=b,c", Secret("t"))
    assert exchange.initial is not None
    assert exchange.initial.octets() == b"n,a=a=3Db=2Cc,\1auth=Bearer t\1\1"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(
    ("explanation", "words"),
    [
        ({}, ""),
        ({"status": 400}, " (status 400)"),
        ({"status": "", "scope": "mail"}, " (scope mail)"),
        ({"status": ["x"], "scope": {"a": 1}}, ""),
        ({"status": "\x1b[2J\u202e"}, " (status \\x1b[2J\\u202e)"),
        ({"status": "x" * 500}, f" (status {'x' * 100}…)"),
        ({"status": "\ud800"}, " (status ?)"),
    ],
)
def test_what_the_server_explains(mechanism: str, explanation: dict[str, object], words: str) -> None:
    exchange, answer = refused(mechanism, json.dumps(explanation).encode())
    assert exchange.problem == NOT_ACCEPTED + words
    assert answer == ("\1" if mechanism == "OAUTHBEARER" else "")


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(
    "explanation", [b"[]", b"401", b"{", b"\xff", b"[" * 9000, b"1" * 5000, b'{"status": 1' + b"1" * 5000]
)
def test_an_explanation_that_is_none_is_cancelled(mechanism: str, explanation: bytes) -> None:
    exchange, answer = refused(mechanism, explanation)
    assert answer == "*"
    assert exchange.problem == f"{NOT_ACCEPTED}, and its reason is not JSON"


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_no_explanation_at_all(mechanism: str) -> None:
    exchange, answer = refused(mechanism, b"")
    assert answer != "*"
    assert exchange.problem == NOT_ACCEPTED


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_in_the_explanation_is_not_told(mechanism: str) -> None:
    token = "ya29.hunter2hunter2"
    coded = b64encode(token.encode()).decode()
    for told in (token, coded, f"Bearer {token} {coded}"):
        exchange, _ = refused(mechanism, json.dumps({"status": told, "scope": told}).encode(), token)
        assert exchange.problem is not None
        assert token not in exchange.problem
        assert coded not in exchange.problem
        assert "****" in exchange.problem


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize(
    ("username", "token"), [("me", "a b"), ("me", "a\x01b"), ("me", "ä"), ("m\x01e", "a"), ("me", "")]
)
def test_what_would_end_a_field_is_told_before_anything_is_sent(mechanism: str, username: str, token: str) -> None:
    with pytest.raises(MechanismUnusable):
        begin(mechanism, username, Secret(token))
