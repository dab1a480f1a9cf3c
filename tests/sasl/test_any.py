"""Whatever a server says in an exchange: an answer or a cancel, no exception, no success unearned, no secret told."""

from __future__ import annotations

import unicodedata
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_popretr.sasl import EXCHANGES, Cancelled, Endpoint, Proof, begin, decode_challenge
from tui_popretr.sasl.scram import Scram
from tui_popretr.secret import Secret

PASSWORD = "correct-horse-battery"
NONCE = "our-nonce"

FIRST = f"r={NONCE}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"  # with what follows it, it may still be a message of SCRAM
PIECES = st.sampled_from(
    [FIRST, f"r={NONCE}", "x,s=", "W22ZaJ0SNY7soEsUEjb6gQ==", ",i=", "4096", "9" * 25, "v=", "e=", ",", "=", ",m=a",
     ",x=y", '{"status":"x"}', "{", "}", '"status"', ":", '"scope"', f'"{PASSWORD}"', "[", "\0", "\ud800", "\x1b",
     PASSWORD]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map(
    lambda pieces: "".join(pieces).encode("utf-8", "surrogatepass")
)
MESSAGES = (TEXTS | st.binary(max_size=60)).map(b64encode)
OPENING = st.sampled_from([b"", b64encode(FIRST.encode())])
PAYLOADS = st.lists(OPENING | MESSAGES | TEXTS | st.binary(max_size=20), max_size=5)


@pytest.mark.parametrize("mechanism", sorted(EXCHANGES))
@given(payloads=PAYLOADS, initial_response=st.booleans())
def test_any_challenges(mechanism: str, payloads: list[bytes], initial_response: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scram, "nonce", lambda _: NONCE)
        exchange = begin(
            mechanism,
            "me",
            Secret(PASSWORD),
            Endpoint("pop.example.test", 995, b"binding"),
        )
    exchange.start(initial_response=initial_response)
    cancelled = False
    for payload in payloads:
        try:
            response = exchange.respond(decode_challenge(payload))
        except Cancelled as reason:
            cancelled, problem = True, str(reason)
        else:
            problem = exchange.problem or ""
            assert not cancelled
            assert len(response.encoded()) <= 12_286
            assert PASSWORD not in repr(response)
        assert exchange.problem == (problem or None)
    assert exchange.proof is (Proof.OWED if isinstance(exchange, Scram) else Proof.NOT_ASKED) or (
        exchange.proof is Proof.WRONG and cancelled
    )
    problem = exchange.problem or ""
    assert PASSWORD not in problem
    assert not [c for c in problem if unicodedata.category(c) == "Cc"]
