"""The Dovecot of the tests does what its description says: logins, TLS, mail in and out, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
import poplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support import dovecot as support
from tests.support.dovecot import Dovecot, as_retrieved

PASSWORD = "a:b ö %u {PLAIN} #1"
ODD_MESSAGES = [
    b"Subject: plain\n\ntext\n",
    b"Subject: crlf\r\n\r\ntext\r\n",
    b"Subject: mixed\r\n\ntext\n\r\nmore\n\n\n",
    b"Subject: bare CR\n\na\rb\r\rc\r\n\r",
    b"Subject: NUL and 8-bit\n\n\0\xff\x80\r\0\n",
    b"Subject: dots\n\n.\n..\n.a\nno final newline",
    b"Subject: empty body\n\n",
    b"Subject: only a header\n",
    b"Subject: long line\n\n" + b"x" * 2**20 + b"\n",
    b"",
]


def to_base64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@contextmanager
def over_tls(dovecot: Dovecot, *, certificate_of: str | None = None) -> Iterator[poplib.POP3_SSL]:
    context = ssl.create_default_context(cafile=dovecot.ca)
    if certificate_of:
        context.load_cert_chain(dovecot.client_cert_for(certificate_of))
    session = poplib.POP3_SSL(dovecot.host, dovecot.tls_port, context=context)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def in_clear(dovecot: Dovecot) -> Iterator[poplib.POP3]:
    session = poplib.POP3(dovecot.host, dovecot.port)
    try:
        yield session
    finally:
        session.close()


def command(session: poplib.POP3, line: str) -> bytes:
    """Send one line of any kind and return the status line; poplib knows no AUTH."""
    answer = session._shortcmd(line)  # type: ignore[attr-defined]
    assert isinstance(answer, bytes)
    return answer


def auth_plain(session: poplib.POP3, name: str, password: str) -> bytes:
    response = to_base64(f"\0{name}\0{password}")
    return command(session, f"AUTH PLAIN {response}")


def test_user_and_pass(dovecot: Dovecot) -> None:
    dovecot.add_user("userpass", PASSWORD)
    with in_clear(dovecot) as session:
        session.encoding = "utf-8"
        session.user("userpass")
        session.pass_(PASSWORD)
        assert session.stat() == (0, 0)


def test_a_wrong_password_is_rejected(dovecot: Dovecot) -> None:
    dovecot.add_user("wrongpass", PASSWORD)
    with in_clear(dovecot) as session:
        session.user("wrongpass")
        with pytest.raises(poplib.error_proto, match="AUTH"):
            session.pass_("something else")


def test_an_account_that_was_asked_for_before_it_was_there(dovecot: Dovecot) -> None:
    with in_clear(dovecot) as session, pytest.raises(poplib.error_proto, match="AUTH"):
        session.apop("later", "secret")
    dovecot.add_user("later", "secret")
    with in_clear(dovecot) as session:
        assert session.apop("later", "secret").startswith(b"+OK")


def test_accounts_are_not_changed(dovecot: Dovecot) -> None:
    dovecot.add_user("taken", "secret")
    with pytest.raises(ValueError, match="already"):
        dovecot.add_user("taken", "other")


def test_apop(dovecot: Dovecot) -> None:
    dovecot.add_user("apop", PASSWORD)
    with in_clear(dovecot) as session:
        session.encoding = "utf-8"
        stamp = session.getwelcome().split()[-1]
        digest = hashlib.md5(stamp + PASSWORD.encode()).hexdigest()
        assert command(session, f"APOP apop {digest}").startswith(b"+OK")


def test_stls(dovecot: Dovecot) -> None:
    dovecot.add_user("stls", PASSWORD)
    with in_clear(dovecot) as session:
        session.stls(ssl.create_default_context(cafile=dovecot.ca))
        assert auth_plain(session, "stls", PASSWORD).startswith(b"+OK")


def test_implicit_tls(dovecot: Dovecot) -> None:
    dovecot.add_user("implicit", PASSWORD)
    with over_tls(dovecot) as session:
        assert auth_plain(session, "implicit", PASSWORD).startswith(b"+OK")


def test_cram_md5(dovecot: Dovecot) -> None:
    dovecot.add_user("cram", PASSWORD)
    with in_clear(dovecot) as session:
        challenge = base64.b64decode(command(session, "AUTH CRAM-MD5").removeprefix(b"+ "))
        digest = hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()
        assert command(session, to_base64(f"cram {digest}")).startswith(b"+OK")


def test_external_takes_the_name_from_the_certificate(dovecot: Dovecot) -> None:
    dovecot.add_user("extern", PASSWORD)
    dovecot.fill("extern", [b"Subject: hers\n\n"])
    with over_tls(dovecot, certificate_of="extern") as session:
        assert command(session, "AUTH EXTERNAL =").startswith(b"+OK")
        assert session.stat()[0] == 1


def test_external_without_a_certificate_is_rejected(dovecot: Dovecot) -> None:
    with over_tls(dovecot) as session, pytest.raises(poplib.error_proto, match="AUTH"):
        command(session, "AUTH EXTERNAL =")


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("XOAUTH2", "user={name}\1auth=Bearer {token}\1\1"),
        ("OAUTHBEARER", "n,a={name},\1host=localhost\1port=995\1auth=Bearer {token}\1\1"),
    ],
)
def test_access_tokens(dovecot: Dovecot, mechanism: str, response: str) -> None:
    with over_tls(dovecot) as session:
        assert command(session, f"AUTH {mechanism}").startswith(b"+")
        filled_in = response.format(name="oauth", token=dovecot.token("oauth"))
        assert command(session, to_base64(filled_in)).startswith(b"+OK")


def test_all_mechanisms_and_pipelining_are_offered(dovecot: Dovecot) -> None:
    with in_clear(dovecot) as session:
        capabilities = session.capa()
    assert {"PIPELINING", "STLS", "UIDL", "TOP", "USER", "RESP-CODES"} <= set(capabilities)
    assert {"PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-256"} <= set(capabilities["SASL"])


def retrieve(session: poplib.POP3, number: int) -> bytes:
    """RETR as bytes: poplib's own takes line ends away."""
    session._putcmd(f"RETR {number}")  # type: ignore[attr-defined]
    stream = session.file
    assert stream.readline().startswith(b"+OK")
    lines: list[bytes] = []
    while (line := stream.readline()) != b".\r\n" or (lines and not lines[-1].endswith(b"\r\n")):
        starts_a_line = not lines or lines[-1].endswith(b"\r\n")
        lines.append(line[1:] if starts_a_line and line.startswith(b".") else line)
    return b"".join(lines)


