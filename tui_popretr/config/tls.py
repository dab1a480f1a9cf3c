"""The settings of TLS: the <ssl> element."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from tui_popretr.config import values
from tui_popretr.config.account import TlsPolicy
from tui_popretr.config.choices import UNSAFE_TLS_VERSIONS
from tui_popretr.config.section import NO_VALUE, Section
from tui_popretr.config.setting import Setting
from tui_popretr.config.values import InvalidValueError

_PKCS12, _PEM, _JKS = "PKCS12", "PEM", "JKS"
_STORE_TYPES = {_PKCS12: _PKCS12, "P12": _PKCS12, "PFX": _PKCS12, _PEM: _PEM, _JKS: _JKS, "JCEKS": _JKS}
_TRUST_TYPE, _KEY_TYPE = (Setting(name, values.choice(_STORE_TYPES)) for name in ("tstype", "kstype"))
#: What kind of stores tspath and kspath are.
STORE_TYPES = (_TRUST_TYPE, _KEY_TYPE)
_EXTENSIONS = {".jks": _JKS, ".jceks": _JKS}
_MAGIC = {b"\xfe\xed\xfe\xed": _JKS, b"\xce\xce\xce\xce": _JKS}


def read_tls(section: Section) -> TlsPolicy:
    """Return the policy of an <ssl> element that is present and enabled."""
    trust_path = section.field(TlsPolicy, "trust_path", parse=_store(section, _TRUST_TYPE))
    key_store = section.field(TlsPolicy, "key_store", parse=_store(section, _KEY_TYPE))
    fingerprints = section.field(TlsPolicy, "fingerprints")
    peer_name = _peer_name(section, pinned=bool(fingerprints))
    found = section.read(
        TlsPolicy, trust_path=trust_path, key_store=key_store, fingerprints=fingerprints, peer_name=peer_name
    )
    for path, name in ((trust_path, "tspath"), (key_store, "kspath")):
        value = section.attribute_value(name)
        if path and value and not os.path.exists(path):
            section.warning(f"{name}: there is no file {path}", value.place)
    if found.certificate and not key_store and not section.uncertain_attribute("kspath"):
        section.error("cert names an entry of a key store, but kspath is missing", section.place_of("cert"))
    if fingerprints:
        for name in ("tspath", "peercert"):
            if section.attribute_value(name):
                section.warning(
                    f"{name} has no effect: a certificate whose fingerprint is right is accepted without other checks",
                    section.place_of(name),
                )
    if found.minimum_version in UNSAFE_TLS_VERSIONS:
        section.warning(
            f"{found.minimum_version} is no longer safe: what is sent may be read, and certificates are checked less"
            " strictly",
            section.place_of("proto"),
        )
    if found.legacy:
        section.warning(
            'legacy="Y" accepts short keys, SHA-1 signatures and servers without secure renegotiation (RFC 5746):'
            " others may be able to read the connection",
            section.place_of("legacy"),
        )
    return found


def _peer_name(section: Section, *, pinned: bool) -> str | None:
    value = section.attribute_value("peercert")
    if value and value.text == NO_VALUE:
        if not pinned:
            section.warning('peercert="-" switches the check of the certificate\'s name off', value.place)
        return NO_VALUE
    name: str | None = section.field(TlsPolicy, "peer_name")
    return name


def _store(section: Section, type_setting: Setting) -> Callable[[str], str]:
    """Return a parser of paths of key stores that refuses Java's own format."""
    kind = section.value(type_setting)

    def parse(text: str) -> str:
        path = section.context.resolve(text)
        # keytool has long written PKCS#12 into files called .jks, so the content of the file counts first
        found = _content(path) or kind or _EXTENSIONS.get(os.path.splitext(path)[1].lower())
        if found == _JKS:
            target = f"{os.path.splitext(path)[0]}.p12"
            raise InvalidValueError(
                f"{path} is a Java key store (JKS), which cannot be read here; convert it with: keytool -importkeystore"
                f" -srckeystore {shlex.quote(path)} -destkeystore {shlex.quote(target)} -deststoretype PKCS12"
            )
        return path

    return parse


def _content(path: str) -> str | None:
    """Return the type of a key store by its content; None if the file cannot be read."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            return _MAGIC.get(file.read(4), _PKCS12)
    except OSError:
        return None
