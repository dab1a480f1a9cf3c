"""AUTO: the choice among the methods that a server offers."""

from __future__ import annotations

import pytest

from tui_popretr.config.choices import AuthType
from tui_popretr.config.login import CLEAR_TEXT
from tui_popretr.errors import NoUsableMechanism
from tui_popretr.pop3 import Capabilities
from tui_popretr.session.auto import Offer, choose

EVERYTHING = (
    "LOGIN PLAIN XOAUTH2 CRAM-MD5 OAUTHBEARER SCRAM-SHA-1 GSSAPI EXTERNAL SCRAM-SHA-256 SCRAM-SHA-256-PLUS DIGEST-MD5"
)


def offer(*capabilities: str, stamp: bool = False) -> Offer:
    """What a server offers whose CAPA has these lines; without any, CAPA is refused."""
    data = "".join(f"{line}\r\n" for line in capabilities).encode()
    return Offer(Capabilities.parse(data) if capabilities else None, stamp)


def names(methods: tuple[AuthType, ...]) -> str:
    return " ".join(method.value.removeprefix("SASL_") for method in methods)


@pytest.mark.parametrize(
    ("offered", "private", "in_clear"),
    [
        (
            offer("USER", f"SASL {EVERYTHING}", stamp=True),
            "SCRAM_SHA_256 SCRAM_SHA_1 CRAM_MD5 APOP PLAIN LOGIN USERPASS",
            "SCRAM_SHA_256 SCRAM_SHA_1 CRAM_MD5 APOP",
        ),
        (offer("USER", "SASL PLAIN SCRAM-SHA-1-PLUS"), "SCRAM_SHA_1 PLAIN USERPASS", "SCRAM_SHA_1"),
        (offer("USER", "SASL login cram-md5"), "CRAM_MD5 LOGIN USERPASS", "CRAM_MD5"),
        (offer("SASL PLAIN", "SASL LOGIN"), "PLAIN LOGIN", ""),
        (offer("USER", "SASL PLAIN XOAUTH2 OAUTHBEARER"), "PLAIN USERPASS", ""),
        (offer("USER", "UIDL"), "USERPASS", ""),
        # a stamp and a server that says nothing of itself, or nothing of logins
        (offer("TOP"), "USERPASS", ""),
        (offer("TOP", stamp=True), "APOP USERPASS", "APOP"),
        (offer(), "USERPASS", ""),
        (offer(stamp=True), "APOP USERPASS", "APOP"),
        # it names mechanisms, and USER is not among what it can do
        (offer("SASL GSSAPI"), "", ""),
        (offer("SASL XOAUTH2 EXTERNAL"), "", ""),
        (offer("SASL"), "USERPASS", ""),
    ],
)
def test_the_strongest_come_first_and_none_in_clear(offered: Offer, private: str, in_clear: str) -> None:
    for expected, safe in ((private, True), (in_clear, False)):
        if expected:
            chosen = choose(offered, private=safe, password=True)
            assert names(chosen) == expected
            assert safe or CLEAR_TEXT.isdisjoint(chosen)
        else:
            with pytest.raises(NoUsableMechanism):
                choose(offered, private=safe, password=True)


@pytest.mark.parametrize("private", [True, False])
def test_without_a_password_there_is_the_certificate(private: bool) -> None:
    assert choose(offer(f"SASL {EVERYTHING}"), private=private, password=False) == (AuthType.SASL_EXTERNAL,)
    for without in (offer("USER", "SASL PLAIN"), offer(stamp=True)):
        with pytest.raises(NoUsableMechanism, match="EXTERNAL"):
            choose(without, private=private, password=False)


@pytest.mark.parametrize(
    ("offered", "private", "text", "advice"),
    [
        (
            offer("STLS", "USER", "SASL PLAIN"),
            False,
            "AUTO sends no password in clear, and without TLS the server offers nothing else (SASL_PLAIN, USERPASS)",
            'add <ssl latent="Y"/>',
        ),
        (offer(), False, "AUTO sends no password in clear", "add <ssl/>"),
        (offer("SASL XOAUTH2"), True, "the server offers no login by password (SASL_XOAUTH2)", "access token"),
        (offer("SASL XOAUTH2"), False, "the server offers no login by password (SASL_XOAUTH2)", "access token"),
        (offer("SASL GSSAPI X\x1b"), True, "no login method that is known here (GSSAPI, X", ""),
    ],
)
def test_what_is_told_where_nothing_can_be_used(offered: Offer, private: bool, text: str, advice: str) -> None:
    with pytest.raises(NoUsableMechanism) as caught:
        choose(offered, private=private, password=True)
    assert text in str(caught.value)
    assert advice in caught.value.advice
    assert "\x1b" not in str(caught.value)
