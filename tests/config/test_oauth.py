"""<oauth> in <server> and <smtp>."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.config.helpers import client, error_of, errors, load_text, only_client, settings_of, task, warnings
from tests.support.passwords import PASSWORD
from tui_popretr.config.choices import AuthType
from tui_popretr.config.describe import client_info, describe
from tui_popretr.config.model import SmtpDestination
from tui_popretr.config.oauth import Endpoints, OAuth, Provider, Use
from tui_popretr.config.sources import FromEnvironment, Literal
from tui_popretr.secret import Secret

GOOGLE = '<oauth provider="google" clientid="id1"/>'
CUSTOM = '<oauth provider="custom" clientid="id1">{}</oauth>'
TOKEN_URL = "<tokenurl>https://login.example.net/token</tokenurl>"
AUTH_URL = "<authurl>https://login.example.net/auth</authurl>"
TOKENS = (AuthType.SASL_OAUTHBEARER, AuthType.SASL_XOAUTH2)


def server(oauth: str, *, user: str = "<username>me@example.net</username>", more: str = "") -> str:
    """A client on this machine that logs in by OAuth."""
    return client(server=f'<server address="127.0.0.1">{user}{oauth}{more}</server>')


def oauth_of(folder: Path, text: str) -> OAuth:
    found = only_client(folder, text).server.oauth
    assert found is not None
    return found


def test_google(tmp_path: Path) -> None:
    found = only_client(tmp_path, server(GOOGLE)).server
    assert found.password is None
    assert found.auth_types == TOKENS
    assert found.oauth is not None
    assert (found.oauth.provider, found.oauth.client_id) == (Provider.GOOGLE, "id1")
    assert found.oauth.account == "me@example.net"
    assert found.oauth.scopes == ("https://mail.google.com/",)
    assert found.oauth.client_secret is None
    assert found.oauth.endpoints.token == "https://oauth2.googleapis.com/token"
    assert found.oauth.endpoints.issuer == "https://accounts.google.com"
    assert found.oauth.folder == str(tmp_path / "var/oauth")
    assert found.oauth.use is Use.SERVER
    assert found.oauth.login_command == f"tui-popretr login {tmp_path}/rc.xml --client a"


@pytest.mark.parametrize(("tenant", "part"), [("", "common"), ('tenant="consumers"', "consumers")])
def test_microsoft(tmp_path: Path, tenant: str, part: str) -> None:
    found = oauth_of(tmp_path, server(f'<oauth provider="microsoft" clientid="id1" {tenant}/>'))
    base = f"https://login.microsoftonline.com/{part}/oauth2/v2.0"
    assert found.endpoints == Endpoints(f"{base}/authorize", f"{base}/token", f"{base}/devicecode")
    assert found.scopes == ("https://outlook.office.com/POP.AccessAsUser.All", "offline_access")


def test_custom(tmp_path: Path) -> None:
    inside = (
        f"{AUTH_URL}{TOKEN_URL}<deviceurl>http://localhost:81/d?x=1</deviceurl><issuer>https://Login.example.net</issuer>"
        "<revokeurl>https://[::1]/r</revokeurl><scope> mail  other\nmail </scope>"
    )
    found = oauth_of(tmp_path, server(CUSTOM.format(inside)))
    assert found.endpoints == Endpoints(
        auth="https://login.example.net/auth",
        token="https://login.example.net/token",
        device="http://localhost:81/d?x=1",
        revoke="https://[::1]/r",
        issuer="https://Login.example.net",
    )
    assert found.scopes == ("mail", "other")
    assert found.name == "login.example.net"
    assert oauth_of(tmp_path, server(CUSTOM.format(TOKEN_URL + AUTH_URL))).scopes == ()


def test_smtp(tmp_path: Path) -> None:
    microsoft = '<oauth provider="microsoft" clientid="id1" account="you@example.net"/>'
    more = (
        "<smtp><sender>a@b.test</sender><address>smtp.example.net:587</address><starttls>Y</starttls>"
        f"<username>me@example.net</username>{microsoft}</smtp>"
    )
    found = only_client(tmp_path, client(more=more))
    oauth = cast("SmtpDestination", found.destination).oauth
    assert oauth is not None
    assert oauth.scopes == ("https://outlook.office.com/SMTP.Send", "offline_access")
    assert (oauth.account, oauth.use) == ("you@example.net", Use.SMTP)
    assert ("account (OAuth, SMTP)", "you@example.net") in client_info(found, 60.0).settings


@pytest.mark.parametrize(
    ("element", "source"),
    [
        (f"<clientsecret>{PASSWORD}</clientsecret>", Literal(Secret(PASSWORD))),
        ('<clientsecret env="HUSH"/>', FromEnvironment("HUSH")),
        ("", None),
    ],
)
def test_where_the_client_secret_comes_from(tmp_path: Path, element: str, source: object) -> None:
    text = server(f'<oauth provider="google" clientid="id1">{element}</oauth>')
    loaded = load_text(tmp_path, task(text), environ={"HUSH": PASSWORD})
    (found,) = settings_of(loaded).clients
    assert found.server.oauth is not None
    assert found.server.oauth.client_secret == source
    assert settings_of(loaded).password_variables == ({"HUSH"} if "env" in element else set())


def test_a_client_secret_makes_the_file_private(tmp_path: Path) -> None:
    text = task(server(f'<oauth provider="google" clientid="i"><clientsecret>{PASSWORD}</clientsecret></oauth>'))
    load_text(tmp_path, text)
    (tmp_path / "rc.xml").chmod(0o644)
    from tui_popretr.config.reader import load

    assert any("other users can read it" in str(each) for each in load(str(tmp_path / "rc.xml"), environ={}).problems)


@pytest.mark.parametrize(
    ("oauth", "message"),
    [
        ('<oauth clientid="i"/>', "attribute provider is missing in <oauth>"),
        ('<oauth provider="google"/>', "attribute clientid is missing in <oauth>"),
        (
            '<oauth provider="gogle" clientid="i"/>',
            "provider: 'gogle' is not one of google, microsoft, custom",
        ),
        (f"{GOOGLE}<password>x</password>", "<oauth> and <password> exclude each other in <server>"),
        (GOOGLE.replace("/>", ' tenant="common"/>'), 'tenant goes with provider="microsoft"'),
        (f'<oauth provider="google" clientid="i">{TOKEN_URL}</oauth>', '<tokenurl> goes with provider="custom"'),
        (CUSTOM.format(AUTH_URL), "<tokenurl> is missing in <oauth>"),
        (CUSTOM.format(TOKEN_URL), "<oauth> needs an <authurl> or a <deviceurl>"),
        (CUSTOM.format("<tokenurl>http://a.test/t</tokenurl>" + AUTH_URL), "'http://a.test/t' is not encrypted"),
        (CUSTOM.format("<tokenurl>https://u@a.test/t</tokenurl>" + AUTH_URL), "is not a web address"),
        (CUSTOM.format("<tokenurl>https://a.test/#t</tokenurl>" + AUTH_URL), "is not a web address"),
        (CUSTOM.format("<tokenurl>https:///t</tokenurl>" + AUTH_URL), "is not a web address"),
        (CUSTOM.format("<tokenurl>login.test/t</tokenurl>" + AUTH_URL), "is not a web address"),
        (CUSTOM.format("<tokenurl>https://a.test/ t</tokenurl>" + AUTH_URL), "is not a web address"),
        (CUSTOM.format("<tokenurl>https://a.test:99999/</tokenurl>" + AUTH_URL), "'99999' is not a port"),
        (CUSTOM.format("<tokenul>x</tokenul>" + AUTH_URL), "unknown <tokenul> in <oauth>; did you mean 'tokenurl'?"),
        (GOOGLE.replace('"id1"', '"ï"'), "is not a client id"),
        ('<oauth provider="microsoft" clientid="i" tenant="a/b"/>', "'a/b' is not a tenant"),
        ('<oauth provider="google" clientid="i"><scope>a"b</scope></oauth>', "is not a scope"),
        (f"{GOOGLE}<authtypes>USERPASS</authtypes>", "USERPASS needs a password, and <oauth> gives an access token"),
        (
            '<oauth provider="google" clientid="i"><clientsecret env="A" file="b"/></oauth>',
            "the client secret comes from one place only",
        ),
    ],
)
def test_errors(tmp_path: Path, oauth: str, message: str) -> None:
    assert message in error_of(tmp_path, task(server(oauth)))


def test_an_account_is_needed(tmp_path: Path) -> None:
    found = errors(load_text(tmp_path, task(server(GOOGLE, user=""))))
    assert any("attribute account is missing in <oauth>" in each for each in found)


@pytest.mark.parametrize(
    ("authtypes", "used"),
    [("AUTO", TOKENS), ("SASL_XOAUTH2", TOKENS[1:]), ("SASL_XOAUTH2 | SASL_OAUTHBEARER", TOKENS[::-1])],
)
def test_login_methods(tmp_path: Path, authtypes: str, used: tuple[AuthType, ...]) -> None:
    text = server(GOOGLE, more=f"<authtypes>{authtypes}</authtypes>")
    assert only_client(tmp_path, text).server.auth_types == used


def test_a_token_in_clear_is_warned_of(tmp_path: Path) -> None:
    text = server(GOOGLE).replace("127.0.0.1", "pop.example.net")
    (warning,) = warnings(load_text(tmp_path, task(text)))
    assert warning.startswith("the access token goes to pop.example.net in clear (SASL_OAUTHBEARER and SASL_XOAUTH2")


def test_words(tmp_path: Path) -> None:
    found = only_client(tmp_path, server(GOOGLE))
    assert "as me@example.net with SASL_OAUTHBEARER, else SASL_XOAUTH2 (access token from Google), and" in describe(
        found
    )
    pairs = dict(client_info(found, 60.0).settings)
    assert "password" not in pairs
    assert pairs["provider (OAuth)"] == "google"
    assert pairs["clientid (OAuth)"] == "id1"
    assert pairs["account (OAuth)"] == "me@example.net"
    assert pairs["scope (OAuth)"] == "https://mail.google.com/"


def test_who_shares_a_token(tmp_path: Path) -> None:
    first = oauth_of(tmp_path, server(GOOGLE))
    same = oauth_of(
        tmp_path,
        server(GOOGLE, user="<username>shared@example.net</username>").replace(
            "<oauth ", '<oauth account="me@example.net" '
        ),
    )
    assert same.key == first.key
    others = [
        oauth_of(tmp_path, server(GOOGLE.replace("id1", "id2"))),
        oauth_of(tmp_path, server(GOOGLE, user="<username>you@example.net</username>")),
        oauth_of(tmp_path, server('<oauth provider="google" clientid="id1"><scope>other</scope></oauth>')),
        oauth_of(tmp_path, server('<oauth provider="microsoft" clientid="id1"/>')),
        oauth_of(tmp_path, server('<oauth provider="microsoft" clientid="id1" tenant="consumers"/>')),
    ]
    assert len({first.key, *(each.key for each in others)}) == 6
    assert first.key.startswith("google-me-example-net-")


def test_the_name_of_a_token_file_is_safe(tmp_path: Path) -> None:
    found = oauth_of(tmp_path, server(GOOGLE, user=f"<username>../../{'ä' * 300}@x</username>"))
    assert "/" not in found.key
    assert not found.key.startswith(".")
    assert len(found.key) < 100
