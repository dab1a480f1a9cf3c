"""A client's settings for people: complete, in the configuration's words, and without secrets."""

from __future__ import annotations

import pytest

from tests.support.making import client_settings, server_settings
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import CapaUse
from tui_popretr.config.describe import client_info, disabled_info
from tui_popretr.config.model import (
    CommandDestination,
    Destination,
    FolderDestination,
    MaildirDestination,
    Modes,
    Retention,
    SmtpDestination,
)
from tui_popretr.config.sources import FromCommand, FromEnvironment, FromFile, Literal, PasswordSource
from tui_popretr.secret import Secret

HUSH = Secret("hush")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (None, "-"),
        (Literal(HUSH), "****"),
        (FromEnvironment("MAIL_PASSWORD"), "from the environment variable MAIL_PASSWORD"),
        (FromFile("/etc/password"), "from the file /etc/password"),
        (FromCommand(("pass", "show", "hush")), "from the command pass"),
    ],
)
def test_the_source_of_a_password_is_shown(source: PasswordSource | None, shown: str) -> None:
    info = client_info(client_settings(server=server_settings(password=source)), 240.0)
    assert dict(info.settings)["password"] == shown
    assert "hush" not in repr(info)


@pytest.mark.parametrize(
    ("destination", "shown"),
    [
        (MaildirDestination("/mail/me"), "Maildir /mail/me"),
        (FolderDestination("/down"), "folder /down"),
        (
            SmtpDestination("from@x.test", ("a@x.test", "b@x.test"), password=Literal(HUSH)),
            "SMTP to a@x.test, b@x.test",
        ),
        (CommandDestination(("dovecot-lda", "-k", "hush")), "command dovecot-lda"),
    ],
)
def test_destinations(destination: Destination, shown: str) -> None:
    info = client_info(client_settings(destination=destination), 240.0)
    assert info.destination == dict(info.settings)["destination"] == shown
    assert "hush" not in repr(info)


@pytest.mark.parametrize("kind", [MaildirDestination, FolderDestination])
def test_modes(kind: type[MaildirDestination | FolderDestination]) -> None:
    shown = dict(client_info(client_settings(destination=kind("/x", modes=Modes(0o660, 0o2770))), 240.0).settings)
    assert (shown["filemode"], shown["foldermode"]) == ("0660", "02770")
    shown = dict(client_info(client_settings(destination=kind("/x")), 240.0).settings)
    assert (shown["filemode"], shown["foldermode"]) == ("0600", "0700")


def test_the_timeout_of_a_mail_server() -> None:
    destination = SmtpDestination("s@x.test", ("a@x.test",), timeout=90.0)
    assert ("timeout (SMTP)", "1m30s") in client_info(client_settings(destination=destination), 240.0).settings


@pytest.mark.parametrize(("folder", "expected"), [("/r", "/r"), (None, "-")])
def test_the_folder_for_refused_messages(folder: str | None, expected: str) -> None:
    destination = SmtpDestination("from@x.test", ("a@x.test",), rejected=folder)
    assert dict(client_info(client_settings(destination=destination), 240.0).settings)["rejected"] == expected


@pytest.mark.parametrize("dropped", [True, False])
def test_delivered_to_lines(dropped: bool) -> None:
    destination = SmtpDestination("from@x.test", ("a@x.test",), drop_delivered=dropped)
    shown = dict(client_info(client_settings(destination=destination), 240.0).settings)
    assert shown["dropdelivered"] == ("Y" if dropped else "N")


def test_modes_are_of_files() -> None:
    settings = client_info(client_settings(destination=CommandDestination(("cat",))), 240.0).settings
    assert not {"filemode", "foldermode"} & dict(settings).keys()


@pytest.mark.parametrize(
    ("policy", "security"), [(None, "clear"), (TlsPolicy(), "TLS"), (TlsPolicy(latent=True), "STLS")]
)
def test_security(policy: TlsPolicy | None, security: str) -> None:
    info = client_info(client_settings(server=server_settings(tls=policy)), 240.0)
    assert info.security == dict(info.settings)["security"] == security
    assert ("proto" in dict(info.settings)) is (policy is not None)


@pytest.mark.parametrize(("configured", "timeout", "shown"), [(None, 240.0, "2m"), (None, 5.0, "5s"), (7.0, 5.0, "7s")])
@pytest.mark.parametrize("legacy", [False, True])
def test_legacy_and_the_time_for_the_handshake(
    configured: float | None, timeout: float, shown: str, legacy: bool
) -> None:
    server = server_settings(tls=TlsPolicy(handshake_timeout=configured, legacy=legacy))
    settings = dict(client_info(client_settings(server=server), timeout).settings)
    assert (settings["timeout (TLS)"], settings["legacy"]) == (shown, "Y" if legacy else "N")


def test_secrets_of_tls_are_not_shown() -> None:
    policy = TlsPolicy(
        trust_path="/ca.pem",
        trust_password=HUSH,
        peer_name="mail.test",
        key_store="/key.pem",
        key_store_password=HUSH,
        certificate_password=HUSH,
    )
    settings = dict(client_info(client_settings(server=server_settings(tls=policy)), 240.0).settings)
    assert settings["tspath"] == "/ca.pem"
    assert settings["peercert"] == "mail.test"
    assert settings["kspath"] == "/key.pem"
    assert "hush" not in repr(settings)


def test_a_pin_replaces_the_other_checks() -> None:
    policy = TlsPolicy(trust_path="/ca.pem", peer_name="mail.test", fingerprints=("ab" * 32, "cd" * 32))
    settings = dict(client_info(client_settings(server=server_settings(tls=policy)), 240.0).settings)
    assert settings["fingerprint"] == f"{'ab' * 32} | {'cd' * 32}"
    assert not {"tspath", "peercert"} & settings.keys()


def test_optional_settings_without_a_value_are_hidden() -> None:
    client = client_settings(frequency=90.0, runs=3, retention=Retention(True, True, 14 * 86400.0))
    settings = dict(client_info(client, 240.0).settings)
    assert settings["freq"] == "1m30s"
    assert settings["runs"] == "3"
    assert settings["preserve"] == settings["newonly"] == "Y"
    assert settings["capa"] == "N"
    assert settings["pipelining"] == "auto"
    assert settings["deleteafter"] == "14d"
    assert settings["timeout"] == "4m"
    assert "maxsize" not in settings
    odd = dict(client_info(client_settings(capa=CapaUse.NEVER, pipelining=False), 240.0).settings)
    assert (odd["capa"], odd["pipelining"]) == ("never", "N")
    limited = dict(client_info(client_settings(retention=Retention(max_size=1000, max_messages=5)), 240.0).settings)
    assert (limited["maxsize"], limited["maxmessages"], limited["runs"]) == ("1000 octets", "5", "no limit")
    assert "deleteafter" not in limited


def test_a_disabled_client_is_only_named() -> None:
    info = disabled_info("a")
    assert (info.id, info.enabled) == ("a", False)
    assert client_info(client_settings(), 240.0).enabled
