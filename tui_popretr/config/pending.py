"""What the grammar knows but this version cannot do yet: one line for each, deleted when it comes."""

from __future__ import annotations

PENDING = {
    "smtp": "delivery by SMTP or LMTP (<smtp>)",
    "mda": "delivery to a command (<mda>)",
    "fingerprint": "pinning of certificates (fingerprint)",
    "SASL_SCRAM_SHA_256": "the authtype SASL_SCRAM_SHA_256",
    "SASL_SCRAM_SHA_1": "the authtype SASL_SCRAM_SHA_1",
    "SASL_LOGIN": "the authtype SASL_LOGIN",
    "SASL_XOAUTH2": "the authtype SASL_XOAUTH2",
    "SASL_OAUTHBEARER": "the authtype SASL_OAUTHBEARER",
    "AUTO": "the authtype AUTO",
}


def refusal(feature: str) -> str | None:
    """Return the error that tells that a feature is still missing, None where it is there."""
    what = PENDING.get(feature)
    return f"{what} is not available in this version yet" if what else None
