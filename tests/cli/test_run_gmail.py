"""`login`, `check` and `run` with <gmail>: the account, the labels, exit codes, and no token where it must not be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.program.process import Done, mail, run_program, write_configuration
from tests.support.gmail import SCOPES, Answer, FakeGmail, Fault
from tests.support.gmail_serving import running_gmail
from tests.support.oauth_provider import ACCOUNT, CLIENT_ID, OAuthProvider
from tests.support.oauth_serving import running_provider
from tests.support.passwords import MARK, PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.config.model import GMAIL_URL
from tui_popretr.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Site:
    """A configuration c.xml, its provider, its maildrop and its Gmail."""

    top: Path
    provider: OAuthProvider
    drop: ServedMaildrop
    gmail: FakeGmail

    @property
    def path(self) -> str:
        return str(self.top / "c.xml")

    def login(self, *arguments: str) -> Done:
        return run_program("login", self.path, "--client", "isp", *arguments, environ={"SSH_CONNECTION": ""})

    def once(self) -> Done:
        return run_program("--headless", "--once", "-v", self.path)

    def age_token(self) -> None:
        """Let the token be due for renewal."""
        self.provider.expire_access()
        (file,) = (self.top / "var/oauth").glob("*.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"expires": 1000, "obtained": 0}))

    def edit(self, old: str, new: str) -> None:
        text = (self.top / "c.xml").read_text()
        assert old in text
        (self.top / "c.xml").write_text(text.replace(old, new))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    drop = ServedMaildrop("me", PASSWORD)
    for _ in range(3):
        drop.add(mail())
    gmail = FakeGmail(ACCOUNT)
    gmail.tokens = {}
    with running_provider() as provider, running_gmail(gmail) as url, running_server([drop]) as server:
        provider.agrees_on_devices = True
        gmail.knows = lambda token: SCOPES if provider.owner(token) else None
        oauth = (
            f'<oauth provider="custom" clientid="{CLIENT_ID}"><authurl>{provider.auth_url}</authurl>'
            f"<tokenurl>{provider.token_url}</tokenurl><deviceurl>{provider.device_url}</deviceurl></oauth>"
        )
        logs = "<transcript>t.log</transcript><trace level='debug'>d.log</trace><audit>a.log</audit>"
        client = (
            f'<client id="isp" recip="me"><server address="{server.address}"><username>me</username>'
            f"<password>{PASSWORD}</password></server><gmail><account>{ACCOUNT}</account>{oauth}"
            f"<labels>New/One | STARRED</labels><url>{url}</url></gmail></client>"
        )
        write_configuration(tmp_path / "c.xml", client, before=logs)
        yield Site(tmp_path, provider, drop, gmail)


def test_from_the_login_to_the_mail(site: Site) -> None:
    done = site.once()
    assert done.code == ExitCode.LOGIN
    assert f"tui-popretr login {site.path} --client isp --for gmail" in done.err
    done = site.login()
    assert done.code == 0, done.err
    assert done.out.endswith(f"Trying a login at Gmail, account {ACCOUNT} ...\nThe login works.\n")
    assert "New/One" not in site.gmail.labels, "a login makes nothing"
    site.age_token()
    done = site.once()
    assert done.code == 0, done.err
    assert (len(site.gmail.messages), site.drop.messages) == (3, [])
    audit = [line for line in (site.top / "a.log").read_text().splitlines() if " Downloaded " in line]
    for message, line in zip(site.gmail.messages, audit, strict=True):
        assert message.labels == ["INBOX", "UNREAD", site.gmail.labels["New/One"], "STARRED"]
        assert message.raw.startswith(b"Received: from ")
        assert f" => Account={ACCOUNT}; MsgID=" in line
        assert line.endswith(f"; Gmail={message.id}")
    assert "Gmail POST /upload/gmail/v1/users/me/messages/import?" in (site.top / "t.log").read_text()
    for name in ("t.log", "d.log", "a.log"):
        assert MARK not in (site.top / name).read_text()


def test_check_connect(site: Site) -> None:
    site.login()
    done = run_program("check", site.path, "--connect")
    assert done.code == 0, done.err
    assert f"  GMAIL token:  {ACCOUNT} at 127.0.0.1:" in done.out
    assert f"  Gmail:        {ACCOUNT}, 0 messages\n" in done.out
    assert "  labels:       STARRED; made at the first message: New/One\n" in done.out
    assert "New/One" not in site.gmail.labels
    done = run_program("check", site.path, "--connect", "--json")
    (client,) = json.loads(done.out)["clients"]
    assert client["destination"] == {
        "Gmail": f"{ACCOUNT}, 0 messages",
        "labels": "STARRED; made at the first message: New/One",
    }
    assert client["gmail_token"]["account"] == ACCOUNT
    assert client["smtp_token"] is client["imap_token"] is None


@pytest.mark.parametrize("command", [("check", "--connect"), ("--headless", "--once")])
def test_the_token_of_another_account(site: Site, command: tuple[str, ...]) -> None:
    site.login()
    site.provider.account = "other@gmail.example"
    for grant in site.provider._grants:
        grant.account = site.provider.account
    site.age_token()
    site.gmail.asked.clear()
    done = run_program(*command, site.path)
    assert done.code == ExitCode.CONFIGURATION
    assert f"the access token is that of other@gmail.example, and <account> is {ACCOUNT}" in done.out + done.err
    assert site.gmail.asked == []
    assert len(site.drop.messages) == 3


def test_a_limit_ends_the_session(site: Site) -> None:
    site.login()
    site.gmail.fail(Fault(Answer.error(403, "rateLimitExceeded", "Slow down", ("Retry-After", "30"))))
    done = site.once()
    assert done.code == ExitCode.TEMPORARY
    log = (site.top / "d.log").read_text()
    assert "403 Slow down" in log
    assert "no request is sent to" not in log, "no further message is tried"
    transcript = (site.top / "t.log").read_text()
    assert "no request is sent for 30 s" in transcript
    assert transcript.count("messages/import") == 1
    assert "QUIT" in transcript
    assert len(site.drop.messages) == 3
    assert site.once().code == 0
    assert len(site.gmail.messages) == 3


def test_check_says_what_was_not_tested(site: Site) -> None:
    assert "Google" not in run_program("check", site.path).err
    site.edit(f"<url>{(site.top / 'c.xml').read_text().partition('<url>')[2].partition('</url>')[0]}</url>", "")
    done = run_program("check", site.path)
    assert done.code == 0
    assert "client isp: <gmail> was not tested with Google itself" in done.err
    assert GMAIL_URL not in done.out
    assert f"imports it into the Gmail account {ACCOUNT}, with the labels New/One | STARRED" in done.out
