"""TLS with a mail server: the policy, and the errors."""

from __future__ import annotations

import ssl

from tui_popretr.config.account import TlsPolicy
from tui_popretr.errors import SmtpServerNotTrusted, TlsFailed, describe_os_error
from tui_popretr.net.legacy import NO_VERSION, outdated

_NO_SETTING = "update it, or deliver to a mail server on this machine: no setting accepts this from another machine"


def policy_for(*, here: bool, latent: bool) -> TlsPolicy:
    """Return the policy; `latent`: TLS begins with STARTTLS.

    Only connections to this machine (`here`) are not verified: its mail server usually has a self-signed certificate,
    and the connection cannot be intercepted.
    """
    return TlsPolicy(latent=latent, verified=not here, legacy=here)


def explain(name: str, failure: TlsFailed) -> SmtpServerNotTrusted:
    """Return the error for a failed handshake with the server called `name`; its cause is OpenSSL's error."""
    error = failure.__cause__ if isinstance(failure.__cause__, Exception) else failure
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
