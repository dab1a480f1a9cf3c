"""The server's side of the other SASL mechanisms: LOGIN, EXTERNAL, SCRAM and SCRAM-PLUS, and access tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.popserver.faults import SaslFault
from tests.support.popserver.policy import Mechanism
from tui_popretr.popserver.channel import decoded, encoded
from tui_popretr.popserver.maildrop import ServedMaildrop
from tui_popretr.popserver.sasl import (
    CredentialsRejected,
    Exchange,
    MalformedResponse,
    by_password,
    cram_md5,
    decode,
    plain,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a mechanism checks: the maildrops, and what the connection proves.

    A maildrop's password serves as its access token, too.
    """

    maildrops: Mapping[str, ServedMaildrop]
    certificate_name: str | None = None  # CN of the client's verified certificate
    binding: bytes | None = None  # of the channel, where SCRAM's -PLUS is offered
    fault: SaslFault = SaslFault.NONE


def _external(gate: Gate) -> Exchange:
    """EXTERNAL (RFC 4422, appendix A). The authorization identity must be empty or the certificate's name."""
    wanted = decoded((yield b""))
    maildrop = gate.maildrops.get(gate.certificate_name or "")
    if maildrop is None or wanted not in ("", gate.certificate_name):
        raise CredentialsRejected
    return maildrop


def _login(gate: Gate) -> Exchange:
    """LOGIN, which has no RFC."""
    name = decoded((yield b"Username:"))
    return by_password(gate.maildrops, name, decoded((yield b"Password:")))


# --- SCRAM (RFC 5802) -----------------------------------------------------------------------------------------------

_ITERATIONS = 4096
_CLIENT_FIRST = re.compile(
    r"(?P<header>(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=[^,]*)?,)"
    r"(?P<bare>n=(?P<name>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?)",
    re.DOTALL,
)


def _scram(hash_name: str, *, plus: bool = False) -> Callable[[Gate], Exchange]:
    """Return SCRAM with a hash function; with `plus`, bound to the channel by tls-unique."""

    def key(of: bytes, message: str) -> bytes:
        return hmac.digest(of, encoded(message), hash_name)

    def exchange(gate: Gate) -> Exchange:
        first = _CLIENT_FIRST.fullmatch(decoded((yield b"")))
        if first is None or first["flag"].startswith("p=") != plus:
            raise MalformedResponse
        if plus and first["flag"] != "p=tls-unique":
            raise CredentialsRejected
        if first["flag"] == "y" and gate.binding is not None:
            # -PLUS was offered, but removed on the way to the client (RFC 5802 §6)
            raise CredentialsRejected
        maildrop = gate.maildrops.get(first["name"].replace("=2C", ",").replace("=3D", "="))
        if maildrop is None:
            raise CredentialsRejected
        salt, nonce, iterations = secrets.token_bytes(16), first["nonce"] + secrets.token_hex(12), _ITERATIONS
        if gate.fault is SaslFault.CHANGED_NONCE:
            nonce = secrets.token_hex(24)
        if gate.fault is SaslFault.HUGE_ITERATIONS:
            iterations = 10**9
        challenge = f"r={nonce},s={_base64(salt)},i={iterations}"
        final, found, proof = decoded((yield challenge.encode())).rpartition(",p=")
        if not found:
            raise MalformedResponse
        bound = encoded(first["header"]) + ((gate.binding or b"") if plus else b"")
        if final != f"c={_base64(bound)},r={nonce}":
            raise CredentialsRejected
        salted = hashlib.pbkdf2_hmac(hash_name, encoded(maildrop.password), salt, _ITERATIONS)
        auth_message = f"{first['bare']},{challenge},{final}"
        client_key = key(salted, "Client Key")
        signature = key(hashlib.new(hash_name, client_key).digest(), auth_message)
        expected = bytes(ours ^ theirs for ours, theirs in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(expected, decode(proof.encode(errors="replace"))):
            raise CredentialsRejected
        if gate.fault is SaslFault.NO_SIGNATURE:
            return maildrop
        server_key = key(salted, "Any Key" if gate.fault is SaslFault.WRONG_SIGNATURE else "Server Key")
        if (yield f"v={_base64(key(server_key, auth_message))}".encode()):
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
    """Return a mechanism whose response has this form. A JSON text explains a rejection first (RFC 7628 §3.2.2)."""

    def exchange(gate: Gate) -> Exchange:
        response = form.fullmatch(decoded((yield b"")))
        if response is None:
            raise MalformedResponse
        try:
            return by_password(
                gate.maildrops, response["name"].replace("=2C", ",").replace("=3D", "="), response["token"]
            )
        except CredentialsRejected:
            yield json.dumps({"status": status, "schemes": "bearer", "scope": "https://mail.example.test/"}).encode()
            raise

    return exchange


#: To add a mechanism: name it in policy.Mechanism and put its generator here. One whose first challenge is not empty
#: speaks first, and takes no initial response. The order is that of CAPA.
MECHANISMS: dict[Mechanism, Callable[[Gate], Exchange]] = {
    Mechanism.PLAIN: lambda gate: plain(gate.maildrops),
    Mechanism.LOGIN: _login,
    Mechanism.CRAM_MD5: lambda gate: cram_md5(gate.maildrops),
    Mechanism.SCRAM_SHA_1: _scram("sha1"),
    Mechanism.SCRAM_SHA_1_PLUS: _scram("sha1", plus=True),
    Mechanism.SCRAM_SHA_256: _scram("sha256"),
    Mechanism.SCRAM_SHA_256_PLUS: _scram("sha256", plus=True),
    Mechanism.EXTERNAL: _external,
    Mechanism.XOAUTH2: _bearer(_XOAUTH2, "401"),
    Mechanism.OAUTHBEARER: _bearer(_OAUTHBEARER, "invalid_token"),
}
