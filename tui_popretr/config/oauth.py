"""Login by OAuth 2 access tokens: the <oauth> element, and the addresses and scopes of known providers.

Terminology:

- *provider*: the service that issues tokens (RFC 6749: authorization server).
- *client id*: names this program to the provider; the user registers it there (docs/oauth.md).
- *account*: the user at the provider whose mail is accessed.
- *scope*: what a token allows.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256
from typing import Final

from tui_popretr.config import values
from tui_popretr.config.addresses import web_address
from tui_popretr.config.section import Section
from tui_popretr.config.setting import Setting, declared, part, setting, settings_of
from tui_popretr.config.sources import PasswordSource, literal, read_source
from tui_popretr.config.units import written
from tui_popretr.config.values import InvalidValueError, quote


class Provider(Enum):
    """The providers by their names in the configuration."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    CUSTOM = "custom"


class Use(Enum):
    """What a token is for: the element that <oauth> is in, also the word for `login --for`."""

    SERVER = "server"
    SMTP = "smtp"
    IMAP = "imap"
    GMAIL = "gmail"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of a provider."""

    #: where the user agrees, in a browser (RFC 6749 §3.1)
    auth: str | None = setting("<authurl>", web_address)
    #: where tokens are issued and renewed (RFC 6749 §3.2); never None in a configuration without errors
    token: str | None = setting("<tokenurl>", web_address, show=written)
    #: where a login on another device begins (RFC 8628 §3.1)
    device: str | None = setting("<deviceurl>", web_address)
    #: where tokens are revoked (RFC 7009)
    revoke: str | None = setting("<revokeurl>", web_address)
    #: the provider's name for itself (RFC 9207)
    issuer: str | None = setting("<issuer>", web_address)


_GOOGLE: Final = Endpoints(
    auth="https://accounts.google.com/o/oauth2/v2/auth",
    token="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
    device="https://oauth2.googleapis.com/device/code",
    revoke="https://oauth2.googleapis.com/revoke",
    issuer="https://accounts.google.com",
)
_GOOGLE_SCOPES: Final = ("https://mail.google.com/",)
_MICROSOFT: Final = "https://login.microsoftonline.com/"
_OFFICE: Final = "https://outlook.office.com/"

#: The scopes of known providers if the configuration names none.
DEFAULT_SCOPES: Final = {
    (Provider.GOOGLE, Use.SERVER): _GOOGLE_SCOPES,
    (Provider.GOOGLE, Use.SMTP): _GOOGLE_SCOPES,
    (Provider.GOOGLE, Use.IMAP): _GOOGLE_SCOPES,
    (Provider.MICROSOFT, Use.SERVER): (f"{_OFFICE}POP.AccessAsUser.All", "offline_access"),
    (Provider.MICROSOFT, Use.SMTP): (f"{_OFFICE}SMTP.Send", "offline_access"),
    (Provider.MICROSOFT, Use.IMAP): (f"{_OFFICE}IMAP.AccessAsUser.All", "offline_access"),
}

#: The tenant for all accounts of Microsoft.
DEFAULT_TENANT: Final = "common"
#: Providers by their names for people.
NAMES: Final = {Provider.GOOGLE: "Google", Provider.MICROSOFT: "Microsoft"}


def client_id(text: str) -> str:
    """The identifier of a client (RFC 6749 §A.1)."""
    if not text:
        raise InvalidValueError("a client id is needed")
    if not re.fullmatch("[\x20-\x7e]+", text):
        raise InvalidValueError(f"{quote(text)} is not a client id: it has characters other than ASCII")
    return text


def tenant(text: str) -> str:
    """A directory of Microsoft: its domain or id, or common, organizations or consumers."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", text):
        raise InvalidValueError(f"{quote(text)} is not a tenant: write its domain or id, or common or consumers")
    return text


def scopes(text: str) -> tuple[str, ...]:
    """A list of scopes, separated by spaces (RFC 6749 §3.3)."""
    found = tuple(dict.fromkeys(text.split()))
    for each in found:
        if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", each):
            raise InvalidValueError(f"{quote(each)} is not a scope")
    return found


