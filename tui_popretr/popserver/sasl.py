"""The server's side of SASL. A mechanism is a generator that yields challenges and returns the maildrop."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Generator, Mapping

from tui_popretr.popserver.channel import decoded, encoded
from tui_popretr.popserver.maildrop import ServedMaildrop

Exchange = Generator[bytes, bytes, ServedMaildrop]


class CredentialsRejected(Exception):
    """The user name is unknown, or the credentials are wrong."""


class MalformedResponse(Exception):
    """A response is not base64, or does not have the mechanism's form."""


def by_proof(
    maildrops: Mapping[str, ServedMaildrop], name: str, proof: Callable[[str], str], given: str
) -> ServedMaildrop:
    """Return the maildrop if `given` equals `proof` of its password. Raises CredentialsRejected."""
    maildrop = maildrops.get(name)
    if maildrop is None or not hmac.compare_digest(encoded(proof(maildrop.password)), encoded(given)):
        raise CredentialsRejected
    return maildrop


def by_password(maildrops: Mapping[str, ServedMaildrop], name: str, password: str) -> ServedMaildrop:
    """Return the maildrop with this name and password. Raises CredentialsRejected."""
    return by_proof(maildrops, name, lambda expected: expected, password)


def timestamp() -> str:
    """Return a new unique msg-id: APOP's timestamp (RFC 1939 §7) and CRAM-MD5's challenge (RFC 2195)."""
    return f"<{secrets.token_hex(12)}@localhost>"


def decode(line: bytes) -> bytes:
    """Return a decoded response; "=" is the empty initial response (RFC 5034 §4). Raises MalformedResponse."""
    if line == b"=":
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise MalformedResponse from None


def plain(maildrops: Mapping[str, ServedMaildrop]) -> Exchange:
    """PLAIN (RFC 4616). The authorization identity must be empty or the user's own."""
    parts = (yield b"").split(b"\0")
    if len(parts) != 3:
        raise MalformedResponse
    authorization, name, password = map(decoded, parts)
    if authorization not in ("", name):
        raise CredentialsRejected
    return by_password(maildrops, name, password)


def cram_md5(maildrops: Mapping[str, ServedMaildrop]) -> Exchange:
    """CRAM-MD5 (RFC 2195)."""
    challenge = timestamp().encode()
    name, space, digest = decoded((yield challenge)).rpartition(" ")
    if not space:
        raise MalformedResponse

    def proof(password: str) -> str:
        return hmac.new(encoded(password), challenge, hashlib.md5).hexdigest()

    return by_proof(maildrops, name, proof, digest)
