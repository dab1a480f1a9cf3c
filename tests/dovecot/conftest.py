"""The reference's kinds of servers, as far as Dovecot can play them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dovecot import Dovecot


@pytest.fixture(scope="module")
def tls_required(needs_dovecot: None) -> Iterator[Dovecot]:
    """SSLONLY: no mechanism without TLS."""
    with Dovecot(tls="required") as server:
        yield server


@pytest.fixture(scope="module")
def cram_only(needs_dovecot: None) -> Iterator[Dovecot]:
    """CRAM: CRAM-MD5 alone, and no TLS."""
    with Dovecot(mechanisms="cram-md5", tls="no") as server:
        yield server
