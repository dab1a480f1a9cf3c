"""TLS for the demo: a certificate that comes with the program and is valid for loopback only."""

from __future__ import annotations

import os
import ssl

_HERE = os.path.dirname(os.path.abspath(__file__))


def ca_path() -> str:
    """Return the path of the PEM file with the authority that a client of the demo server has to trust."""
    return os.path.join(_HERE, "demo-ca.pem")


def server_context() -> ssl.SSLContext:
    """Return the demo server's TLS settings, for localhost, 127.0.0.1 and ::1, TLS 1.2 and later.

    The server's private key is published with the program, so this context protects nothing.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(os.path.join(_HERE, "demo-server.pem"))
    return context
