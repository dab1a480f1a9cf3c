"""SCRAM: the vectors of the RFCs, and servers that do not know the password or want to do harm."""

from __future__ import annotations

import pytest

from tests.support.popserver import Mechanism, SaslFault, ServedMaildrop
from tests.support.popserver.sasl import MECHANISMS, Gate
from tui_popretr.popserver.sasl import CredentialsRejected
from tui_popretr.sasl import Cancelled, Endpoint, Exchange, MechanismUnusable, Proof, begin
from tui_popretr.sasl.scram import MAX_ITERATIONS, Scram
from tui_popretr.secret import Secret

PENCIL = Secret("pencil")
MAILDROPS = {"alice": ServedMaildrop("alice", "pencil")}

# RFC 5802 §5
SHA_1 = (
    "fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
# RFC 7677 §3
SHA_256 = (
    "rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
VECTORS = [("SCRAM-SHA-1", *SHA_1), ("SCRAM-SHA-256", *SHA_256)]
NONCE, FIRST, FINAL, LAST = SHA_256


def said(exchange: Exchange, message: str | bytes = "") -> str:
    """Return the response to a challenge, "*" if the exchange is cancelled."""
    try:
        return exchange.respond(message.encode() if isinstance(message, str) else message).text.reveal()
    except Cancelled:
        return "*"


def two_steps(mechanism: str, username: str, password: Secret, server: Endpoint | None = None) -> Exchange:
    """Return an exchange without an initial response."""
    exchange = begin(mechanism, username, password, server)
    exchange.start(initial_response=False)
    return exchange


def proof_of(exchange: Exchange) -> Proof:
    """Its state now: a call, as mypy takes an attribute that was compared once for what it was then."""
    return exchange.proof


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """The exchange of RFC 7677, whose first message has been sent."""
    monkeypatch.setattr(Scram, "nonce", lambda _: NONCE)
    begun = begin("SCRAM-SHA-256", "user", PENCIL)
    begun.start()
    return begun


@pytest.mark.parametrize(("mechanism", "nonce", "first", "final", "last"), VECTORS)
@pytest.mark.parametrize("initial_response", [False, True])
def test_the_vectors_of_the_rfcs(
    mechanism: str,
    nonce: str,
    first: str,
    final: str,
    last: str,
    initial_response: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Scram, "nonce", lambda _: nonce)
    exchange = begin(mechanism, "user", PENCIL)
    response = exchange.start(initial_response=initial_response)
    assert (said(exchange) if response is None else response.text.reveal()) == f"n,,n=user,r={nonce}"
    assert (response is not None) is initial_response
    assert said(exchange, first) == final
    assert proof_of(exchange) is Proof.OWED
    assert said(exchange, last) == ""
    assert (proof_of(exchange), exchange.problem) == (Proof.GIVEN, None)
    assert said(exchange, last) == "*"
    asked = "the server continues after the mechanism's last response"
    assert (proof_of(exchange), exchange.problem) == (Proof.GIVEN, asked)


def test_every_exchange_has_a_nonce_of_its_own() -> None:
    openings = {said(two_steps("SCRAM-SHA-1", "user", PENCIL)) for _ in range(20)}
    assert len(openings) == 20
    assert min(map(len, openings)) > 30


@pytest.mark.parametrize(
    ("username", "sent"),
    # RFC 4013 §3: soft hyphens vanish, compatibility characters become the plain ones; RFC 5802 §5.1: , and = are coded
    [("I\u00adX", "IX"), ("\u2168", "IX"), ("user", "user"), ("a=b,c", "a=3Db=2Cc")],
)
def test_a_username_is_prepared(username: str, sent: str) -> None:
    assert said(two_steps("SCRAM-SHA-256", username, PENCIL)).startswith(f"n,,n={sent},r=")


def test_a_password_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scram, "nonce", lambda _: NONCE)
    finals = []
    for password in ("a IX", "\u00aa\u00a0\u2168", "a I\u00adX", "another"):
        exchange = two_steps("SCRAM-SHA-256", "user", Secret(password))
        said(exchange)
        finals.append(said(exchange, FIRST))
    assert finals[0] == finals[1] == finals[2] != finals[3]


@pytest.mark.parametrize(
    ("username", "password"), [("me", "\x07"), ("m\x01e", "x"), ("me", "\U0001f600"), ("\xad", "x")]
)
def test_what_saslprep_forbids_is_told_before_anything_is_sent(username: str, password: str) -> None:
    with pytest.raises(MechanismUnusable, match="SCRAM does not allow") as caught:
        begin("SCRAM-SHA-256", username, Secret(password))
    assert password not in str(caught.value)


# --- a server that is not what it should be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "wrong"),
        (b"\xff\xfe", "not text"),
        ("hello", "wrong"),
        (LAST, "wrong"),
        (FIRST.replace(NONCE, "another-nonce"), "nonce"),
        (FIRST.replace(NONCE, NONCE[:-1]), "nonce"),
        (f"r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "nonce"),
        (FIRST.replace("W22ZaJ0SNY7soEsUEjb6gQ==", "?"), "base 64"),
        (FIRST.replace("s=", "m=x,s="), "wrong"),
        (FIRST.replace(",i=4096", ""), "wrong"),
        (FIRST.replace("i=4096", "i="), "wrong"),
        (FIRST.replace("i=4096", "i=-4096"), "wrong"),
        (FIRST.replace("i=4096", "i=4096x"), "wrong"),
        (FIRST.replace("i=4096", "i=1"), "4096"),
        (FIRST.replace("i=4096", f"i={MAX_ITERATIONS + 1}"), "iterations"),
        (FIRST.replace("i=4096", "i=1000000000"), "iterations"),
        (FIRST.replace("i=4096", f"i={'9' * 3000}"), "iterations"),
        (FIRST.replace("i=4096", "i=4096,i=1000000000"), "iterations"),
        (FIRST + "x" * 4097, "too long"),
    ],
)
def test_a_first_message_that_is_wrong_is_cancelled(exchange: Exchange, message: str | bytes, problem: str) -> None:
    assert said(exchange, message) == "*"
    assert problem in (exchange.problem or "")
    assert proof_of(exchange) is Proof.OWED
    # and it stays so
    assert said(exchange, FIRST) == "*"