def test_messages_come_as_described(dovecot: Dovecot) -> None:
    dovecot.add_user("odd", "secret")
    dovecot.fill("odd", ODD_MESSAGES)
    with in_clear(dovecot) as session:
        session.apop("odd", "secret")
        assert session.stat()[0] == len(ODD_MESSAGES)
        for number, message in enumerate(ODD_MESSAGES, start=1):
            assert retrieve(session, number) == as_retrieved(message)


def test_deletion_shows_in_count_and_messages(dovecot: Dovecot) -> None:
    dovecot.add_user("delete", "secret")
    dovecot.fill("delete", [b"Subject: 1\n\n", b"Subject: 2\n\n"])
    with in_clear(dovecot) as session:
        session.apop("delete", "secret")
        session.dele(1)
        assert dovecot.count("delete") == 2
        session.quit()
    assert dovecot.count("delete") == 1
    assert dovecot.messages("delete") == [b"Subject: 2\n\n"]


def test_mail_that_arrives_between_two_sessions_is_listed(dovecot: Dovecot) -> None:
    dovecot.add_user("arrival", "secret")
    for expected in (1, 2, 3):
        dovecot.fill("arrival", [b"Subject: %d\n\n" % expected])
        with in_clear(dovecot) as session:
            session.apop("arrival", "secret")
            assert session.stat()[0] == expected
            session.quit()


def test_names_that_could_leave_the_folder_are_refused(dovecot: Dovecot) -> None:
    with pytest.raises(ValueError, match="account name"):
        dovecot.add_user("../passwd", "secret")


def test_restart_keeps_ports_and_mail(needs_dovecot: None) -> None:
    with Dovecot() as server:
        ports = (server.port, server.tls_port)
        server.add_user("stays", "secret")
        server.fill("stays", [b"Subject: stays\n\n"])
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            poplib.POP3(server.host, server.port)
        server.restart()
        assert (server.port, server.tls_port) == ports
        with in_clear(server) as session:
            session.apop("stays", "secret")
            assert session.stat()[0] == 1


def try_user(session: poplib.POP3) -> bytes:
    return session.user("somebody")


def try_plain(session: poplib.POP3) -> bytes:
    return auth_plain(session, "somebody", "secret")


@pytest.mark.parametrize("attempt", [try_user, try_plain])
def test_tls_required_allows_no_login_in_clear(needs_dovecot: None, attempt: Callable[[poplib.POP3], bytes]) -> None:
    with Dovecot(tls="required") as server:
        server.add_user("somebody", "secret")
        with in_clear(server) as session, pytest.raises(poplib.error_proto):
            attempt(session)
        with over_tls(server) as session:
            assert try_plain(session).startswith(b"+OK")


def test_one_mechanism_without_tls(needs_dovecot: None) -> None:
    with Dovecot(mechanisms="cram-md5", tls="no") as server, in_clear(server) as session:
        capabilities = session.capa()
        assert capabilities["SASL"] == ["CRAM-MD5"]
        assert "STLS" not in capabilities


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_dovecot_tests_are_skipped_but_not_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr(support, "unavailable", lambda: "it is not here")
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="it is not here"):
        support.require()
