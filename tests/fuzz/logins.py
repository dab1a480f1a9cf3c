"""Target: the SASL exchanges; whatever challenges a server makes up, we answer or cancel, and tell no secret."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

import pytest

from tests.fuzz.expectations import PASSWORD, discreet, harmless
from tests.fuzz.material import Material, material
from tui_popretr.pop3 import Auth, Authentication, Continuation, SaslCancel, SaslResponse
from tui_popretr.sasl import EXCHANGES, Endpoint, Proof, begin
from tui_popretr.sasl.scram import Scram
from tui_popretr.secret import Secret

WORDS: Final = [
    b"r=our-nonce", b",s=W22ZaJ0SNY7soEsUEjb6gQ==", b",i=4096", b",i=1", b",i=99999999999", b"v=", b"e=other-error",
    b",", b"=", b",m=a", b'{"status":', b'"scope":', b'"x"}', b"[" * 40, PASSWORD.encode(), b"\0", b"\xed\xa0\x80",
    b"\x1b[2J",
]  # fmt: skip

_MECHANISMS: Final = sorted(EXCHANGES)
_ENDPOINT: Final = Endpoint("pop.example.test", 995, b"binding")
_NONCE: Final = "our-nonce"
_CHALLENGES: Final = [
    b"\0",
    b"r=our-noncex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\0v=rmF9pqV8S7suAoZWja4dJRkFsKQ=\0",
    b'\0{"status":"invalid_token","scope":"' + PASSWORD.encode() + b'"}\0',
    b"Username:\0Password:\0more:\0",
    b"<1896.697170952@postoffice.example.net>\0again\0",
    b"\xff\xfe\0" + b"[" * 2000 + b"\0",
]
_RAW: Final = 7
SEEDS: Final = [
    material(challenges, [mechanism, initial, raw])
    for challenges in _CHALLENGES
    for mechanism in range(len(_MECHANISMS))
    for initial in (0, 1)
    for raw in (0, _RAW)
]


def one_input(data: bytes) -> None:
    """Answer each line of the input as a challenge."""
    given = Material(data)
    authentication = _begin(given)
    exchange = authentication.exchange
    start = authentication.start()
    discreet(start, start.shown())
    cancelled = False
    for _ in range(6):
        if not given:
            break
        challenge = given.line()
        payload = challenge if given.number(8) == _RAW else b64encode(challenge)
        if challenge.find(b",i=") >= 0 and _rounds(payload) > 5000:
            payload = b64encode(b"e=other-error")  # each round costs time, and nothing can be learned of them
        answer = authentication.answer(Continuation(Auth("X"), b"+ ****", payload))
        assert isinstance(answer, SaslCancel if cancelled else SaslCancel | SaslResponse)
        assert len(answer.wire()) <= 12_288
        discreet(answer, answer.shown(), exchange.problem)
        harmless(exchange.problem or "", longest=400)
        cancelled = isinstance(answer, SaslCancel)
        assert not cancelled or exchange.problem
    # nobody here knows how to sign with the password
    wrong = exchange.proof is Proof.WRONG and cancelled
    assert wrong or exchange.proof is (Proof.OWED if isinstance(exchange, Scram) else Proof.NOT_ASKED)


def _begin(given: Material) -> Authentication:
    mechanism = given.choice(_MECHANISMS)
    initial_response = bool(given.number(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scram, "nonce", lambda _: _NONCE)  # so that an input means the same every time
        exchange = begin(mechanism, "me", Secret(PASSWORD), _ENDPOINT)
    return Authentication(exchange, initial_response=initial_response)


def _rounds(payload: bytes) -> int:
    """Return the most rounds of hashing that a challenge asks for, as far as it is one that is not refused."""
    try:
        text = b64decode(payload)
    except ValueError:
        return 0
    digits = [part[2:] for part in text.split(b",") if part.startswith(b"i=")]
    numbers = [int(each) for each in digits if each.isdigit() and len(each) < 20]
    return max((each for each in numbers if each <= 2_000_000), default=0)
