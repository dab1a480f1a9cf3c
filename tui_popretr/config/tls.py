"""The settings of TLS: the <ssl> element."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from tui_popretr.config import values
from tui_popretr.config.addresses import server_address
from tui_popretr.config.model import TlsPolicy
from tui_popretr.config.paths import PathResolver
from tui_popretr.config.section import NO_VALUE, Section
from tui_popretr.config.values import InvalidValueError

_DEFAULTS = TlsPolicy()
_UNSAFE = ("TLSv1", "TLSv1.1")  # RFC 8996
_VERSIONS = dict.fromkeys((*_UNSAFE, "TLSv1.2", "TLSv1.3"))
_PKCS12, _PEM, _JKS = "PKCS12", "PEM", "JKS"
_STORE_TYPES = {_PKCS12: _PKCS12, "P12": _PKCS12, "PFX": _PKCS12, _PEM: _PEM, _JKS: _JKS, "JCEKS": _JKS}
_EXTENSIONS = {".jks": _JKS, ".jceks": _JKS}
_MAGIC = {b"\xfe\xed\xfe\xed": _JKS, b"\xce\xce\xce\xce": _JKS}


def read_tls(section: Section, resolver: PathResolver) -> TlsPolicy:
    """Return the policy of an <ssl> element that is present and enabled."""
    trust_path = section.attribute("tspath", _store(section, "tstype", resolver), None)
    key_store = section.attribute("kspath", _store(section, "kstype", resolver), None)
    for path, name in ((trust_path, "tspath"), (key_store, "kspath")):
        value = section.attribute_value(name)
        if path and value and not os.path.exists(path):
            section.warning(f"{name}: there is no file {path}", value.place)
    certificate = section.attribute("cert", values.one_line, None)
    if certificate and not key_store and not section.doubtful_attribute("kspath"):
        section.error("cert names an entry of a key store, but kspath is missing", section.place_of("cert"))
    pins = section.attribute("fingerprint", _fingerprints, ())
    if pins:
        for name in ("tspath", "peercert"):
            if section.attribute_value(name):
                section.warning(
                    f"{name} has no effect: a certificate whose fingerprint is right is accepted without other checks",
                    section.place_of(name),
                )
    minimum = section.attribute("proto", values.choice(_VERSIONS), _DEFAULTS.minimum_version)
    if minimum in _UNSAFE:
        section.warning(
            f"{minimum} is no longer safe: what is sent may be read, and certificates are checked less strictly",
            section.place_of("proto"),
        )
    legacy = section.attribute("legacy", values.boolean, _DEFAULTS.legacy)
    if legacy:
        section.warning(
            'legacy="Y" accepts short keys, SHA-1 signatures and servers without secure renegotiation (RFC 5746):'
            " others may be able to read the connection",
            section.place_of("legacy"),
        )
    return TlsPolicy(
        latent=section.attribute("latent", values.boolean, _DEFAULTS.latent),
        trust_path=trust_path,
        trust_password=section.secret_attribute("tspass"),
        peer_name=_peer_name(section, pinned=bool(pins)),
        certificate=certificate,
        key_store=key_store,
        key_store_password=section.secret_attribute("kspass"),
        certificate_password=section.secret_attribute("certpass"),
        minimum_version=minimum,
        legacy=legacy,
        handshake_timeout=section.attribute("timeout", values.positive_duration, None),
        fingerprints=pins,
    )


def _peer_name(section: Section, *, pinned: bool) -> str | None:
    value = section.attribute_value("peercert")
    if value and value.text == NO_VALUE:
        if not pinned:
            section.warning('peercert="-" switches the check of the certificate\'s name off', value.place)
        return NO_VALUE
    return section.attribute("peercert", _certificate_name, None)


def _certificate_name(text: str) -> str:
    """A host, whose port and brackets are ignored; or any other text, because a common name may be any text."""
    try:
        host, _ = server_address(f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text)
    except InvalidValueError:
        return values.printable(text)
    return host


def _fingerprints(text: str) -> tuple[str, ...]:
    return tuple(values.fingerprint(item) for item in values.items(text))


def _store(section: Section, type_name: str, resolver: PathResolver) -> Callable[[str], str]:
    """Return a parser of paths of key stores that refuses Java's own format."""
    kind = section.attribute(type_name, values.choice(_STORE_TYPES), None)

    def parse(text: str) -> str:
        path = resolver.path(text)
        # keytool has long written PKCS#12 into files called .jks: what is in the file counts first
        found = _content(path) or _STORE_TYPES.get(kind or "") or _EXTENSIONS.get(os.path.splitext(path)[1].lower())
        if found == _JKS:
            target = f"{os.path.splitext(path)[0]}.p12"
            raise InvalidValueError(
                f"{path} is a Java key store (JKS), which cannot be read here; convert it with: keytool -importkeystore"
                f" -srckeystore {shlex.quote(path)} -destkeystore {shlex.quote(target)} -deststoretype PKCS12"
            )
        return path

    return parse


def _content(path: str) -> str | None:
    """Return what kind of store a file holds, None where it cannot be read here."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return _MAGIC.get(file.read(4), _PKCS12)
    except OSError:
        return None
