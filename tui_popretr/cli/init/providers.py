"""What large providers require for POP3. docs/providers.md says more, and has samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tui_popretr.config import oauth
from tui_popretr.config.choices import AuthType
from tui_popretr.hosts import host_key

#: Where a user reads about access tokens.
OAUTH_EXPLAINED: Final = "docs/oauth.md"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider; each of its servers has TLS from the first byte at port 995."""

    name: str
    #: the domains of mail addresses, by the server for them
    servers: Mapping[str, tuple[str, ...]]
    #: the kind of password, in the words of the table of docs/providers.md
    password: str
    #: what must be enabled, in the same words; "": nothing
    enabled: str
    #: what the user has to do at the provider before the first login, in sentences
    steps: tuple[str, ...]
    frequency: str
    #: empty: those that the server offers
    logins: tuple[AuthType, ...] = ()
    #: the provider of <oauth>; None: not possible
    oauth: oauth.Provider | None = None
    #: a command that prints an access token, if nothing else is accepted as a password
    token_command: str = ""
    #: before the mail address in the username, if mail stays on the server, and the reason in a sentence
    prefix: str = ""
    prefix_reason: str = ""

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains."""
        return tuple(domain for domains in self.servers.values() for domain in domains)


PROVIDERS: Final = (
    Provider(
        "Gmail",
        {"pop.gmail.com": ("gmail.com", "googlemail.com")},
        "app password, or access token",
        "POP, in the settings",
        (
            "Enable POP: Settings, See all settings, Forwarding and POP/IMAP, POP download.",
            "The password of the account is not accepted: create an app password (Google account, Security).",
            "App passwords need 2-step verification. Accounts of Google Workspace need an access token instead.",
        ),
        "15m",
        oauth=oauth.Provider.GOOGLE,
        prefix="recent:",
        prefix_reason="With recent: before the user name, Gmail lists all mail of the last 30 days in each session.",
    ),
    Provider(
        "Outlook.com, Microsoft 365",
        {"outlook.office365.com": ("outlook.com", "hotmail.com", "live.com", "msn.com")},
        "access token only",
        "POP, in the settings or by the administrator",
        (
            "Enable POP: Settings, Mail, Forwarding and IMAP, Let devices and apps use POP.",
            "With Microsoft 365, an administrator may have to allow POP.",
            f"No password is accepted, only an access token (OAuth); see {OAUTH_EXPLAINED}.",
        ),
        "10m",
        logins=(AuthType.SASL_XOAUTH2,),
        oauth=oauth.Provider.MICROSOFT,
        token_command="pizauth show outlook",  # noqa: S106 - a command
    ),
    Provider(
        "Yahoo",
        {"pop.mail.yahoo.com": ("yahoo.com", "ymail.com", "rocketmail.com")},
        "app password",
        "",
        (
            "The password of the account is not accepted.",
            "Create an app password: Account security, External connections, Create app password.",
        ),
        "10m",
    ),
    Provider(
        "GMX",
        {
            "pop.gmx.net": ("gmx.net", "gmx.de", "gmx.at", "gmx.ch"),
            "pop.gmx.com": ("gmx.com", "gmx.co.uk", "gmx.us"),
        },
        "the account's, or an app password",
        "POP3 & IMAP, in the settings",
        (
            "Allow POP3: E-Mail, Einstellungen, POP3 & IMAP (Settings, POP3 & IMAP).",
            "With 2-factor authentication an app password is needed: Mein Account, Sicherheit.",
        ),
        "15m",
    ),
    Provider(
        "Fastmail",
        {"pop.fastmail.com": ("fastmail.com", "fastmail.fm")},
        "app password",
        "",
        (
            "The password of the account is not accepted.",
            "Create an app password: Settings, Privacy & Security.",
            "The Basic plan has no access for other programs.",
        ),
        "5m",
    ),
)


def server_of(mail: str) -> str | None:
    """Return the server for a mail address whose provider is known."""
    domain = host_key(mail.rpartition("@")[2])
    for provider in PROVIDERS:
        for server, domains in provider.servers.items():
            if domain in domains:
                return server
    return None


def provider_of(server: str) -> Provider | None:
    """Return the provider with this server. Its users may have addresses in domains of their own."""
    return next((provider for provider in PROVIDERS if host_key(server) in provider.servers), None)
