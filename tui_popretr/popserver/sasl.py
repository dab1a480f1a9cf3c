"""The server's side of SASL: a generator for each mechanism yields challenges and returns the maildrop."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from tui_popretr.popserver.faults import SaslFault
from tui_popretr.popserver.maildrop import ServedMaildrop
from tui_popretr.popserver.policy import Mechanism

Exchange = Generator[bytes, bytes, ServedMaildrop]


class CredentialsRejected(Exception):
    """Nobody by that name, or not the right password or certificate."""


class MalformedResponse(Exception):
    """A response that is not base64 or not what the mechanism prescribes."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may enter: the maildrops, and the CN of the client's verified certificate where there is one.

    An account's password serves as its access token, too.
    """

    maildrops: Mapping[str, ServedMaildrop]
    certificate_name: str | None = None
    binding: bytes | None = None  # of the channel, where SCRAM's -PLUS is offered
    fault: SaslFault = SaslFault.NONE

    def by_password(self, name: str, password: str) -> ServedMaildrop:
        """Return the maildrop. Raises CredentialsRejected."""
        return self.by_proof(name, lambda expected: expected, password)

    def by_proof(self, name: str, proof: Callable[[str], str], given: str) -> ServedMaildrop:
        """Return the maildrop if `given` is what `proof` makes of its password. Raises CredentialsRejected."""
        maildrop, password = self.account(name)
        if not hmac.compare_digest(_octets(proof(password)), _octets(given)):
            raise CredentialsRejected
        return maildrop

    def account(self, name: str) -> tuple[ServedMaildrop, str]:
        """Return the maildrop and its password. Raises CredentialsRejected where there is none."""
        maildrop = self.maildrops.get(name)
        if maildrop is None or maildrop.password is None:
            raise CredentialsRejected
        return maildrop, maildrop.password

    def by_certificate(self, wanted: str) -> ServedMaildrop:
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


def _login(gate: Gate) -> Exchange:
    """What was there before SASL had a standard."""
    name = text((yield b"Username:"))
    return gate.by_password(name, text((yield b"Password:")))


# --- SCRAM (RFC 5802) -----------------------------------------------------------------------------------------------

_ITERATIONS = 4096
_CLIENT_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=[^,]*)?,)"
    r"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?)",
    re.DOTALL,
)


def _scram(hash_name: str, *, plus: bool = False) -> Callable[[Gate], Exchange]:
    """Return the exchange with a hash; with `plus`, bound to the channel by tls-unique."""

    def key(of: bytes, message: str) -> bytes:
        return hmac.digest(of, _octets(message), hash_name)

    def exchange(gate: Gate) -> Exchange:
        first = _CLIENT_FIRST.fullmatch(text((yield b"")))
        if first is None or first["flag"].startswith("p=") != plus:
            raise MalformedResponse
        if plus and first["flag"] != "p=tls-unique":
            raise CredentialsRejected
        if first["flag"] == "y" and gate.binding is not None:
            # -PLUS was offered and the client has not seen it: somebody has taken it out (RFC 5802 §6)
            raise CredentialsRejected
        maildrop, password = gate.account(first["name"].replace("=2C", ",").replace("=3D", "="))
        salt, nonce, iterations = secrets.token_bytes(16), first["nonce"] + secrets.token_hex(12), _ITERATIONS
        if gate.fault is SaslFault.CHANGED_NONCE:
            nonce = secrets.token_hex(24)
        if gate.fault is SaslFault.HUGE_ITERATIONS:
            iterations = 10**9
        challenge = f"r={nonce},s={_base64(salt)},i={iterations}"
        final, found, proof = text((yield challenge.encode())).rpartition(",p=")
        if not found:
            raise MalformedResponse
        bound = _octets(first["header"]) + ((gate.binding or b"") if plus else b"")
        if final != f"c={_base64(bound)},r={nonce}":
            raise CredentialsRejected
        salted = hashlib.pbkdf2_hmac(hash_name, _octets(password), salt, _ITERATIONS)
        said = f"{first['bare']},{challenge},{final}"
        client_key = key(salted, "Client Key")
        signature = key(hashlib.new(hash_name, client_key).digest(), said)
        expected = bytes(ours ^ theirs for ours, theirs in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(expected, decode(proof.encode(errors="replace"))):
            raise CredentialsRejected
        if gate.fault is SaslFault.NO_SIGNATURE:
            return maildrop
        server_key = key(salted, "Any Key" if gate.fault is SaslFault.WRONG_SIGNATURE else "Server Key")
        if (yield f"v={_base64(key(server_key, said))}".encode()):
            raise MalformedResponse
        return maildrop

    return exchange


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# --- access tokens --------------------------------------------------------------------------------------------------

_XOAUTH2 = re.compile(r"user=(?P<name>[^\x01]*)\x01auth=Bearer (?P<token>[^\x01]*)\x01\x01")
_OAUTHBEARER = re.compile(
    r"n,a=(?P<name>[^,\x01]*),\x01(?:host=[^\x01]*\x01)?(?:port=[0-9]+\x01)?auth=Bearer (?P<token>[^\x01]*)\x01\x01"
)


def _bearer(form: re.Pattern[str], status: str) -> Callable[[Gate], Exchange]:
    """Return the exchange with a form of response; a rejection is explained in JSON first (RFC 7628 §3.2.2)."""

    def exchange(gate: Gate) -> Exchange:
        said = form.fullmatch(text((yield b"")))
        if said is None:
            raise MalformedResponse
        try:
            return gate.by_password(said["name"].replace("=2C", ",").replace("=3D", "="), said["token"])
        except CredentialsRejected:
            yield json.dumps({"status": status, "schemes": "bearer", "scope": "https://mail.example.test/"}).encode()
            raise

    return exchange


#: To add a mechanism: name it in policy.Mechanism and put its generator here. One whose first challenge is not empty
#: speaks first, and takes no initial response.
MECHANISMS: dict[Mechanism, Callable[[Gate], Exchange]] = {
    Mechanism.PLAIN: _plain,
    Mechanism.LOGIN: _login,
    Mechanism.CRAM_MD5: _cram_md5,
    Mechanism.SCRAM_SHA_1: _scram("sha1"),
    Mechanism.SCRAM_SHA_1_PLUS: _scram("sha1", plus=True),
    Mechanism.SCRAM_SHA_256: _scram("sha256"),
    Mechanism.SCRAM_SHA_256_PLUS: _scram("sha256", plus=True),
    Mechanism.EXTERNAL: _external,
    Mechanism.XOAUTH2: _bearer(_XOAUTH2, "401"),
    Mechanism.OAUTHBEARER: _bearer(_OAUTHBEARER, "invalid_token"),
}
