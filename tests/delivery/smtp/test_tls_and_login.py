"""TLS with the mail server, and logging in to it: who is believed, and what is never shown."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme

from tests.delivery.smtp.receiver import SENDER, Hang, Say, receiving
from tests.delivery.smtp.sending import Stopped, failure, in_a_thread, sending
from tests.delivery.smtp.talker import talking
from tests.support.issuing import Authority, weak_context
from tests.support.waiting import PATIENCE, wait_for
from tui_popretr.config.model import SmtpDestination
from tui_popretr.delivery.smtp import opening
from tui_popretr.delivery.smtp.trust import explain, policy_for
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    PasswordUnavailable,
    SmtpLoginFailed,
    SmtpServerNotTrusted,
    SmtpServerRefused,
    SmtpTemporaryFailure,
    TlsFailed,
)
from tui_popretr.net import legacy
from tui_popretr.net.stream import SocketStream
from tui_popretr.net.tls import context_for
from tui_popretr.secret import Secret

PASSWORD = "geheim ü"
A = "a@receiver.test"


def password() -> Secret:
    return Secret(PASSWORD)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 127.0.0.1 were another machine."""
    monkeypatch.setattr(opening, "is_loopback", lambda host: False)


def trust(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this system trust an authority."""
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


def test_starttls_on_this_machine_needs_no_authority(server_tls: ssl.SSLContext) -> None:
    with receiving(starttls=server_tls) as receiver, sending(receiver.destination(starttls=True)) as sender:
        sender.send()
        assert len(receiver.mails) == 1
        assert receiver.commands("STARTTLS") == ["STARTTLS"]
        assert len(receiver.commands("EHLO")) == 2, "what was said in clear does not count"
        assert any(line.startswith("event SMTP TLS (TLSv1.3, TLS_") for line in sender.said)


def test_tls_from_the_first_byte(server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SmtpDestination(SENDER, (A,), port=465).implicit_tls
    assert not SmtpDestination(SENDER, (A,), port=587).implicit_tls
    assert not SmtpDestination(SENDER, (A,), port=465, lmtp=True).implicit_tls
    monkeypatch.setattr(SmtpDestination, "implicit_tls", True)
    with receiving(tls=server_tls) as receiver, sending(receiver.destination(starttls=True)) as sender:
        sender.send()
        assert len(receiver.mails) == 1
        assert receiver.commands("STARTTLS") == []
    with receiving() as in_clear:
        failure(SmtpServerNotTrusted, r"TLS handshake with .* failed: .*wrong version", in_clear.destination(), None)


@pytest.mark.parametrize("verified", [True, False])
def test_every_python_judges_a_certificate_alike(verified: bool) -> None:
    context = context_for(policy_for(here=not verified, latent=True))
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.check_hostname is verified
    assert context.verify_mode is (ssl.CERT_REQUIRED if verified else ssl.CERT_NONE)
    assert bool(context.options & 0x4) is not verified  # SSL_OP_LEGACY_SERVER_CONNECT


@pytest.mark.usefixtures("elsewhere")
def test_a_certificate_of_another_machine_is_verified(
    authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(starttls=server_tls) as receiver:
        destination = receiver.destination(starttls=True)
        error = failure(SmtpServerNotTrusted, r"certificate of .* is rejected: .*issuer", destination, None)
        assert error.exit_code is ExitCode.PROTOCOL
        trust(authority, tmp_path, monkeypatch)
        with sending(destination) as sender:
            sender.send()
        assert len(receiver.mails) == 1
        other_name = SmtpDestination(SENDER, (A,), host="localhost", port=receiver.port, starttls=True)
        failure(SmtpServerNotTrusted, "hostname mismatch", other_name, None)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("written", "looked_up", "name"),
    [
        ("mail.example.net.", "mail.example.net.", "mail.example.net"),
        ("mail.straße.example", "mail.xn--strae-oqa.example", "mail.xn--strae-oqa.example"),
        ("mail.straße.example.", "mail.xn--strae-oqa.example.", "mail.xn--strae-oqa.example"),
    ],
)
def test_the_name_for_look_up_sni_certificate_and_journal(
    written: str, looked_up: str, name: str, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, names, hosts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[str | None](), list[object]()
    authority.issue_cert(name).configure_cert(context)
    context.sni_callback = lambda connection, sni, original: names.append(sni)
    trust(authority, tmp_path, monkeypatch)

    def getaddrinfo(host: object, port: int, *arguments: object, **more: object) -> list[object]:
        hosts.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with receiving(starttls=context) as receiver:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        destination = SmtpDestination(SENDER, (A,), host=written, port=receiver.port, starttls=True)
        with sending(destination) as sender:
            sender.send()
            assert sender.sink.key == f"smtp:{name}:{receiver.port}/{A}"
        assert len(receiver.mails) == 1
    assert hosts == [looked_up]
    assert names == [name]
    assert destination.address == f"{written}:{receiver.port}"


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ({"bits": 1024}, "the key of its certificate is too short to be safe"),
        ({"sha1": True}, "its certificate is signed with an algorithm that is no longer safe, such as SHA-1"),
    ],
)
def test_an_old_mail_server_is_accepted_on_this_machine_alone(
    weak: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Authority.root()
    context = weak_context(root.issue("IP:127.0.0.1", **weak), tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", root.trust_file(tmp_path))
    with receiving(starttls=context) as receiver:
        with sending(receiver.destination(starttls=True)) as sender:
            sender.send()
        assert len(receiver.mails) == 1
        monkeypatch.setattr(opening, "is_loopback", lambda host: False)
        error = failure(
            SmtpServerNotTrusted, "is too old for a safe connection", receiver.destination(starttls=True), None
        )
    assert str(error) == f"the SMTP server 127.0.0.1:{receiver.port} is too old for a safe connection: {words}"
    assert error.advice.startswith("update it, or deliver to a mail server on this machine")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        *((each, "x is too old for a safe connection: ") for each in sorted(legacy.REASONS) if "_ALERT_" not in each),
        *((each, "x ends the TLS handshake: it has no cipher") for each in sorted(legacy.REASONS) if "_ALERT_" in each),
        *(
            (each, "x has no version of TLS that is accepted here: TLSv1.2 or newer")
            for each in sorted(legacy.NO_VERSION)
        ),
    ],
)
def test_every_refusal_of_an_old_mail_server_is_explained(reason: str, words: str) -> None:
    problem = ssl.SSLError(1, f"[SSL: {reason}] whatever")
    problem.reason = reason
    failed = TlsFailed("whatever")
    failed.__cause__ = problem
    error = explain("x", failed)
    assert str(error).startswith(words)
    assert error.advice.endswith("no setting accepts this from another machine")


def test_a_password_that_is_not_utf8_is_sent_as_it_is() -> None:
    with receiving(login=True) as receiver:
        destination = receiver.destination(username="me")
        said: list[str] = []
        failure(SmtpLoginFailed, "did not accept", destination, None, said, password=lambda: Secret("x\udcfcy"))
        (line,) = receiver.commands("AUTH")
    assert b64decode(line.removeprefix("AUTH PLAIN ")) == b"\0me\0x\xfcy"
    assert not any("x" + each + "y" in line for line in said for each in ("\udcfc", "\\xfc", "ü"))


def test_no_mail_and_no_password_without_tls(server_tls: ssl.SSLContext) -> None:
    with receiving(login=True) as receiver:
        destination = receiver.destination(starttls=True, username="me")
        failure(SmtpServerNotTrusted, "offers no STARTTLS", destination, password=password)
    with receiving(login=True, starttls=server_tls) as other:
        other.on("STARTTLS", Say("554 5.7.0 no"))
        destination = other.destination(starttls=True, username="me")
        failure(SmtpServerNotTrusted, "refused STARTTLS: 554", destination, password=password)
    assert [each.commands("AUTH") + each.commands("MAIL") for each in (receiver, other)] == [[], []]


def test_bytes_in_clear_behind_starttls() -> None:
    said = [b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n"]
    with talking(said) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, starttls=True)
        failure(SmtpServerNotTrusted, "octets in clear", destination, None)


def test_a_handshake_that_is_cut() -> None:
    with talking([b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n", socket.socket.close]) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, starttls=True)
        failure(SmtpServerNotTrusted, "the TLS handshake with", destination, None)


def test_a_handshake_that_is_interrupted() -> None:
    ended = threading.Event()

    def wait(sock: socket.socket) -> None:
        ended.wait(PATIENCE)

    with talking([b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n", wait]) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, starttls=True)
        with sending(destination) as sender, in_a_thread(lambda: sender.prepare(0)) as ends:
            wait_for(lambda: "<< SMTP 220 go" in sender.said, "the answer to STARTTLS")
            sender.cancel()
            wait_for(lambda: ends, "the end of the call")
        ended.set()
    assert isinstance(ends[0], Stopped)


def test_a_cancelled_call_sends_nothing_in_clear(server_tls: ssl.SSLContext) -> None:
    with receiving(starttls=server_tls) as receiver, sending(receiver.destination(starttls=True)) as sender:
        receiver.on("MAIL", Hang())
        with in_a_thread(sender.send) as ends:
            wait_for(lambda: receiver.commands("MAIL"), "MAIL")
            connection = sender.sink._connection
            assert connection is not None
            assert isinstance(connection.stream, SocketStream)
            sock = connection.stream._socket
            assert isinstance(sock, ssl.SSLSocket)
            sent: list[bytes] = []
            real = socket.socket.send

            def send(which: socket.socket, data: bytes) -> int:
                if which is sock:
                    sent.append(data)
                return real(which, data)

            with mock.patch.object(socket.socket, "send", send):
                sender.cancel()
                wait_for(lambda: ends, "the end of the call")
        assert isinstance(ends[0], Stopped)
        assert sock.fileno() == -1
    assert sent == []


# --- login ------------------------------------------------------------------------------------------------------------


def hidden_in(*texts: str) -> bool:
    """Whether neither the password nor a form of it is in any of these."""
    raw = PASSWORD.encode()
    forms = {PASSWORD, *(b64encode(each).decode() for each in (raw, b"\0me\0" + raw))}
    return not any(form in text for form in forms for text in texts)


def test_login_under_tls(server_tls: ssl.SSLContext) -> None:
    with receiving(login=True, starttls=server_tls) as receiver:
        with sending(receiver.destination(starttls=True, username="me"), password=password) as sender:
            sender.send()
        assert len(receiver.mails) == 1
        assert len(receiver.commands("AUTH")) == 1
        assert hidden_in(*sender.said)
        assert ">> SMTP AUTH PLAIN ****" in sender.said


SCRIPTS = {
    "PLAIN": [b"250-hi\r\n250 AUTH CRAM-MD5 LOGIN PLAIN\r\n", b"235 in\r\n"],
    "LOGIN": [b"250-hi\r\n250 AUTH LOGIN NTLM\r\n", b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 in\r\n"],
    "CRAM-MD5": [b"250-hi\r\n250-AUTH=CRAM-MD5\r\n250 X\r\n", b"334 PDFAeD4=\r\n", b"235 in\r\n"],
}
EXPECTED = {
    "PLAIN": [b"AUTH PLAIN " + b64encode(f"\0me\0{PASSWORD}".encode())],
    "LOGIN": [b"AUTH LOGIN", b64encode(b"me"), b64encode(PASSWORD.encode())],
    "CRAM-MD5": [b"AUTH CRAM-MD5", b"bWUg"],
}
SHOWN = {
    "PLAIN": [">> SMTP AUTH PLAIN ****"],
    "LOGIN": [">> SMTP AUTH LOGIN", ">> SMTP ****", ">> SMTP ****"],
    "CRAM-MD5": [">> SMTP AUTH CRAM-MD5", ">> SMTP ****"],
}


@pytest.mark.parametrize("mechanism", SCRIPTS)
def test_the_mechanism_that_suits(mechanism: str) -> None:
    heard: list[bytes] = []
    with talking([b"220 hi\r\n", *SCRIPTS[mechanism], b"221 bye\r\n"], heard=heard) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, username="me")
        with sending(destination, password=password) as sender:
            sender.prepare(0)
    sent = heard[1:-1]
    assert len(sent) == len(EXPECTED[mechanism])
    assert all(line.startswith(start) for line, start in zip(sent, EXPECTED[mechanism], strict=True))
    said = [line for line in sender.said if line.startswith(">>")]
    assert said[1:-1] == SHOWN[mechanism]


@pytest.mark.usefixtures("elsewhere")
def test_without_tls_a_challenge_is_preferred() -> None:
    heard: list[bytes] = []
    answers = [b"250-hi\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n", b"334 PDFAeD4=\r\n", b"235 in\r\n", b"221 bye\r\n"]
    with talking([b"220 hi\r\n", *answers], heard=heard) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, username="me")
        with sending(destination, password=password) as sender:
            sender.prepare(0)
    assert heard[1] == b"AUTH CRAM-MD5\r\n"


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("535 5.7.8 no", SmtpLoginFailed, ExitCode.LOGIN),
        ("454 4.7.0 not now", SmtpTemporaryFailure, ExitCode.TEMPORARY),
    ],
)
def test_a_login_that_fails(answer: str, kind: type[DeliveryFailed], code: ExitCode) -> None:
    with receiving(login=True) as receiver:
        receiver.on("AUTH", Say(answer))
        words = rf"did not accept the login \(\w+\): {answer}"
        error = failure(kind, words, receiver.destination(username="me"), None, password=password)
        assert error.exit_code is code
        assert len(receiver.commands("AUTH")) == 1, "no second mechanism burns another attempt"


def test_a_wrong_password() -> None:
    with receiving(login=True) as receiver:
        destination = receiver.destination(username="me")
        failure(SmtpLoginFailed, "535", destination, None, password=lambda: Secret("wrong"))
        with sending(destination, password=password) as sender:
            sender.send()
        assert len(receiver.mails) == 1


def test_no_login_to_be_had() -> None:
    with receiving() as receiver:
        words = "offers no login, and a <username> is configured"
        error = failure(SmtpLoginFailed, words, receiver.destination(username="me"), None, password=password)
    assert "<starttls>Y</starttls>" in error.advice
    with talking([b"220 hi\r\n", b"250-hi\r\n250 AUTH NTLM\r\n"]) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, username="me")
        failure(SmtpLoginFailed, "no login method that is known here", destination, None, password=password)


def test_a_password_that_is_not_to_be_had() -> None:
    def none() -> Secret:
        raise PasswordUnavailable("the file x gave no password", advice="write one")

    with receiving(login=True) as receiver:
        words = "the file x gave no password"
        error = failure(SmtpLoginFailed, words, receiver.destination(username="me"), None, password=none)
    assert error.advice == "write one"


def test_the_password_is_read_once_a_session_if_needed() -> None:
    asked: list[int] = []

    def ask() -> Secret:
        asked.append(1)
        return Secret(PASSWORD)

    with receiving(login=True) as receiver:
        with sending(receiver.destination(), password=ask) as sender:
            sender.send()
        assert asked == []
        with sending(receiver.destination(username="me"), password=ask) as sender:
            sender.send()
            receiver.on("MAIL", Say("421 bye", then_drop=True))
            sender.send()
        assert (len(asked), len(receiver.commands("AUTH"))) == (1, 2)


def test_a_server_that_echoes_the_password() -> None:
    """In its answer to the login, and later."""
    plain = b64encode(f"\0me\0{PASSWORD}".encode())
    echo = b"535 you said %b, which means %b\r\n" % (plain, PASSWORD.encode())
    later = b"550 %b\r\n" % PASSWORD.encode()
    offers = b"250-hi\r\n250 AUTH PLAIN\r\n"
    with talking([b"220 hi\r\n", offers, echo], [b"220 hi\r\n", offers, b"235 in\r\n", later]) as port:
        destination = SmtpDestination(SENDER, (A,), host="127.0.0.1", port=port, username="me")
        cases = ((SmtpLoginFailed, r"you said \*{4}, which means \*{4}"), (SmtpServerRefused, r"550 \*{4}"))
        for kind, words in cases:
            said: list[str] = []
            error = failure(kind, words, destination, said=said, password=password)
            assert hidden_in(str(error), *said)


def test_a_password_that_cannot_be_sent() -> None:
    with receiving(login=True) as receiver:
        destination = receiver.destination(username="me")
        failure(SmtpLoginFailed, "contains a NUL", destination, None, password=lambda: Secret("a\0b"))