@dataclass(frozen=True, slots=True)
class OAuth:
    """How a client gets access tokens."""

    provider: Provider = field(
        metadata=declared(
            Setting("provider", values.choice({each.value: each for each in Provider}), required=True, show=written)
        )
    )
    client_id: str = field(metadata=declared(Setting("clientid", client_id, required=True, show=str)))
    #: the user at the provider, "" if unknown
    account: str = field(metadata=declared(Setting("account", values.printable, show=str)))
    endpoints: Endpoints = part(Endpoints)
    client_secret: PasswordSource | None = setting("<clientsecret>", literal)
    #: empty: the provider decides
    scopes: tuple[str, ...] = field(default=(), metadata=declared(Setting("<scope>", scopes, show=" ".join)))
    tenant: str = setting("tenant", tenant, DEFAULT_TENANT)
    use: Use = Use.SERVER
    #: the folder of the token files, absolute
    folder: str = ""
    #: the configuration and the id of the client, for the command that logs in
    config: str = ""
    client: str = ""

    @property
    def name(self) -> str:
        """The provider's name for people."""
        return NAMES.get(self.provider) or (self.endpoints.token or "").partition("://")[2].partition("/")[0]

    @property
    def authorization_fields(self) -> dict[str, str]:
        """What the provider needs in the authorization address, besides the fields of RFC 6749."""
        # Without these Google gives a refresh token only at the first login.
        return {"access_type": "offline", "prompt": "consent"} if self.provider is Provider.GOOGLE else {}

    @property
    def issuer_required(self) -> bool:
        """Whether an answer must name the issuer. It is not known whether the known providers always do."""
        return self.provider is Provider.CUSTOM

    @property
    def key(self) -> str:
        """The name of the token file, without its extension. Logins with the same key share a token.

        It depends on the provider, the client id, the account and the scopes.
        """
        words = (self.provider.value, self.endpoints.token or "", self.client_id, self.account, *sorted(self.scopes))
        digest = sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
        readable = re.sub("[^a-z0-9]+", "-", f"{self.provider.value} {self.account}".lower()).strip("-")
        return f"{readable[:60]}-{digest[:16]}"

    @property
    def again(self) -> str:
        """What an error begins with after which the user has to log in again; see wording.session_failure()."""
        return f"log in again ({self.login_command})"

    @property
    def first(self) -> str:
        """The same, if there never was a login."""
        return f"log in ({self.login_command})"

    @property
    def login_command(self) -> str:
        """The command that logs in, for advice."""
        use = () if self.use is Use.SERVER else ("--for", self.use.value)
        return shlex.join(("tui-popretr", "login", self.config, "--client", self.client, *use))


def read_oauth(
    owner: Section, use: Use, client: Section, username: str | None, *, scopes: tuple[str, ...] = ()
) -> OAuth | None:
    """Return the settings of <oauth> in <server> or a destination; None if it is absent or has an error.

    `scopes`: those that are wanted if the configuration names none, in place of those of the provider.
    """
    section = owner.child("oauth")
    if section is None:
        return None
    password = owner.child("password")
    if password is not None and use is not Use.GMAIL:  # which has none
        section.error(f"<oauth> and <password> exclude each other in <{owner.node.name}>")
    provider: Provider | None = section.field(OAuth, "provider")
    account = section.field(OAuth, "account") or username or ""
    found = section.read(
        OAuth,
        provider=provider,
        account=account,
        scopes=section.field(OAuth, "scopes") or scopes or DEFAULT_SCOPES.get((provider or Provider.CUSTOM, use), ()),
        client_secret=_read_client_secret(section),
        use=use,
        folder=section.context.resolve("%DIRVAR%/oauth"),
        config=section.context.path,
        client=_text(client, "id"),
    )
    if provider is None:
        return None
    _check(section, found)
    uncertain = owner.uncertain("username") or section.uncertain_attribute("account")
    if not account and use is not Use.GMAIL and not uncertain:
        section.error("attribute account is missing in <oauth>: the address of the account at the provider")
    return None if section.has_errors else replace(found, endpoints=_endpoints(found))


def _text(section: Section, attribute: str) -> str:
    value = section.attribute_value(attribute)
    return value.text if value else ""


def _read_client_secret(section: Section) -> PasswordSource | None:
    element = section.child("clientsecret")
    return read_source(element, "client secret") if element else None


def _endpoints(found: OAuth) -> Endpoints:
    match found.provider:
        case Provider.GOOGLE:
            return _GOOGLE
        case Provider.MICROSOFT:
            base = f"{_MICROSOFT}{found.tenant}/oauth2/v2.0/"
            return Endpoints(auth=f"{base}authorize", token=f"{base}token", device=f"{base}devicecode")
        case Provider.CUSTOM:
            return found.endpoints


def _check(section: Section, found: OAuth) -> None:
    """Report addresses that are missing or do not belong to the provider."""
    provider, endpoints = found.provider, found.endpoints
    if provider is not Provider.MICROSOFT and section.attribute_value("tenant"):
        section.error('tenant goes with provider="microsoft"', section.place_of("tenant"))
    if provider is not Provider.CUSTOM:
        for each in settings_of(Endpoints):
            if child := section.child(each.name):
                child.error(f'{each.label} goes with provider="custom": the addresses of {found.name} are known')
        return
    if endpoints.token is None and not section.uncertain("tokenurl"):
        section.error('<tokenurl> is missing in <oauth>: provider="custom" has no addresses of its own')
    if endpoints.auth is None and endpoints.device is None and not section.uncertain("authurl", "deviceurl"):
        section.error("<oauth> needs an <authurl> or a <deviceurl>: otherwise a user cannot log in")
