"""A client's settings in the configuration's own words, without secrets: for the dashboard's details."""

from __future__ import annotations

from tui_popretr.config.model import (
    ClientSettings,
    CommandDestination,
    Destination,
    FolderDestination,
    FromCommand,
    FromEnvironment,
    FromFile,
    Literal,
    MaildirDestination,
    PasswordSource,
    SmtpDestination,
    TlsPolicy,
)
from tui_popretr.facts import ClientInfo
from tui_popretr.secret import STARS


def client_info(client: ClientSettings, timeout: float) -> ClientInfo:
    """Return what may be shown of a client; `timeout` is the response timeout in seconds."""
    server = client.server
    return ClientInfo(
        id=client.id,
        server=server.address,
        user=server.username or "",
        security=_security(server.tls),
        recip=client.recip,
        destination=_destination(client.destination),
        frequency=client.frequency,
        settings=tuple(_settings(client, timeout)),
    )


def disabled_info(client: str) -> ClientInfo:
    """Return what there is to show of a client with enabled="N": its id."""
    return ClientInfo(client, "", "", "", "", "", 0.0, (("enabled", "N"),), enabled=False)


def _settings(client: ClientSettings, timeout: float) -> list[tuple[str, str]]:
    server = client.server
    settings = [
        ("server", server.address),
        ("username", server.username or "-"),
        ("password", _password(server.password)),
        ("authtypes", " | ".join(each.value for each in server.auth_types)),
        ("initrsp", _yes_no(server.initial_response)),
        ("security", _security(server.tls)),
        ("recip", client.recip),
        ("destination", _destination(client.destination)),
        ("freq", duration(client.frequency)),
        ("runs", str(client.runs) if client.runs else "no limit"),
        ("preserve", _yes_no(client.retention.preserve)),
        ("newonly", _yes_no(client.retention.new_only)),
        ("capa", client.capa.value),
        ("pipelining", "auto" if client.pipelining else "N"),
        ("fulltrans", _yes_no(client.full_transcript)),
        ("omitreceivedheader", _yes_no(client.omit_received)),
        ("timeout", duration(timeout)),
    ]
    match client.destination:
        case MaildirDestination(modes=modes) | FolderDestination(modes=modes):
            settings += [("filemode", f"0{modes.file:o}"), ("foldermode", f"0{modes.folder:o}")]
        case SmtpDestination(drop_delivered=dropping, timeout=patience, rejected=rejected):
            settings += [("timeout (SMTP)", duration(patience)), ("dropdelivered", _yes_no(dropping))]
            settings.append(("rejected", rejected or "-"))
    if client.retention.delete_after is not None:
        settings.append(("deleteafter", duration(client.retention.delete_after)))
    if client.retention.max_size is not None:
        settings.append(("maxsize", f"{client.retention.max_size} octets"))
    if client.retention.max_messages is not None:
        settings.append(("maxmessages", str(client.retention.max_messages)))
    return settings + _tls_settings(server.tls, timeout)


def _tls_settings(policy: TlsPolicy | None, timeout: float) -> list[tuple[str, str]]:
    if policy is None:
        return []
    settings = [
        ("proto", f"{policy.minimum_version} or newer"),
        ("legacy", _yes_no(policy.legacy)),
        ("timeout (TLS)", duration(policy.patience(timeout))),
    ]
    if policy.fingerprints:  # the other two have no effect then
        settings.append(("fingerprint", " | ".join(policy.fingerprints)))
    else:
        settings.insert(0, ("tspath", policy.trust_path or "the system's"))
        if policy.peer_name is not None:
            settings.append(("peercert", policy.peer_name))
    if policy.key_store is not None:
        settings.append(("kspath", policy.key_store))
    return settings


def duration(seconds: float) -> str:
    """Return a time as the configuration writes it: 1h30m, 500ms, 0s."""
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _yes_no(value: bool) -> str:
    return "Y" if value else "N"


def _security(policy: TlsPolicy | None) -> str:
    if policy is None:
        return "clear"
    return "STLS" if policy.latent else "TLS"


def _password(source: PasswordSource | None) -> str:
    match source:
        case None:
            return "-"
        case Literal():
            return STARS
        case FromEnvironment(name):
            return f"from the environment variable {name}"
        case FromFile(path):
            return f"from the file {path}"
        case FromCommand(argv):
            return f"from the command {argv[0]}"


def _destination(destination: Destination) -> str:
    match destination:
        case MaildirDestination(path=path):
            return f"Maildir {path}"
        case FolderDestination(path=path):
            return f"folder {path}"
        case SmtpDestination(recipients=recipients):
            return f"SMTP to {', '.join(recipients)}"
        case CommandDestination(argv=argv):
            return f"command {argv[0]}"
