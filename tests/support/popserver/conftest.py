"""The certificates of the server's tests."""

from tests.popserver.conftest import authority, client_tls, server_tls

__all__ = ["authority", "client_tls", "server_tls"]
