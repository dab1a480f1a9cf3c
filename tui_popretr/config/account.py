"""An account on a POP3 server: the server's address, the login and TLS. Times are seconds.

A field with setting(...) or required(...) declares an attribute or element of the file; see setting.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_popretr.config import choices, values
from tui_popretr.config.addresses import certificate_name, server_address
from tui_popretr.config.choices import AuthType
from tui_popretr.config.oauth import OAuth
from tui_popretr.config.setting import required, setting
from tui_popretr.config.sources import PasswordSource, literal
from tui_popretr.config.units import written
from tui_popretr.hosts import account_key, ascii_host, look_up_name, with_port
from tui_popretr.secret import Secret

#: Seconds that a TLS handshake may take by default.
LONGEST_HANDSHAKE = 120.0


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """How TLS is verified. Equal policies share one SSL context."""

    #: True: STLS after the greeting
    latent: bool = setting("latent", values.boolean, "N", phrase=lambda _: " (STLS)")
    #: None: the certificates that the system trusts
    trust_path: str | None = setting("tspath", values.path, show=lambda path: path or "the system's")
    trust_password: Secret | None = setting("tspass", Secret)
    #: None: the host; "-": not checked
    peer_name: str | None = setting("peercert", certificate_name, show=written)
    #: SHA-256, 64 lower-case hex digits each
    fingerprints: tuple[str, ...] = setting(
        "fingerprint", values.fingerprints, "", show=written, phrase=lambda _: ", its certificate pinned"
    )
    minimum_version: str = setting("proto", choices.tls_version, "TLSv1.2", show=lambda version: f"{version} or newer")
    #: accept short keys, SHA-1, and servers without RFC 5746
    legacy: bool = setting("legacy", values.boolean, "N", show=written, phrase=lambda _: ", outdated TLS included")
    #: None: see patience()
    handshake_timeout: float | None = setting("timeout", values.positive_duration, show=written, called="timeout (TLS)")
    #: PEM with certificate and key, or PKCS#12
    key_store: str | None = setting("kspath", values.path, show=written)
    key_store_password: Secret | None = setting("kspass", Secret)
    certificate_password: Secret | None = setting("certpass", Secret)
    #: the name of an entry in a PKCS#12 store
    certificate: str | None = setting("cert", values.one_line)
    #: False for a mail server on this machine; not in the configuration
    verified: bool = True

    def patience(self, timeout: float) -> float:
        """Return the seconds that a handshake may take; `timeout` is the session's timeout for the server."""
        return min(timeout, LONGEST_HANDSHAKE) if self.handshake_timeout is None else self.handshake_timeout


def host_forms(host: str, written: str) -> tuple[str, str]:
    """Return a host in ASCII and as written. `written` is ignored if it is empty or another host."""
    name = ascii_host(host)
    return name, written if written and ascii_host(written) == name else host


@dataclass(frozen=True, slots=True)
class Server:
    """The POP3 server of a client. `host` may be given as written: the ASCII form is derived from it."""

    #: in ASCII, without a trailing dot; an IPv6 address without brackets
    host: str = field(metadata=required("address", server_address))
    port: int
    username: str | None = setting("<username>", values.one_line)
    password: PasswordSource | None = setting("<password>", literal)
    #: in order; without those that cannot be used (no username, no TLS for EXTERNAL)
    auth_types: tuple[AuthType, ...] = setting("<authtypes>", choices.auth_types, written(choices.DEFAULT_AUTH_TYPES))
    initial_response: bool = False
    tls: TlsPolicy | None = None
    oauth: OAuth | None = None  # in place of a password
    written: str = ""  # the host as in the configuration, for people

    def __post_init__(self) -> None:
        host, written = host_forms(self.host, self.written)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "written", written)

    @property
    def address(self) -> str:
        """host:port for people, the host as written, with brackets around an IPv6 address."""
        return with_port(self.written, self.port)

    @property
    def look_up_name(self) -> str:
        """The name for the DNS look-up: the host, with a trailing dot if one was written."""
        return look_up_name(self.host, self.written)

    @property
    def account_key(self) -> tuple[str, int, str]:
        """The key of the account, for comparison."""
        return account_key(self.host, self.port, self.account)

    @property
    def account(self) -> str:
        """The username, else the client certificate as KSPATH#ENTRY, else an empty string.

        The journal keeps it: in another form, every message of the account would be new.
        """
        if self.username or self.tls is None or self.tls.key_store is None:
            return self.username or ""
        return f"{self.tls.key_store}#{self.tls.certificate or ''}"
