"""A TLS server by GnuTLS, which can still be told to be as old servers are; OpenSSL's own server cannot."""

from __future__ import annotations

import ctypes
import os
import socket
from ctypes.util import find_library

import pytest
import trio

from tests.support.tls_serving import Server

_SERVER, _PEM, _CERTIFICATE = 1, 1, 1  # GNUTLS_SERVER, GNUTLS_X509_FMT_PEM, GNUTLS_CRD_CERTIFICATE


def library() -> ctypes.CDLL:
    """Return GnuTLS. Skips the test where there is none; fails it there under CI=true, where it may not be missing."""
    name = find_library("gnutls")
    if name is None:
        reason = "there is no GnuTLS (Debian's gnutls-bin)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return ctypes.CDLL(name)


def server(priorities: str, pem_path: str) -> Server:
    """A server that greets under TLS; `priorities` as gnutls_priority_init(3) has them."""
    gnutls = library()

    def serve(sock: socket.socket) -> None:
        session, credentials = ctypes.c_void_p(), ctypes.c_void_p()
        path, greeting = os.fsencode(pem_path), b"+OK ready\r\n"
        gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(credentials))
        gnutls.gnutls_init(ctypes.byref(session), _SERVER)
        with sock:
            assert gnutls.gnutls_certificate_set_x509_key_file(credentials, path, path, _PEM) == 0
            assert gnutls.gnutls_priority_set_direct(session, priorities.encode(), None) == 0
            gnutls.gnutls_credentials_set(session, _CERTIFICATE, credentials)
            gnutls.gnutls_transport_set_int2(session, sock.fileno(), sock.fileno())
            outcome = gnutls.gnutls_handshake(session)
            if outcome < 0:
                gnutls.gnutls_alert_send_appropriate(session, outcome)
            else:
                gnutls.gnutls_record_send(session, greeting, ctypes.c_size_t(len(greeting)))
                sock.recv(1)
            gnutls.gnutls_deinit(session)
        gnutls.gnutls_certificate_free_credentials(credentials)

    async def handle(plain: trio.SocketStream) -> None:
        sock = socket.socket(fileno=os.dup(plain.socket.fileno()))
        sock.setblocking(True)
        await trio.to_thread.run_sync(serve, sock)

    return handle
