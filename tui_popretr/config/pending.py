"""What the grammar knows but this version cannot do yet: one line for each, deleted when it comes."""

from __future__ import annotations

PENDING = {
    "fingerprint": "pinning of certificates (fingerprint)",
}


def refusal(feature: str) -> str | None:
    """Return the error that tells that a feature is still missing, None where it is there."""
    what = PENDING.get(feature)
    return f"{what} is not available in this version yet" if what else None
