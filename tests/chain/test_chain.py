"""From nothing to mail with a provider and a browser of others: every flow, renewal, revocation. Nightly only."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.chain.conftest import ACCOUNT, Chain
from tests.cli.conversation import converse
from tests.program.process import run_program, started
from tests.support.size import NIGHTLY
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.skipif(not NIGHTLY, reason="only in make nightly"), pytest.mark.timeout(1800)]

WAITING, ADDRESS = "ctrl+c gives up.\r\n", "\r\nAddress: "


@pytest.fixture
def config(tmp_path: Path, chain: Chain) -> str:
    return configure(tmp_path, chain)


def configure(folder: Path, chain: Chain, *, device: bool = True) -> str:
    path = folder / "c.xml"
    path.write_text(
        f"""<pop3download><delay_start>0</delay_start><transcript>%DIRLOG%/transcript.log</transcript><clients>
        <client id="work" recip="me" freq="1s" preserve="Y" newonly="Y">
        <server address="{chain.dovecot.host}:{chain.dovecot.port}"><username>{ACCOUNT}</username>
        {chain.oauth(device=device)}</server><maildir>mail</maildir></client></clients></pop3download>"""
    )
    path.chmod(0o600)
    return str(path)


def shown(screen: str, start: str) -> str:
    """The only line that begins with this: an address."""
    (found,) = {line for line in screen.split("\n") if line.startswith(start)}
    return found


def tokens(folder: Path) -> dict[str, str]:
    """The tokens in the only token file."""
    (path,) = (folder / "var/oauth").glob("*.json")
    fields: dict[str, str] = json.loads(path.read_text())
    return fields


def log_in_on_another_device(folder: Path, config: str, chain: Chain) -> str:
    """Log in by the device flow, and return the screen."""

    def agree(screen: str) -> str:
        code = next(line for line in screen.split("\n") if re.fullmatch("[A-Z]{4}-[A-Z]{4}", line))
        page = chain.open(f"{chain.base}/device", code)
        assert "Sign-in Success" in page.text, page
        return ""

    talk = converse(folder, ["login", config, "--client", "work"], [(WAITING, agree)])
    assert talk.code == 0, talk.screen
    assert f"Logged in to {chain.base.removeprefix('http://')} as {ACCOUNT}.\n" in talk.screen
    assert "A session works: " in talk.screen
    return talk.screen


def test_device(tmp_path: Path, config: str, chain: Chain) -> None:
    screen = log_in_on_another_device(tmp_path, config, chain)
    secrets = tokens(tmp_path)
    assert secrets["access"] not in screen
    assert secrets["refresh"] not in screen
    assert run_program(config, "--headless", "--once").code == 0
    assert len(os.listdir(tmp_path / "mail/new")) == chain.dovecot.count(ACCOUNT)


def test_paste(tmp_path: Path, chain: Chain) -> None:
    config = configure(tmp_path, chain, device=False)

    def agree(screen: str) -> str:
        address = chain.open(shown(screen, f"{chain.base}/auth?")).address
        assert re.match(r"http://127\.0\.0\.1:\d+/\?code=", address)
        assert "&iss=" in address
        return address

    ssh = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
    talk = converse(tmp_path, ["login", config, "--client", "work"], [(ADDRESS, agree)], environ=ssh)
    assert talk.code == 0, talk.screen
    assert "A session works: " in talk.screen


def test_browser(tmp_path: Path, chain: Chain) -> None:
    config = configure(tmp_path, chain, device=False)

    def agree(screen: str) -> str:
        page = chain.open(shown(screen, f"{chain.base}/auth?"))
        assert "The answer has arrived" in page.text
        return ""

    talk = converse(tmp_path, ["login", config, "--client", "work"], [(WAITING, agree)], environ={"DISPLAY": ""})
    assert talk.code == 0, talk.screen
    assert "A session works: " in talk.screen


def test_ten_lifetimes_revocation_and_a_login_without_a_restart(tmp_path: Path, config: str, chain: Chain) -> None:
    log_in_on_another_device(tmp_path, config, chain)
    seen = [tokens(tmp_path)["refresh"]]

    def is_renewed() -> bool:
        refresh = tokens(tmp_path)["refresh"]
        if refresh == seen[-1]:
            return False
        seen.append(refresh)
        return True

    def all_is_delivered() -> bool:
        return len(os.listdir(tmp_path / "mail/new")) == chain.dovecot.count(ACCOUNT)

    with started(config, "--headless", "-v") as program:
        for _ in range(10):
            wait_for(is_renewed, "a renewal", pause=0.1)
        assert "failed" not in program.said
        assert all_is_delivered()

        chain.revoke(tokens(tmp_path)["refresh"])
        program.wait_for(f"log in again (tui-popretr login {config} --client work)")

        chain.dovecot.fill(ACCOUNT, [b"Subject: later\n\nhello\n"])
        log_in_on_another_device(tmp_path, config, chain)
        wait_for(all_is_delivered, "mail after the login", pause=0.2)
        program.stop()
        written = program.said + (tmp_path / "var/logs/transcript.log").read_text()
    for secret in (*seen, *tokens(tmp_path).values()):
        assert not isinstance(secret, str) or len(secret) < 20 or secret not in written


def test_logging_out(tmp_path: Path, config: str, chain: Chain) -> None:
    log_in_on_another_device(tmp_path, config, chain)
    refresh = tokens(tmp_path)["refresh"]
    done = run_program("login", config, "--client", "work", "--logout")
    assert (done.code, done.err) == (0, "")
    assert "the access is revoked" in done.out
    with pytest.raises(HTTPError, match="400"):
        chain.post("/token", grant_type="refresh_token", refresh_token=refresh)
