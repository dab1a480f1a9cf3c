"""The Courier of the tests does what its description says."""

from __future__ import annotations

import poplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import courier as support
from tests.support.courier import Courier
from tests.support.waiting import wait_for

PLAIN = b"Subject: plain\n\n.text\n"
RAW = "Subject: Prüfung\n\ntext\n".encode()


@contextmanager
def speaking(courier: Courier, name: str) -> Iterator[poplib.POP3]:
    session = poplib.POP3(courier.host, courier.port)
    try:
        yield session
        session.quit()
    finally:
        session.close()


def log_in(session: poplib.POP3, name: str, password: str = "secret") -> None:
    session.user(name)
    session.pass_(password)


def test_mail_comes_with_crlf_and_goes_with_dele(courier: Courier) -> None:
    courier.add_user("fixture", "secret")
    courier.fill("fixture", [PLAIN, b"Subject: two\n\n"])
    assert courier.messages("fixture") == [PLAIN, b"Subject: two\n\n"]
    with speaking(courier, "fixture") as session:
        assert {"UTF8", "PIPELINING", "UIDL", "TOP"} <= session.capa().keys()
        log_in(session, "fixture")
        assert session.stat()[0] == 2
        assert session.retr(1)[1] == [b"Subject: plain", b"", b".text"]
        session.dele(1)
    wait_for(lambda: courier.messages("fixture") == [b"Subject: two\n\n"], "the deletion")


def test_a_wrong_password_is_rejected(courier: Courier) -> None:
    courier.add_user("wrong", "secret")
    with speaking(courier, "wrong") as session:
        session.user("wrong")
        with pytest.raises(poplib.error_proto, match="-ERR"):
            session.pass_("something else")


@pytest.mark.parametrize("utf8", [False, True])
def test_raw_utf8_in_a_header_is_only_for_who_has_sent_utf8(courier: Courier, utf8: bool) -> None:
    name = f"raw{utf8:d}"
    courier.add_user(name, "secret")
    courier.fill(name, [RAW])
    with speaking(courier, name) as session:
        if utf8:
            assert session.utf8().startswith(b"+OK")
        log_in(session, name)
        lines = session.retr(1)[1]
    assert (lines == RAW.splitlines()) is utf8
    assert (b"Subject: Cannot display Unicode content" in lines) is not utf8


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_courier_tests_are_skipped_but_not_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(support, "unavailable", lambda: "it is not here")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="it is not here"):
        support.require()
