"""The contents of certificates, and matching names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tui_popretr.net.certificate import Certificate, certificate_names, name_matches


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("pop.example.net", "pop.example.net", True),
        ("POP.Example.NET", "pop.example.net", True),
        ("pop.example.net", "POP.EXAMPLE.NET", True),
        ("pop.example.net", "pop.example.net.", True),
        ("pop.example.net.", "pop.example.net", True),
        ("pop.example.net", "imap.example.net", False),
        ("pop.example.net", "example.net", False),
        ("pop.example.net", "pop.example.net.evil.test", False),
        ("", "pop.example.net", False),
        # a wildcard is the whole left-most label, and exactly one
        ("*.example.net", "pop.example.net", True),
        ("*.example.net", "POP.example.net.", True),
        ("*.Example.Net", "pop.example.net", True),
        ("*.example.net", "example.net", False),
        ("*.example.net", ".example.net", False),
        ("*.example.net", "a.pop.example.net", False),
        ("p*.example.net", "pop.example.net", False),
        ("*p.example.net", "pop.example.net", False),
        ("pop.*.net", "pop.example.net", False),
        ("*.*.net", "pop.example.net", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("*.net", "example.net", False),
        ("*.net", "pop.example.net", False),
        ("*", "pop.example.net", False),
        # addresses are equal or not
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1", True),
        ("2001:db8::2", "2001:db8::1", False),
        ("*.0.2.7", "192.0.2.7", False),
        ("192.0.2.7", "pop.example.net", False),
        ("pop.example.net", "192.0.2.7", False),
        # certificates hold A-labels (RFC 7817 §3)
        ("xn--bcher-kva.example.net", "bücher.example.net", True),
        ("xn--bcher-kva.example.net", "BÜCHER.example.net", True),
        ("xn--bcher-kva.example.net", "xn--bcher-kva.example.net", True),
        ("*.xn--bcher-kva.example", "pop.bücher.example", True),
        ("xn--strae-oqa.example", "straße.example", True),
        ("strasse.example", "straße.example", False),
        ("xn--bcher-kva.example.net", "bücher。example．net", True),
        ("bücher.example.net", "bucher.example.net", False),
        ("pop..example.net", "pop.example.net", False),
        ("x" * 70 + ".example.net", "x" * 70 + ".example.net", True),
    ],
)
def test_names(pattern: str, name: str, covered: bool) -> None:
    assert name_matches(pattern, name) is covered


def test_the_common_name_counts_only_without_alternative_names() -> None:
    subject = ((("countryName", "CH"),), (("commonName", "common.test"),))
    alternatives = (
        ("DNS", "a.test"),
        ("email", "me@b.test"),
        ("IP Address", "192.0.2.7"),
        ("URI", "pop://c.test"),
        ("IP Address", "2001:DB8:0:0:0:0:0:1"),
    )
    assert certificate_names({"subject": subject, "subjectAltName": alternatives}) == [
        "a.test",
        "192.0.2.7",
        "2001:db8::1",
    ]
    assert certificate_names({"subject": subject}) == ["common.test"]
    assert certificate_names({}) == []


# --- the rest ---------------------------------------------------------------------------------------------------------

DECODED = {
    "subject": ((("organizationName", "Example"),), (("commonName", "pop.example.test"),)),
    "issuer": ((("countryName", "CH"),), (("organizationName", "Some CA"),)),
    "notBefore": "Jan  5 09:34:43 2026 GMT",
    "notAfter": "Feb  3 23:59:59 2027 GMT",
}


def test_whose_it_is_until_when_and_its_fingerprint() -> None:
    assert Certificate.of(DECODED, b"der") == Certificate(
        subject="pop.example.test",
        issuer="Some CA",
        names=("pop.example.test",),
        texts=("pop.example.test",),
        begins=datetime(2026, 1, 5, 9, 34, 43, tzinfo=UTC),
        expires=datetime(2027, 2, 3, 23, 59, 59, tzinfo=UTC),
        # printf der | sha256sum
        fingerprint="5050d80d22ecd471ea55df7034042c1e041341ff4066e7f6ff38e20b720df8ea",
    )


def test_control_characters_in_a_certificate_are_escaped() -> None:
    found = Certificate.of(
        {**DECODED, "subject": ((("commonName", "\x1b[2J" + "x" * 999),),), "notAfter": "never"}, b""
    )
    assert found.subject.startswith("\\x1b[2Jxxx")
    assert len(found.subject) < 300
    assert found.expires is None
    assert Certificate.of({}, b"").names == ()
