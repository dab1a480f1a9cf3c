"""Certificates as real authorities and old servers have them: any names, short keys, signatures with SHA-1."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# sha256WithRSAEncryption and sha1WithRSAEncryption (RFC 8017 appendix A.2)
_SHA256, _SHA1 = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")


@lru_cache
def rsa_key(bits: int, number: int = 0) -> rsa.RSAPrivateKey:
    """A key of that length; `number` tells one from another."""
    return rsa.generate_private_key(65537, bits)


def alternative(name: str) -> x509.GeneralName:
    """An alternative name by its kind: `IP:192.0.2.7`, `DNS:x.test`, `email:me@x.test`; without a kind a DNS name."""
    kind, colon, value = name.partition(":")
    if kind == "IP":
        return x509.IPAddress(ip_address(value))
    if kind == "email":
        return x509.RFC822Name(value)
    return x509.DNSName(value if colon else name)


@dataclass(frozen=True)
class Authority:
    """An authority, trusted or in between: its certificate, its key, and what lies between it and a trusted one."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def root(cls) -> Authority:
        key = rsa_key(2048, 1)
        name = _name("test root")
        return cls(_signed(name, name, key.public_key(), key, ca=True), key)

    def child(self, *, bits: int = 2048, sha1: bool = False) -> Authority:
        key = rsa_key(bits, 2)
        made = _signed(_name("test child"), self.certificate.subject, key.public_key(), self.key, ca=True, sha1=sha1)
        return Authority(made, key, (made, *self.chain))

    def issue(
        self,
        *names: str,
        common_name: str | None = None,
        bits: int = 2048,
        sha1: bool = False,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> bytes:
        """Key and certificates of a server in PEM, its own first."""
        key = rsa_key(bits)
        subject = _name(common_name) if common_name else x509.Name([])
        made = _signed(
            subject, self.certificate.subject, key.public_key(), self.key, names=names, sha1=sha1, purpose=purpose
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem + b"".join(each.public_bytes(Encoding.PEM) for each in (made, *self.chain))

    def trust_file(self, folder: Path) -> str:
        path = folder / "root.pem"
        path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return str(path)


def weak_context(pem: bytes, folder: Path) -> ssl.SSLContext:
    """A server's context that shows a certificate of any strength."""
    path = folder / "server.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(path)
    return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey,
    signer: rsa.RSAPrivateKey,
    *,
    names: Sequence[str] = (),
    ca: bool = False,
    sha1: bool = False,
    purpose: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if names:
        found = x509.SubjectAlternativeName([alternative(name) for name in names])
        builder = builder.add_extension(found, critical=False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    made = builder.sign(signer, SHA256())
    if not sha1:
        return made
    # The library does not sign certificates with SHA-1 any more, so the algorithm and the signature are exchanged.
    signature = signer.sign(made.tbs_certificate_bytes.replace(_SHA256, _SHA1), padding.PKCS1v15(), SHA1())
    der = made.public_bytes(Encoding.DER).replace(made.signature, signature).replace(_SHA256, _SHA1)
    return x509.load_der_x509_certificate(der)
