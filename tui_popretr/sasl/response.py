"""The client's responses, and the base64 form that responses and challenges have on a line.

POP3, SMTP and IMAP use the same form (RFC 5034 §4, RFC 4954 §4, RFC 3501 §6.2.2).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass

from tui_popretr.sasl.errors import MechanismUnusable
from tui_popretr.secret import Secret

#: Octets of a line in an exchange, CRLF included (RFC 4954 §4, adopted by RFC 5034 §4).
MAX_LINE = 12_288


@dataclass(frozen=True, slots=True)
class Response:
    """One response of the client. Its text is never shown.

    `hide` is a part of it that must not be shown on its own either. `public`: a server may repeat the whole text, a
    username. MechanismUnusable if the text cannot be written in UTF-8, or is too long for a line.
    """

    text: Secret
    hide: Secret | None = None
    public: bool = False

    def __post_init__(self) -> None:
        try:
            length = len(self.encoded())
        except UnicodeEncodeError:
            length = -1
        if length < 0:  # raised here: a UnicodeEncodeError carries the whole text, so it must not become the context
            raise MechanismUnusable("the SASL response cannot be written in UTF-8")
        if length + 2 > MAX_LINE:
            raise MechanismUnusable(f"the SASL response is longer than {MAX_LINE} octets")

    def octets(self) -> bytes:
        """Return the response as the mechanism defines it."""
        return octets(self.text)

    def encoded(self) -> bytes:
        """Return the response in base64."""
        return b64encode(self.octets())

    def secrets(self) -> tuple[bytes, ...]:
        """Return what must be starred out when a server echoes it."""
        plain = [octets(secret) for secret in (None if self.public else self.text, self.hide) if secret]
        return tuple(map(b64encode, plain)) + tuple(plain)


def octets(secret: Secret) -> bytes:
    """Return a secret in UTF-8. Octets that were not UTF-8 when they were read are surrogates; they stay the same."""
    return secret.reveal().encode("utf-8", "surrogateescape")


def decode_challenge(payload: bytes) -> bytes | None:
    """Decode a challenge. Returns None if it is not base64."""
    try:
        return b64decode(payload.strip(b" "), validate=True)
    except ValueError:
        return None
