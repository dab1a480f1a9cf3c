"""Files of certificates and keys, in PEM and PKCS#12, loaded into an SSL context."""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Callable

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import ConfigurationError, describe_os_error
from tui_popretr.fs.reading import read_whole
from tui_popretr.net.legacy import outdated
from tui_popretr.secret import Secret
from tui_popretr.text import visible

#: Octets of a file at most. The whole trust store of a system has a quarter of a megabyte.
LARGEST = 16 * 1024 * 1024

_TOO_WEAK = 'its key is too short, or it is signed with SHA-1: get a new one, or accept it with legacy="Y" in <ssl>'

Encrypted = Callable[[bytes], bytes]  # password -> the private key in PEM


def load_trust(context: ssl.SSLContext, path: str, password: Secret | None) -> None:
    """Trust the certificates in a file. Raises ConfigurationError."""
    data = _read(path)
    try:
        if is_pkcs12(data):
            _, certificate, others = _open_pkcs12(path, data, password, None)
            pems = ([certificate] if certificate else []) + others
            context.load_verify_locations(cadata="".join(pems))
        else:
            # Comments between certificates may have any encoding; OpenSSL gets the ASCII text.
            context.load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as problem:  # ValueError: an empty text
        raise ConfigurationError(f"{path} holds no usable certificate (PEM or PKCS#12 is expected)") from problem


def load_client_certificate(context: ssl.SSLContext, policy: TlsPolicy, path: str) -> None:
    """Use the certificate in a file as the client certificate. Raises ConfigurationError."""
    data = _read(path)
    if is_pkcs12(data):
        _load_pkcs12(context, policy, path, data)
    else:
        _load_pem(context, path, data, policy.certificate_password or policy.key_store_password)


def is_pkcs12(data: bytes) -> bool:
    """Whether the file is a PKCS#12 store (DER), not PEM."""
    return data[:1] == b"\x30" and b"-----BEGIN" not in data[:4096]


def _read(path: str) -> bytes:
    try:
        return read_whole(path, LARGEST).data
    except OSError as problem:
        raise ConfigurationError(f"cannot read {path}: {describe_os_error(problem)}") from problem


# --- PEM --------------------------------------------------------------------------------------------------------------


def _load_pem(context: ssl.SSLContext, path: str, data: bytes, password: Secret | None) -> None:
    try:
        # With a function as password, OpenSSL does not ask on the terminal.
        context.load_cert_chain(path, password=lambda: password.reveal() if password else "")
    except (OSError, ValueError) as problem:  # SSLError is an OSError; ValueError: a password that is too long
        raise ConfigurationError(
            f"{path}: cannot use the client certificate: {_why_not(problem, data, password)}"
        ) from problem


def _why_not(problem: Exception, data: bytes, password: Secret | None) -> str:
    # OpenSSL's error for a wrong password depends on its version and the key's cipher, so the file is examined.
    if b"-----BEGIN CERTIFICATE-----" not in data and b"-----BEGIN TRUSTED CERTIFICATE-----" not in data:
        return "there is no certificate in the file (PEM or PKCS#12 is expected)"
    if b"PRIVATE KEY-----" not in data:
        return "there is no private key in the file; certificate and key must be in one"
    if outdated(problem):
        return _TOO_WEAK
    if getattr(problem, "reason", None) == "KEY_VALUES_MISMATCH":
        return "the private key does not belong to the first certificate in the file"
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in data or b"Proc-Type: 4,ENCRYPTED" in data:
        if password is None:
            return "its private key is encrypted; give the password with certpass or kspass"
        return "its private key is encrypted, and the password in certpass or kspass does not open it"
    return "its certificate or its private key is damaged, or of a kind that cannot be used"


# --- PKCS#12 ----------------------------------------------------------------------------------------------------------


def _load_pkcs12(context: ssl.SSLContext, policy: TlsPolicy, path: str, data: bytes) -> None:
    key, certificate, others = _open_pkcs12(path, data, policy.key_store_password, policy.certificate)
    if key is None or certificate is None:
        raise ConfigurationError(f"{path} holds no certificate with its private key")
    once = secrets.token_hex(32)
    try:
        _load_chain_once(context, key(once.encode()) + "".join([certificate, *others]).encode(), once)
    except (ssl.SSLError, OSError) as problem:
        why = f": {_TOO_WEAK}" if outdated(problem) else ""
        raise ConfigurationError(f"{path}: cannot use its certificate and private key{why}") from problem


def _load_chain_once(context: ssl.SSLContext, pem: bytes, password: str) -> None:
    """Load an encrypted key from memory. OpenSSL takes only file names, so the file is in memory if possible."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(path, password=password)
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)


def _open_pkcs12(
    path: str, data: bytes, password: Secret | None, name: str | None
) -> tuple[Encrypted | None, str | None, list[str]]:
    """Return (function password -> encrypted PEM key, PEM certificate, other PEM certificates) of a PKCS#12 store."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError as problem:
        raise ConfigurationError(
            f"{path} is a PKCS#12 store, which needs the package cryptography",
            advice="install tui-popretr[pkcs12], or convert the store to PEM",
        ) from problem
    try:
        store = pkcs12.load_pkcs12(data, password.reveal().encode() if password else None)
    except ValueError as problem:
        raise ConfigurationError(f"{path}: not a PKCS#12 store, or its password is wrong") from problem
    pem = serialization.Encoding.PEM
    others = [each.certificate.public_bytes(pem).decode() for each in store.additional_certs]
    if store.cert is None or store.key is None:
        certificate = store.cert.certificate.public_bytes(pem).decode() if store.cert else None
        return None, certificate, others
    entry = (store.cert.friendly_name or b"").decode("utf-8", "replace")
    if name and entry and name.lower() != entry.lower():
        raise ConfigurationError(f'{path} has no entry "{visible(name)}"; its entry is "{visible(entry)}"')
    private = store.key

    def encrypted(once: bytes) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return private.private_bytes(pem, form, serialization.BestAvailableEncryption(once))

    return encrypted, store.cert.certificate.public_bytes(pem).decode(), others
