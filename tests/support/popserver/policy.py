"""What a server offers, and when: login mechanisms in clear and under TLS, capabilities, limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mechanism(Enum):
    """A way to log in: POP3's own two, and SASL's by their names."""

    USER = "USER"
    APOP = "APOP"
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    CRAM_MD5 = "CRAM-MD5"
    SCRAM_SHA_1 = "SCRAM-SHA-1"
    SCRAM_SHA_1_PLUS = "SCRAM-SHA-1-PLUS"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"
    EXTERNAL = "EXTERNAL"
    XOAUTH2 = "XOAUTH2"
    OAUTHBEARER = "OAUTHBEARER"


class Utf8Support(Enum):
    """Whether a server has UTF8 (RFC 6856), and what it does without it with a message that has a UTF-8 header."""

    UNKNOWN = "the command is unknown; messages are sent unchanged"
    SUBSTITUTED = "a notice is sent instead of the message, as Courier does"
    REFUSED = "the message is refused"


ALL = frozenset(Mechanism)
_FIT_FOR_CLEAR = frozenset(
    {Mechanism.USER, Mechanism.APOP, Mechanism.CRAM_MD5, Mechanism.SCRAM_SHA_1, Mechanism.SCRAM_SHA_256}
)
_BOUND = frozenset({Mechanism.SCRAM_SHA_1_PLUS, Mechanism.SCRAM_SHA_256_PLUS})


@dataclass(frozen=True, slots=True)
class ServerPolicy:
    """What a server offers. STLS is only offered by a server that has a TLS context."""

    clear: frozenset[Mechanism] = _FIT_FOR_CLEAR
    tls: frozenset[Mechanism] = ALL
    stls: bool = True
    capa: bool = True
    pipelining: bool = True  # whether it is advertised; pipelined commands are always answered
    uidl: bool = True
    top: bool = True
    resp_codes: bool = True  # RFC 2449 §8 and RFC 3206
    utf8: Utf8Support = Utf8Support.UNKNOWN
    login_delay: float | None = None  # seconds between two logins, enforced
    expire: str | None = None  # CAPA's EXPIRE: days, or NEVER
    implementation: str | None = "tui-popretr-popserver"
    idle_timeout: float = 600.0  # seconds

    def mechanisms(self, *, under_tls: bool, bound: bool = False) -> frozenset[Mechanism]:
        """Return the mechanisms that are offered on a connection; `bound`: it has a channel binding.

        Never EXTERNAL in clear, as it needs a certificate, nor SCRAM's -PLUS without a channel binding.
        """
        offered = self.tls if under_tls else self.clear - {Mechanism.EXTERNAL}
        return offered if bound else offered - _BOUND

    def knows(self, verb: str) -> bool:
        """Whether this server has a command at all."""
        match verb:
            case "CAPA":
                return self.capa
            case "STLS":
                return self.stls
            case "TOP":
                return self.top
            case "UIDL":
                return self.uidl
            case "UTF8":
                return self.utf8 is not Utf8Support.UNKNOWN
        return True


#: Every mechanism; PLAIN, LOGIN, the token mechanisms and EXTERNAL only under TLS; STLS offered.
STD = ServerPolicy()

#: Every mechanism, but only under TLS.
SSLONLY = ServerPolicy(clear=frozenset())

#: Only CRAM-MD5, and no TLS.
CRAM = ServerPolicy(clear=frozenset({Mechanism.CRAM_MD5}), tls=frozenset({Mechanism.CRAM_MD5}), stls=False)
