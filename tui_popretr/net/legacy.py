"""Texts for what OpenSSL refuses in outdated servers; `legacy="Y"` in <ssl> accepts all of it.

At its default security level OpenSSL requires 112 bits: keys of 2048 bits, and signatures with SHA-256. Since version 3
it also refuses servers without RFC 5746, which cannot bind a renegotiation to its connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NO_RFC_5746 = "it has no secure renegotiation (RFC 5746)"
_SHORT_DH = "its Diffie-Hellman key is too short to be safe"
_SHORT_KEY = "the key of its certificate is too short to be safe"
_SHORT_CA_KEY = "the key of an authority that signed its certificate is too short to be safe"
_WEAK_CHAIN = "its certificate is signed with an algorithm that is no longer safe, such as SHA-1"
_WEAK_SIGNATURE = "it signs with an algorithm that is no longer safe, such as SHA-1"
_NOTHING_IN_COMMON = "it has no cipher or signature algorithm in common with us"

#: Texts for the reasons of handshake errors; "it" is the server.
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": _NO_RFC_5746,
        "DH_KEY_TOO_SMALL": _SHORT_DH,
        "MODULUS_TOO_SMALL": _SHORT_DH,
        "EE_KEY_TOO_SMALL": _SHORT_KEY,
        "CA_KEY_TOO_SMALL": _SHORT_CA_KEY,
        "CA_MD_TOO_WEAK": _WEAK_CHAIN,
        "WRONG_SIGNATURE_TYPE": _WEAK_SIGNATURE,
        "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _WEAK_SIGNATURE,
        "NO_SUITABLE_SIGNATURE_ALGORITHM": _WEAK_SIGNATURE,
        "NO_SHARED_SIGNATURE_ALGORITHMS": _NOTHING_IN_COMMON,
        "NO_SHARED_CIPHER": _NOTHING_IN_COMMON,
        "NO_CIPHERS_AVAILABLE": _NOTHING_IN_COMMON,
        "WRONG_CIPHER_RETURNED": _NOTHING_IN_COMMON,
        "UNKNOWN_CIPHER_RETURNED": _NOTHING_IN_COMMON,
        # Alerts of a server that finds nothing in common.
        "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_IN_COMMON,
        "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NOTHING_IN_COMMON,
    }
)
#: X509_V_ERR_... of OpenSSL's x509_vfy.h, which is Python's verify_code.
VERIFY_CODES: Final[Mapping[int, str]] = MappingProxyType({66: _SHORT_KEY, 67: _SHORT_CA_KEY, 68: _WEAK_CHAIN})

#: Reasons of errors if the server has no accepted version of TLS.
NO_VERSION: Final = frozenset(
    {
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_SSL_VERSION",
        "UNKNOWN_SSL_VERSION",
        "VERSION_TOO_LOW",
        "NO_PROTOCOLS_AVAILABLE",
    }
)

#: OpenSSL's SSL_OP_LEGACY_SERVER_CONNECT; the ssl module has a name for it from Python 3.12 on.
_LEGACY_SERVER_CONNECT = 0x4


def outdated(problem: Exception) -> str:
    """Return a text on what is outdated in the server; "" if the handshake failed for another reason."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return VERIFY_CODES.get(problem.verify_code, "")
    return REASONS.get((problem.reason or "").upper(), "") if isinstance(problem, ssl.SSLError) else ""


def lower_the_level(context: ssl.SSLContext) -> None:
    """Allow ciphers, keys and signatures of any strength in a context; servers still need a certificate."""
    context.set_ciphers("DEFAULT:!aNULL:!eNULL:@SECLEVEL=0")


def refuse_outdated(context: ssl.SSLContext) -> None:
    """Make a context refuse servers without RFC 5746, which OpenSSL before version 3 accepts."""
    context.options &= ~_LEGACY_SERVER_CONNECT


def accept_outdated(context: ssl.SSLContext) -> None:
    """Make a context accept everything that outdated() has a text for."""
    lower_the_level(context)
    context.options |= _LEGACY_SERVER_CONNECT
