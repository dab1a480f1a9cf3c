"""The server's side of SASL: a generator for each mechanism yields challenges and returns the maildrop."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from tui_popretr.popserver.maildrop import Maildrop
from tui_popretr.popserver.policy import Mechanism

Exchange = Generator[bytes, bytes, Maildrop]


class CredentialsRejected(Exception):
    """Nobody by that name, or not the right password or certificate."""


class MalformedResponse(Exception):
    """A response that is not base64 or not what the mechanism prescribes."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may enter: the maildrops, and the CN of the client's verified certificate where there is one."""

    maildrops: Mapping[str, Maildrop]
    certificate_name: str | None = None

    def by_password(self, name: str, password: str) -> Maildrop:
        """Return the maildrop. Raises CredentialsRejected."""
        return self.by_proof(name, lambda expected: expected, password)

    def by_proof(self, name: str, proof: Callable[[str], str], given: str) -> Maildrop:
        """Return the maildrop if `given` is what `proof` makes of its password. Raises CredentialsRejected."""
        maildrop = self.maildrops.get(name)
        if maildrop is None or maildrop.password is None:
            raise CredentialsRejected
        if not hmac.compare_digest(_octets(proof(maildrop.password)), _octets(given)):
            raise CredentialsRejected
        return maildrop

    def by_certificate(self, wanted: str) -> Maildrop:
        """Return the maildrop named by the certificate; `wanted` is "" or the same name. Raises CredentialsRejected."""
        if self.certificate_name is None or wanted not in ("", self.certificate_name):
            raise CredentialsRejected
        maildrop = self.maildrops.get(self.certificate_name)
        if maildrop is None:
            raise CredentialsRejected
        return maildrop


def timestamp() -> str:
    """Return a msg-id that was never used before, as APOP's stamp (RFC 1939 §7) and CRAM-MD5's challenge (RFC 2195)."""
    return f"<{secrets.token_hex(12)}@localhost>"


def text(raw: bytes) -> str:
    """Return a name or password from the wire; octets that are not UTF-8 survive and match nothing."""
    return raw.decode("utf-8", "surrogateescape")


def decode(line: bytes) -> bytes:
    """Return a response or initial response ("=" is the empty one, RFC 5034 §4). Raises MalformedResponse."""
    if line == b"=":
        return b""
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise MalformedResponse from None


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _plain(gate: Gate) -> Exchange:
    """RFC 4616; an authorization identity must be the user's own."""
    parts = (yield b"").split(b"\0")
    if len(parts) != 3:
        raise MalformedResponse
    authorization, name, password = map(text, parts)
    if authorization not in ("", name):
        raise CredentialsRejected
    return gate.by_password(name, password)


def _cram_md5(gate: Gate) -> Exchange:
    """RFC 2195."""
    challenge = timestamp().encode()
    name, space, digest = text((yield challenge)).rpartition(" ")
    if not space:
        raise MalformedResponse
    return gate.by_proof(name, lambda password: hmac.new(_octets(password), challenge, hashlib.md5).hexdigest(), digest)


def _external(gate: Gate) -> Exchange:
    """RFC 4422, appendix A."""
    return gate.by_certificate(text((yield b"")))


#: To add a mechanism: name it in policy.Mechanism and put its generator here. One whose first challenge is not empty
#: speaks first, and takes no initial response.
MECHANISMS: dict[Mechanism, Callable[[Gate], Exchange]] = {
    Mechanism.PLAIN: _plain,
    Mechanism.CRAM_MD5: _cram_md5,
    Mechanism.EXTERNAL: _external,
}
