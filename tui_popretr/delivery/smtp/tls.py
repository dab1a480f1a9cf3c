"""TLS with the mail server: which certificates are believed."""

from __future__ import annotations

import ssl
from functools import lru_cache


@lru_cache(maxsize=2)
def context(*, verified: bool) -> ssl.SSLContext:
    """Return the TLS context: certificate and name checked against the system's authorities, or not at all.

    Not at all is for this very machine: its mail server nearly always has a certificate that it signed itself, and
    nobody can stand between it and us.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python versions differ in these two defaults; a certificate is to be judged alike by all of them.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if verified:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
