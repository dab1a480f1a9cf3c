"""<gmail>: a Gmail account as destination."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.config.helpers import client, error_of, load_text, only_client, task, warnings
from tui_popretr.config.choices import GmailDate
from tui_popretr.config.describe import client_info, describe
from tui_popretr.config.model import GmailDestination, oauth_of, password_of, rejected_folder
from tui_popretr.config.oauth import Provider, Use

OAUTH: Final = '<oauth provider="google" clientid="id"/>'
ACCOUNT: Final = "<account>me@gmail.com</account>"
BASIC: Final = f"{ACCOUNT}{OAUTH}"
CUSTOM: Final = (
    '<oauth provider="custom" clientid="id"><authurl>http://127.0.0.1/a</authurl>'
    "<tokenurl>http://127.0.0.1/t</tokenurl></oauth>"
)
API: Final = "https://www.googleapis.com/auth/gmail"
SCOPES: Final = (f"{API}.insert", f"{API}.labels", "openid", "email")


def inside(text: str) -> str:
    return client(more=f"<gmail>{text}</gmail>")


def gmail(folder: Path, text: str) -> GmailDestination:
    found = only_client(folder, inside(text)).destination
    assert isinstance(found, GmailDestination)
    return found


def test_the_defaults(tmp_path: Path) -> None:
    found = gmail(tmp_path, BASIC)
    oauth = found.oauth
    assert oauth is not None
    assert found == GmailDestination("me@gmail.com", oauth)
    assert (found.labels, found.inbox, found.unread, found.never_spam, found.calendar) == ((), True, True, False, False)
    assert (found.date, found.verify, found.url) == (GmailDate.HEADER, True, "https://gmail.googleapis.com")
    assert (oauth.provider, oauth.use, oauth.account) == (Provider.GOOGLE, Use.GMAIL, "me@gmail.com")
    assert oauth.scopes == (*SCOPES, f"{API}.readonly")
    assert oauth.login_command == f"tui-popretr login {tmp_path}/rc.xml --client a --for gmail"
    assert (oauth_of(found), password_of(found), rejected_folder(found)) == (oauth, None, None)


def test_all_settings(tmp_path: Path) -> None:
    found = gmail(
        tmp_path,
        f"""{ACCOUNT}{CUSTOM}<labels> A | Wörk / Old | STARRED | a </labels><inbox>N</inbox><unread>N</unread>
        <neverspam>Y</neverspam><calendar>Y</calendar><date>received</date><verify>N</verify>
        <url>http://127.0.0.1:8025/x</url><rejected>%DIRVAR%/no/%U%</rejected>""",
    )
    assert found == GmailDestination(
        "me@gmail.com",
        found.oauth,
        labels=("A", "Wörk/Old", "STARRED"),
        inbox=False,
        unread=False,
        never_spam=True,
        calendar=True,
        date=GmailDate.RECEIVED,
        verify=False,
        url="http://127.0.0.1:8025/x",
        rejected=str(tmp_path / "var/no/user1"),
    )
    assert found.oauth is not None
    assert found.oauth.scopes == SCOPES


def test_configured_scopes(tmp_path: Path) -> None:
    oauth = '<oauth provider="google" clientid="id"><scope>https://mail.google.com/ openid email</scope></oauth>'
    found = gmail(tmp_path, f"{ACCOUNT}{oauth}").oauth
    assert found is not None
    assert found.scopes == ("https://mail.google.com/", "openid", "email")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (OAUTH, "<account> is missing in <gmail>"),
        (f"<account>me</account>{OAUTH}", "<account>: 'me' is not a whole mail address, such as me@gmail.com"),
        (ACCOUNT, "<gmail> needs <oauth>: Google's API takes an access token (docs/gmail.md)"),
        (
            f'{ACCOUNT}<oauth provider="microsoft" clientid="id"/>',
            '<gmail> needs provider="google"',
        ),
        (
            f'{ACCOUNT}<oauth provider="google" clientid="id" account="you@gmail.com"/>',
            "the account of <oauth> is you@gmail.com, and <account> is me@gmail.com",
        ),
        (f"{BASIC}<url>http://example.test/</url>", "<url>: 'http://example.test/' is not encrypted: use https"),
        (f"{BASIC}<labels>INBOX</labels>", "<labels>: the label 'INBOX' cannot be given: <inbox> decides about it"),
        (f"{BASIC}<labels>A | spam</labels>", "<labels>: the label 'spam' cannot be given: Gmail removes what has it"),
        (f"{BASIC}<labels>A//B</labels>", "<labels>: 'A//B' is not a label of Gmail"),
        (f"{BASIC}<labels>{'x' * 226}</labels>", "<labels>: 'xxx"),
        (f"{BASIC}<date>now</date>", "<date>: 'now' is not one of"),
        (f"{BASIC}<username>me</username>", "unknown <username> in <gmail>; did you mean 'account'?"),
        (f"{BASIC}<password>hush</password>", "unknown <password> in <gmail>"),
        (f"{BASIC} me@gmail.com", "<gmail> contains text, but only elements are expected in it; the address of"),
    ],
)
def test_errors(tmp_path: Path, text: str, error: str) -> None:
    assert error_of(tmp_path, task(inside(text))).startswith(error)


def test_the_account_in_other_letters(tmp_path: Path) -> None:
    gmail(tmp_path, f'{ACCOUNT}<oauth provider="google" clientid="id" account="Me@Gmail.com"/>')


def test_what_is_ignored(tmp_path: Path) -> None:
    more = f"<gmail>{BASIC}</gmail><maildir>m</maildir><eol>crlf</eol>"
    assert sorted(warnings(load_text(tmp_path, task(client(more=more))))) == [
        "<eol> has no effect with gmail",
        "several destinations are named: gmail is used, maildir not",
    ]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    more = f'<gmail enabled="N">{BASIC}</gmail><maildir>m</maildir>'
    assert not isinstance(only_client(tmp_path, client(more=more)).destination, GmailDestination)


def test_in_words(tmp_path: Path) -> None:
    found = only_client(tmp_path, inside(f"{BASIC}<labels>A | B</labels><inbox>N</inbox><verify>N</verify>"))
    assert (
        "imports it into the Gmail account me@gmail.com, with the labels A | B, not in the inbox, at most the message"
        " in flight twice. " in describe(found)
    )
    info = client_info(found, 240.0)
    assert info.destination == "Gmail me@gmail.com"
    pairs = dict(info.settings)
    assert (pairs["labels"], pairs["inbox"], pairs["clientid (OAuth, GMAIL)"]) == ("A | B", "N", "id")
    assert "url" not in pairs
