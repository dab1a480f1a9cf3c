"""Reads <gmail>: a Gmail account as the destination of a client, by Google's API."""

from __future__ import annotations

from typing import Final

from tui_popretr.config.model import GmailDestination
from tui_popretr.config.oauth import Provider, Use, read_oauth
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import Section
from tui_popretr.text import visible

_API: Final = "https://www.googleapis.com/auth/gmail"
#: What a token must allow: to import, to find and make labels, and to say whose account it is.
_SCOPES: Final = (f"{_API}.insert", f"{_API}.labels", "openid", "email")
#: To search for a message in doubt.
_READING: Final = (f"{_API}.readonly",)


def read_gmail(client: Section, section: Section, recip: str | None, resolver: PathResolver) -> GmailDestination:
    """Return the settings of <gmail>."""
    account: str | None = section.field(GmailDestination, "account")
    verify: bool = section.field(GmailDestination, "verify")
    oauth = read_oauth(section, Use.GMAIL, client, account, scopes=_SCOPES + _READING * verify)
    login = section.child("oauth")
    if login is None:
        if not section.uncertain("oauth"):
            section.error("<gmail> needs <oauth>: Google's API takes an access token (docs/gmail.md)")
    elif oauth is not None and account:
        if oauth.provider is Provider.MICROSOFT:
            login.error('<gmail> needs provider="google"', login.place_of("provider"))
        if oauth.account.casefold() != account.casefold():
            login.error(
                f"the account of <oauth> is {visible(oauth.account, 254)}, and <account> is {visible(account, 254)}",
                login.place_of("account"),
            )
    return section.read(
        GmailDestination,
        account=account or "",
        oauth=oauth,
        verify=verify,
        rejected=section.field(GmailDestination, "rejected", parse=resolver.path_of(recip or "")),
    )
