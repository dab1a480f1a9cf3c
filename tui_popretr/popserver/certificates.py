"""TLS for the demo: a throw-away certificate that comes with the program, good for loopback and nothing else."""

from __future__ import annotations

import os
import ssl

_HERE = os.path.dirname(os.path.abspath(__file__))


def ca_path() -> str:
    """Return the path of the PEM file with the authority that a client of the demo server has to trust."""
    return os.path.join(_HERE, "demo-ca.pem")


def server_context(client_ca: str | None = None) -> ssl.SSLContext:
    """Return the demo server's TLS settings, for localhost, 127.0.0.1 and ::1, TLS 1.2 and later.

    `client_ca` is a PEM file; with it clients are asked for a certificate of that authority (EXTERNAL needs that) but
    may have none. The server's private key is public: what this context protects, it protects from nobody.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(os.path.join(_HERE, "demo-server.pem"))
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