def test_as_many_rounds_as_allowed(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_popretr.sasl.scram.MAX_ITERATIONS", 5000)
    assert said(exchange, FIRST.replace("i=4096", "i=5000")).startswith("c=biws,r=")


@pytest.mark.parametrize(
    "message",
    ["", "hello", "v=", "v=?", FIRST, LAST[:-4] + "AAA=", LAST.replace("6", "7"), "v=" + SHA_1[3][2:], b"\xff"],
)
def test_a_server_that_does_not_know_the_password_is_found_out(exchange: Exchange, message: str | bytes) -> None:
    assert said(exchange, FIRST) == FINAL
    assert said(exchange, message) == "*"
    assert proof_of(exchange) is not Proof.GIVEN
    assert exchange.problem is not None
    assert said(exchange, LAST) == "*", "there is no second try"
    assert proof_of(exchange) is not Proof.GIVEN


def test_a_wrong_signature_is_told_from_a_message_that_is_none(exchange: Exchange) -> None:
    said(exchange, FIRST)
    said(exchange, LAST.replace("6", "7"))
    assert proof_of(exchange) is Proof.WRONG
    assert exchange.problem == "the server's signature is wrong: it does not know the password"


@pytest.mark.parametrize("before", [[], [FIRST]])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("unknown-user", "the server reports unknown-user"),
        ("invalid-proof", "the server reports invalid-proof"),
        ("no pencil", "the server reports an error"),
        ("\x1b[2J", "the server reports an error"),
    ],
)
def test_server_errors_are_reported_and_acknowledged(
    exchange: Exchange, before: list[str], error: str, words: str
) -> None:
    for message in before:
        said(exchange, message)
    assert said(exchange, f"e={error}") == ""
    assert exchange.problem == words
    assert proof_of(exchange) is Proof.OWED


# --- channel binding ------------------------------------------------------------------------------------------------


def play(exchange: Exchange, gate: Gate) -> str:
    """Play an exchange against the embedded server's; return how it ended."""
    server = MECHANISMS[Mechanism(exchange.mechanism)](gate)
    asked = next(server)
    try:
        while True:
            asked = server.send(exchange.respond(asked).octets())
    except Cancelled:
        return "cancelled"
    except StopIteration:
        return "accepted"
    except CredentialsRejected:
        return "rejected"


def bound(mechanism: str, ours: bytes | None, theirs: bytes | None) -> str:
    """The same, each with its own channel binding."""
    exchange = two_steps(mechanism, "alice", PENCIL, Endpoint(channel_binding=ours))
    outcome = play(exchange, Gate(MAILDROPS, binding=theirs))
    assert (proof_of(exchange) is Proof.GIVEN) == (outcome == "accepted")
    return outcome


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_channel_binding(mechanism: str) -> None:
    plus = f"{mechanism}-PLUS"
    assert bound(plus, b"one", b"one") == "accepted"
    assert bound(plus, b"one", b"two") == "rejected", "somebody sits between two connections"
    assert bound(mechanism, b"one", b"one") == "rejected", "somebody has taken -PLUS out of what the server offers"
    assert bound(mechanism, b"one", None) == "accepted"
    assert bound(mechanism, None, b"one") == "accepted"
    with pytest.raises(MechanismUnusable, match="channel binding"):
        begin(plus, "alice", PENCIL)


@pytest.mark.parametrize(
    ("fault", "outcome", "proof"),
    [
        (SaslFault.NONE, "accepted", Proof.GIVEN),
        (SaslFault.WRONG_SIGNATURE, "cancelled", Proof.WRONG),
        (SaslFault.NO_SIGNATURE, "accepted", Proof.OWED),
        (SaslFault.CHANGED_NONCE, "cancelled", Proof.OWED),
        (SaslFault.HUGE_ITERATIONS, "cancelled", Proof.OWED),
    ],
)
def test_the_faults_of_the_embedded_server(fault: SaslFault, outcome: str, proof: Proof) -> None:
    exchange = two_steps("SCRAM-SHA-256", "alice", PENCIL)
    assert play(exchange, Gate(MAILDROPS, fault=fault)) == outcome
    assert proof_of(exchange) is proof
