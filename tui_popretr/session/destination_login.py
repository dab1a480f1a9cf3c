"""The password or access token of a client's destination."""

from __future__ import annotations

from tui_popretr.config.model import Destination, oauth_of, password_of
from tui_popretr.delivery.remote import no_tokens
from tui_popretr.oauth.tokens import Tokens
from tui_popretr.secret import Secret
from tui_popretr.session.services import ConnectionServices


class DestinationLogin:
    """What a sink calls to log in (delivery/remote.py). The methods may raise any PopretrError."""

    def __init__(self, destination: Destination, services: ConnectionServices) -> None:
        self._destination = destination
        self._services = services
        self._oauth = oauth_of(destination)

    async def password(self) -> Secret:
        """Return the password, or the access token if the destination has <oauth>."""
        if self._oauth is not None:
            return (await self.tokens()).access
        return await self._services.passwords.obtain(password_of(self._destination))

    async def other_password(self, refused: Secret) -> Secret | None:
        """Return the access token to try after a refused one; None if there is no other."""
        tokens = await self.other_tokens(refused)
        return None if tokens is None else tokens.access

    async def tokens(self) -> Tokens:
        """Return the access token with what is known of it."""
        return await no_tokens() if self._oauth is None else await self._services.tokens.get(self._oauth)

    async def other_tokens(self, refused: Secret) -> Tokens | None:
        """Return the tokens to try after a refused one; None if there are no others."""
        return None if self._oauth is None else await self._services.tokens.refused(self._oauth, refused)
