"""TLS with the mail server: the context, and the errors."""

from __future__ import annotations

import ssl
from functools import lru_cache

from tui_popretr.errors import SmtpServerNotTrusted, describe_os_error
from tui_popretr.net.legacy import NO_VERSION, accept_outdated, outdated, refuse_outdated

_NO_SETTING = "update it, or deliver to a mail server on this machine: no setting accepts this from another machine"


@lru_cache(maxsize=2)
def context(*, verified: bool) -> ssl.SSLContext:
    """Return the TLS context, with or without verification of certificate and name.

    Only connections to this machine are not verified: its mail server usually has a self-signed certificate, and the
    connection cannot be intercepted.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # These two defaults differ between Python versions.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if verified:
        refuse_outdated(made)
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
        accept_outdated(made)
    return made


def explain(name: str, error: Exception) -> SmtpServerNotTrusted:
    """Return the error for a failed handshake with the server called `name`."""
    if words := outdated(error):
        alert = isinstance(error, ssl.SSLError) and "_ALERT_" in (error.reason or "")
        what = "ends the TLS handshake" if alert else "is too old for a safe connection"
        return SmtpServerNotTrusted(f"{name} {what}: {words}", advice=_NO_SETTING)
    if isinstance(error, ssl.SSLError) and error.reason in NO_VERSION:
        return SmtpServerNotTrusted(
            f"{name} has no version of TLS that is accepted here: TLSv1.2 or newer", advice=_NO_SETTING
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        words = (error.verify_message or "it cannot be verified").lower()
        return SmtpServerNotTrusted(
            f"the certificate of {name} is rejected: {words}",
            advice="give the host name that is in the certificate, and let this system trust its authority",
        )
    if isinstance(error, ssl.SSLError):
        words = (error.reason or str(error)).lower().replace("_", " ")
    else:
        words = describe_os_error(error) if isinstance(error, OSError) else str(error)
    return SmtpServerNotTrusted(f"the TLS handshake with {name} failed: {words}")
