"""`init` against a real server: found out, written, and mail retrieved with what was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.program.process import Done, run_program
from tests.program.site import PASSWORD
from tests.support.dovecot import Dovecot
from tui_popretr.config.account import Server
from tui_popretr.config.choices import AuthType
from tui_popretr.config.reader import load


def run_init(home: Path, server: Dovecot, port: int, user: str, *more: str) -> Done:
    done = run_program(
        *("init", "--address", f"{server.host}:{port}", "--user", user, "--maildir", "~/Maildir"),
        *("--password-env", "POP_PASSWORD", *more),
        environ={"HOME": str(home), "POP_PASSWORD": PASSWORD},
    )
    assert PASSWORD not in done.out + done.err
    return done


def server_in(home: Path) -> Server:
    loaded = load(str(home / ".config/tui-popretr/tui-popretr.xml"), environ={"HOME": str(home), "POP_PASSWORD": "x"})
    assert loaded.settings is not None
    return loaded.settings.clients[0].server


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "stls"])
def test_from_nothing_to_mail(dovecot: Dovecot, tmp_path: Path, implicit: bool) -> None:
    user = f"init-{'tls' if implicit else 'stls'}"
    dovecot.add_user(user, PASSWORD)
    dovecot.fill(user, [b"Subject: one\n\nhello\n", b"Subject: two\n\nhello\n"])
    port = dovecot.tls_port if implicit else dovecot.port
    done = run_init(tmp_path, dovecot, port, user, "--tspath", str(dovecot.ca))
    assert (done.code, done.err) == (0, "")
    assert "verified certificate of " in done.out
    assert "  it works: 2 messages, " in done.out
    found = server_in(tmp_path)
    assert found.tls is not None
    assert found.tls.latent is not implicit
    assert found.auth_types == (AuthType.USERPASS, AuthType.SASL_PLAIN)

    environ = {"HOME": str(tmp_path), "POP_PASSWORD": PASSWORD}
    checked = run_program("check", "--connect", environ=environ)
    assert (checked.code, checked.err) == (0, "")
    assert run_program("--headless", "--once", environ=environ).code == 0
    assert len(os.listdir(tmp_path / "Maildir/new")) == 2
    assert dovecot.count(user) == 2


def test_a_server_without_tls_whose_login_keeps_the_password_off_the_wire(cram_only: Dovecot, tmp_path: Path) -> None:
    cram_only.add_user("init-cram", PASSWORD)
    done = run_init(tmp_path, cram_only, cram_only.port, "init-cram")
    assert done.code == 0, done.err
    assert "the server offers no TLS" in done.out
    found = server_in(tmp_path)
    assert found.tls is None
    assert AuthType.SASL_CRAM_MD5 in found.auth_types


def test_a_certificate_that_nobody_trusts(dovecot: Dovecot, tmp_path: Path) -> None:
    dovecot.add_user("init-stranger", PASSWORD)
    for port in (dovecot.tls_port, dovecot.port):
        done = run_init(tmp_path, dovecot, port, "init-stranger")
        assert done.code == 76
        assert "is rejected" in done.err
    assert list(tmp_path.rglob("*.xml")) == []


def test_a_wrong_user(dovecot: Dovecot, tmp_path: Path) -> None:
    done = run_init(tmp_path, dovecot, dovecot.tls_port, "init-nobody", "--tspath", str(dovecot.ca))
    assert done.code == 77
    assert list(tmp_path.rglob("*.xml")) == []
