"""What all connections of a process share. The engine has one; the probes of a command share one."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from tui_popretr.clock import SystemClock
from tui_popretr.net.tls import TlsContexts
from tui_popretr.oauth.renewal import AccessTokens
from tui_popretr.session.passwords import Passwords

#: SCRAM proofs that are computed at once. A hostile server can make one cost seconds of CPU, so they have threads of
#: their own.
PROOFS = 2


def _proof_limiter() -> trio.CapacityLimiter:
    return trio.CapacityLimiter(PROOFS)


def _access_tokens() -> AccessTokens:
    return AccessTokens(Passwords().obtain, SystemClock())


@dataclass(frozen=True, slots=True)
class ConnectionServices:
    """TLS contexts, the sources of passwords, access tokens, and the threads for SCRAM proofs."""

    contexts: TlsContexts = field(default_factory=TlsContexts)
    passwords: Passwords = field(default_factory=Passwords)
    tokens: AccessTokens = field(default_factory=_access_tokens)
    proofs: trio.CapacityLimiter = field(default_factory=_proof_limiter)
