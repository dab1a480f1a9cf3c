"""`init` with an IMAP server whose certificate is not trusted, as that of a server at home."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conversation import converse
from tests.program.process import run_program
from tests.support.dovecot import Dovecot, require_imap
from tests.support.passwords import PASSWORD
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.reader import load

WHERE, SOURCE, SECRET = "Number [1]: ", "Number [1]: ", "Password (not shown): "


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    require_imap()
    with Dovecot(imap=True) as dovecot:
        dovecot.add_user("me", PASSWORD)
        dovecot.add_user("reader", PASSWORD)
        yield dovecot


def arguments(server: Dovecot, home: Path, *more: str) -> list[str]:
    (home / "p").write_text(PASSWORD)
    (home / "p").chmod(0o600)
    pop = ("--user", "me", "--address", f"{server.host}:{server.tls_port}", "--tspath", str(server.ca), "--keep")
    return ["init", "c.xml", *pop, "--password-file", "p", *more]


def destination(home: Path) -> ImapDestination:
    settings = load(str(home / "c.xml"), environ={"HOME": str(home)}).settings
    assert settings is not None
    found = settings.clients[0].destination
    assert isinstance(found, ImapDestination)
    return found


def test_the_certificate_is_pinned_and_the_password_typed_again(server: Dovecot, tmp_path: Path) -> None:
    talk = converse(
        tmp_path,
        arguments(server, tmp_path),
        [
            (WHERE, "4"),
            ("IMAP server: ", f"{server.host}:{server.imaps_port}"),
            ("User name there: ", "reader"),
            (SOURCE, "1"),
            (SECRET, "wrong"),
            ("Folder there [INBOX]: ", ""),
            ("it is the same: ", "yes"),
            ("Try again? (y/n) [y]: ", ""),
            ("User name there [reader]: ", ""),
            (SECRET, PASSWORD),
        ],
    )
    assert talk.code == 0, talk.screen
    assert "what to do: check user name and password" in talk.screen
    assert "it works: folder INBOX" in talk.screen
    tls = destination(tmp_path).tls
    assert tls is not None
    assert len(tls.fingerprints) == 1
    assert (tmp_path / "mail-imap.password").read_text() == f"{PASSWORD}\n"


def test_in_a_script_the_options_are_named(server: Dovecot, tmp_path: Path) -> None:
    login = ("--imap-user", "reader", "--imap-password-file", "p", "--imap", f"{server.host}:{server.imaps_port}")
    environ, cwd = {"HOME": str(tmp_path)}, tmp_path
    done = run_program(*arguments(server, tmp_path, *login), environ=environ, cwd=cwd)
    assert done.code == 76
    assert "add --imap-fingerprint " in done.err
    assert "--imap-tspath FILE" in done.err
    done = run_program(*arguments(server, tmp_path, *login, "--imap-tspath", str(server.ca)), environ=environ, cwd=cwd)
    assert done.code == 0, done.err
    tls = destination(tmp_path).tls
    assert tls is not None
    assert tls.trust_path == str(server.ca)
