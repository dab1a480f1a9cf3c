"""A client in one or two sentences, for people who want to know what a configuration will do."""

from __future__ import annotations

from tui_popretr.config.model import (
    AuthType,
    CapaUse,
    ClientSettings,
    CommandDestination,
    Destination,
    FolderDestination,
    FromCommand,
    FromEnvironment,
    FromFile,
    Literal,
    MaildirDestination,
    Modes,
    PasswordSource,
)
from tui_popretr.text import visible
from tui_popretr.wording import plural

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def describe(client: ClientSettings) -> str:
    """Return what the client will do: where from, how often, which login, where to, what happens on the server."""
    return visible(
        f"{_schedule(client)}, retrieves {_what(client)} from {_source(client)}, logging in {_login(client)}, and"
        f" {_target(client.destination)}. {_afterwards(client)}",
        4096,
    )


def span(seconds: float) -> str:
    """Return a time in words, as `1 hour 30 minutes`."""
    parts: list[str] = []
    rest = round(seconds * 1000)
    for size, name in _UNITS:
        number, rest = divmod(rest, size * 1000)
        if number:
            parts.append(plural(number, name))
    if rest or not parts:
        parts.append(f"{rest} ms")
    return " ".join(parts)


def octets(number: int) -> str:
    """Return a size in the configuration's own units, as `25M`."""
    for unit, name in ((1024**3, "G"), (1024**2, "M"), (1024, "K")):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return f"{number} octets"


def _schedule(client: ClientSettings) -> str:
    times = "once" if client.runs == 1 else f"{client.runs} times"
    if client.frequency == 0:
        if client.runs == 0:
            return "Over and over without a pause"
        return "Once" if client.runs == 1 else f"{times} in succession"
    if client.runs == 1:
        return "Once"
    every = f"very {span(client.frequency).removeprefix('1 ')}" if _single(client.frequency) else None
    every = f"E{every}" if every else f"Every {span(client.frequency)}"
    return f"{every}, {times} in all" if client.runs else every


def _single(seconds: float) -> bool:
    return seconds in {size for size, _ in _UNITS}


def _what(client: ClientSettings) -> str:
    what = "new mail" if client.retention.new_only else "all mail"
    if client.retention.max_messages is None:
        return what
    number = plural(client.retention.max_messages, "message")
    return f"{what} (at most {number}{'' if client.runs == 1 else ' at a time'})"


def _source(client: ClientSettings) -> str:
    server = client.server
    habits = ", one command at a time" if not client.pipelining else ""
    if client.capa is CapaUse.NEVER:
        habits += ", never asking for its capabilities"
    if server.tls is None:
        return f"{server.address} without TLS{habits}"
    pinned = ", its certificate pinned" if server.tls.fingerprints else ""
    legacy = ", outdated TLS included" if server.tls.legacy else ""
    return f"{server.address} over TLS{' (STLS)' if server.tls.latent else ''}{pinned}{legacy}{habits}"


def _login(client: ClientSettings) -> str:
    server = client.server
    who = f"as {server.username}" if server.username else "by the client certificate"
    methods = ", else ".join(auth_type.value for auth_type in server.auth_types)
    needed = server.password is not None and any(each is not AuthType.SASL_EXTERNAL for each in server.auth_types)
    return f"{who} with {methods}{_password(server.password) if needed else ''}"


def _password(source: PasswordSource | None) -> str:
    match source:
        case FromEnvironment(name):
            return f" (password from ${name})"
        case FromFile(path):
            return f" (password from {path})"
        case FromCommand(argv):
            return f" (password from the command {argv[0]})"
        case Literal() | None:
            return ""


def _target(destination: Destination) -> str:
    match destination:
        case MaildirDestination(path, mailbox, modes=modes):
            where = f"the mailbox of {mailbox} ({path})" if mailbox else f"the Maildir {path}"
            return f"delivers it to {where}{_modes(modes)}"
        case FolderDestination(path, modes=modes):
            return f"saves each message as a file in {path}{_modes(modes)}"
        case CommandDestination(argv):
            return f"hands each message to the command {argv[0]}"
        case _:
            protocol = "LMTP" if destination.lmtp else "SMTP"
            where = destination.address
            dropping = ", without its Delivered-To lines" if destination.drop_delivered else ""
            saving = f"; what is refused for good is saved in {destination.rejected}" if destination.rejected else ""
            recipients = ", ".join(destination.recipients)
            return f"sends it by {protocol} through {where} to {recipients}{dropping}{saving}"


def _modes(modes: Modes) -> str:
    if modes == Modes():
        return ""
    return f", with mode 0{modes.file:o} for files and 0{modes.folder:o} for new folders"


def _afterwards(client: ClientSettings) -> str:
    """What becomes of the mail on the server, and whether it is retrieved again."""
    fate = _fate(client)
    if client.retention.max_size is None:
        return fate
    return f"{fate} Messages larger than {octets(client.retention.max_size)} are not retrieved and stay on the server."


def _fate(client: ClientSettings) -> str:
    marked = "; what mark-seen or import-seen has marked stays there" if client.retention.new_only else ""
    if not client.retention.preserve:
        return f"What was delivered is deleted from the server, except messages that arrive cut short{marked}."
    if client.retention.delete_after is None:
        if client.retention.new_only:
            return "Everything stays on the server, and each message is retrieved once."
        again = "all of it" if client.retention.max_messages is None else "the same messages"
        return f"Everything stays on the server, and the next run retrieves {again} again."
    when = f"by the first run after {span(client.retention.delete_after)}"
    if client.retention.new_only:
        return (
            f"Each message is retrieved once, and deleted from the server {when}, unless it arrived cut short{marked}."
        )
    return (
        f"What was delivered is deleted from the server {when}, except messages that arrive cut short;"
        " until then each run retrieves it again."
    )
