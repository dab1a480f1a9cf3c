"""Certificates and key stores for tests."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    load_pem_private_key,
    pkcs12,
)

from tui_popretr.config.account import TlsPolicy

HOST = "pop.example.test"


@dataclass
class Certificates:
    """An authority that is trusted, one that is not, and files made with them."""

    folder: Path
    authority: trustme.CA
    stranger: trustme.CA

    # --- the client's side --------------------------------------------------------------------------------------------

    @cached_property
    def trust_file(self) -> str:
        return self.file("trust.pem", self.authority.cert_pem.bytes())

    def policy(self, **changes: Any) -> TlsPolicy:
        """A policy that trusts the authority."""
        return TlsPolicy(**{"trust_path": self.trust_file, **changes})

    def file(self, name: str, data: bytes) -> str:
        """Write a file; equal names are overwritten. Returns its path."""
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def trust_store(self, name: str, password: str | None, *, nothing: bool = False) -> str:
        """A PKCS#12 store that holds the authority's certificate and no key."""
        certificates = [] if nothing else [x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())]
        key = ec.generate_private_key(ec.SECP256R1()) if nothing else None  # a store must hold something
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.file(name, pkcs12.serialize_key_and_certificates(b"ca", key, None, certificates, encryption))

    def key_store(self, name: str, password: str | None, *, entry: bytes | None = b"mail") -> str:
        """A PKCS#12 store with a client's certificate for "alice" and its key."""
        issued = self.client_certificate()
        key: Any = load_pem_private_key(issued.private_key_pem.bytes(), None)
        chain = [x509.load_pem_x509_certificate(blob.bytes()) for blob in issued.cert_chain_pems]
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.file(name, pkcs12.serialize_key_and_certificates(entry, key, chain[0], chain[1:], encryption))

    def key_file(
        self, name: str, password: str | None = None, *, traditional: bool = False, mismatch: bool = False
    ) -> str:
        """A PEM file with a client's certificate for "alice" and its key, in PKCS#8 or as it was done before that."""
        issued = self.client_certificate()
        keys = self.client_certificate() if mismatch else issued
        key = load_pem_private_key(keys.private_key_pem.bytes(), None)
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, encryption)
        return self.file(name, pem + b"".join(blob.bytes() for blob in issued.cert_chain_pems))

    def client_certificate(self) -> trustme.LeafCert:
        return self.authority.issue_cert("alice@example.test", common_name="alice")

    # --- the server's side --------------------------------------------------------------------------------------------

    def server_context(
        self,
        *names: str,
        issuer: trustme.CA | None = None,
        configure: Callable[[ssl.SSLContext], None] = lambda context: None,
        **issue: Any,
    ) -> ssl.SSLContext:
        """A server's context with a certificate for these names; it asks for a client's, which need not be given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (issuer or self.authority).issue_cert(*(names or (HOST,)), **issue).configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        configure(context)
        return context
