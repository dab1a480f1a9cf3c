"""Everything that can go wrong, named by the situation, with what the user can do about it and the exit code.

This is the one place where a situation is mapped to an exit code (sysexits) and to advice. Raise the class that names
the situation; its message says what happened in plain words, without secrets and with server text neutralised.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple


class ExitCode(IntEnum):
    """Exit codes of the program, as in sysexits(3)."""

    OK = 0
    USAGE = 64
    UNAVAILABLE = 69
    SOFTWARE = 70
    CANT_CREATE = 73
    IO_ERROR = 74
    TEMPORARY = 75
    PROTOCOL = 76
    LOGIN = 77
    CONFIGURATION = 78


#: Worst first: the exit code of several clients is the first of these that occurs (SPEC 7).
SEVERITY = (
    ExitCode.SOFTWARE,
    ExitCode.CONFIGURATION,
    ExitCode.LOGIN,
    ExitCode.PROTOCOL,
    ExitCode.IO_ERROR,
    ExitCode.CANT_CREATE,
    ExitCode.UNAVAILABLE,
    ExitCode.TEMPORARY,
    ExitCode.OK,
)


def worst(codes: list[ExitCode]) -> ExitCode:
    """Return the worst of several exit codes, OK when there are none."""
    return min(codes, key=SEVERITY.index, default=ExitCode.OK)


class PopretrError(Exception):
    """Something went wrong that the user can be told about in words.

    str(error) says what happened. `advice` says what to do about it, "" where there is nothing to say.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.SOFTWARE
    default_advice: ClassVar[str] = ""
    #: The error was concluded from a server's text only, which may mean something else.
    judged_by_text: bool = False

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = self.default_advice if advice is None else advice


class UsageError(PopretrError):
    """The command line cannot be understood, or asks for what there is not."""

    exit_code = ExitCode.USAGE


class ConfigurationError(PopretrError):
    """The configuration cannot be used."""

    exit_code = ExitCode.CONFIGURATION


# --- reaching the server --------------------------------------------------------------------------------------------


class ServerUnreachable(PopretrError):
    """No connection: refused, no route, or nobody answered in time."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "check the address and port, and whether the server is up"


class HostNotFound(ServerUnreachable):
    """The host name has no address, or the resolver failed."""

    default_advice = "check the spelling of the host name and this machine's DNS"


class ConnectionCut(PopretrError):
    """The connection ended before the dialogue did."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run"


class ServerStalled(PopretrError):
    """The server did not answer, or a message made no progress, within the timeout."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run; raise <timeout> if the server is only slow"


class GreetingRefused(PopretrError):
    """The server greeted with -ERR."""

    exit_code = ExitCode.UNAVAILABLE


class ProtocolViolation(PopretrError):
    """The server sent what POP3 does not allow, or more of it than is sane."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "check that address and port are those of a POP3 server"


class CommandRefused(PopretrError):
    """-ERR to a command without which the session cannot go on."""

    exit_code = ExitCode.PROTOCOL


class UidlUnavailable(PopretrError):
    """newonly or deleteafter is set and the server gives no usable UIDs."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "newonly and deleteafter need UIDL; remove them from this client"


# --- TLS ------------------------------------------------------------------------------------------------------------


class TlsFailed(PopretrError):
    """No TLS where TLS is configured; nothing secret was sent."""

    exit_code = ExitCode.PROTOCOL


class StlsRefused(TlsFailed):
    """The server does not offer STLS or answered it with -ERR."""

    default_advice = 'if the server speaks TLS from the first byte (port 995), use <ssl latent="N"/>'


class PlaintextInjected(TlsFailed):
    """Bytes arrived in clear behind STLS's +OK: somebody may be tampering with the connection."""


class CertificateRejected(TlsFailed):
    """The server's certificate is expired, not trusted, for another name, or not the pinned one.

    `fingerprint` is its SHA-256, in hex, where it would do to pin it; "" otherwise.
    """

    def __init__(self, message: str, *, advice: str | None = None, fingerprint: str = "") -> None:
        super().__init__(message, advice=advice)
        self.fingerprint = fingerprint


class ClientCertificateRejected(TlsFailed):
    """The server wants a client certificate, or another one than it was shown."""

    default_advice = "set kspath to a client certificate that the server's operator has agreed to"


# --- login ----------------------------------------------------------------------------------------------------------


class LoginFailed(PopretrError):
    """The login did not succeed."""

    exit_code = ExitCode.LOGIN


class LoginRejected(LoginFailed):
    """The server rejected the credentials (each mechanism that was usable, in turn)."""

    default_advice = "check username and password"


class TlsRequired(LoginRejected):
    """The server lets nobody log in without TLS, and none is configured."""

    default_advice = 'add <ssl latent="Y"/> to the client, or <ssl/> where the server has TLS at port 995'


class ServerNotAuthenticated(LoginFailed):
    """The server did not prove that it knows the password (SCRAM): it may not be the one that it claims to be."""

    default_advice = "somebody may be between you and the server; ask its operator before you use another authtype"


class NoUsableMechanism(LoginFailed):
    """None of the configured authtypes can be used with this server or with what is configured."""


class PasswordUnavailable(LoginFailed):
    """The password's environment variable, file or command gave none."""

    exit_code = ExitCode.CONFIGURATION


class MailboxInUse(PopretrError):
    """[IN-USE]: another session holds the maildrop's lock (RFC 2449 §8.1.1)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "another program has the mailbox open; it is tried again at the next run"


class LoginDelayed(PopretrError):
    """[LOGIN-DELAY]: the server wants more time between logins (RFC 2449 §8.1.2)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "raise freq to what the server allows"


class ServerTemporaryFailure(PopretrError):
    """[SYS/TEMP]: the server has a problem that should pass (RFC 3206 §4)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run"


class ServerPermanentFailure(PopretrError):
    """[SYS/PERM]: the server has a problem that needs somebody's attention (RFC 3206 §4)."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "tell the server's operator"


# --- delivery and journal -------------------------------------------------------------------------------------------


class DeliveryFailed(PopretrError):
    """A message could not be stored; it stays on the server."""

    exit_code = ExitCode.IO_ERROR
    #: Whether the receiver refused this message, or all its recipients, for good (5yz). False if our configuration is
    #: the cause: no login or TLS, a sender that is not accepted, relaying that is denied.
    refused_for_good: bool = False


class CannotCreate(DeliveryFailed):
    """A file or folder of the destination cannot be created."""

    exit_code = ExitCode.CANT_CREATE


class DestinationTimeout(DeliveryFailed):
    """The destination does not answer: a network file system is gone, or a disk hangs. Nobody knows what it did."""

    exit_code = ExitCode.TEMPORARY


class PartlyAccepted(DeliveryFailed):
    """Some recipients have accepted a message and others have not; the next session sends to the others only."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is sent to the others at the next run"

    def __init__(
        self, text: str, accepted: tuple[str, ...] = (), *, for_good: bool = False, advice: str | None = None
    ) -> None:
        """`for_good`: all the others have refused it for good."""
        super().__init__(text, advice=advice)
        self.accepted = accepted
        self.refused_for_good = for_good


class SmtpServerUnreachable(DeliveryFailed):
    """The mail server that is to take the messages (SMTP, LMTP) cannot be reached, or takes none."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see whether the mail server runs, and whether <address> in <smtp> is right"


class SmtpTemporaryFailure(DeliveryFailed):
    """The mail server put something off (4yz), did not answer in time, or closed the connection."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run"


class SmtpServerRefused(DeliveryFailed):
    """The mail server refused for good (5yz) what every message needs: our sender, or mail from us at all."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see the mail server's log; its reasons may lie in sender, recip or the server's own settings"


class RecipientsRefused(SmtpServerRefused):
    """The mail server refused all recipients for good (5yz to RCPT), and not because of our configuration."""

    refused_for_good = True


class MessageRejected(DeliveryFailed):
    """The mail server refused this very message for good (5yz); other messages are not concerned."""

    exit_code = ExitCode.UNAVAILABLE
    refused_for_good = True
    default_advice = (
        "it is not lost: fetch it from the POP3 server by another program, or change the mail server's rules"
    )


class SmtpLoginFailed(DeliveryFailed):
    """The mail server did not accept username and password, offers no login, or takes no mail without one."""

    exit_code = ExitCode.LOGIN
    default_advice = "check <username> and <password> in <smtp>"


class SmtpServerNotTrusted(DeliveryFailed):
    """No TLS with the mail server where TLS is configured; nothing secret was sent."""

    exit_code = ExitCode.PROTOCOL


class SmtpProtocolError(DeliveryFailed):
    """The mail server sent what its protocol does not allow, or more of it than is sane."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "check that <address> is that of an SMTP server, or with <lmtp>Y</lmtp> of an LMTP server"


class CommandUnusable(DeliveryFailed):
    """The command that is to take the messages (mda) is not there or cannot be run."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see whether it is installed; in <mda> it may be named with its whole path"


class CommandDeferred(DeliveryFailed):
    """The command put the message off (exit code 75), took too long, or was killed."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run"


class CommandFailed(DeliveryFailed):
    """The command did not accept the message: it ended with an exit code that means a lasting failure."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "run the command by hand as the same user, with a message on its standard input, to see why"


class MessageRefused(PopretrError):
    """The server does not send a message that it lists; it stays there."""

    exit_code = ExitCode.TEMPORARY


class MessagesSkipped(PopretrError):
    """The session went well but some messages could not be retrieved; they stay on the server."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is tried again at the next run"


class JournalError(PopretrError):
    """The journal cannot be used; without it nothing is deleted from any server."""

    exit_code = ExitCode.IO_ERROR


class JournalWithoutThread(JournalError):
    """The system starts no thread for the journal: it is as it was."""

    exit_code = ExitCode.TEMPORARY


class JournalMisplaced(JournalError):
    """The journal cannot be made or written where it is configured: the place is wrong rather than the moment."""

    exit_code = ExitCode.CANT_CREATE


class JournalLocked(JournalError):
    """Another process has the journal open."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "another tui-popretr runs on this configuration; stop it first"


class JournalDamaged(JournalError):
    """The journal is not an intact SQLite database of ours."""


class JournalFromFuture(JournalError):
    """The journal was written by a newer version of the program."""

    exit_code = ExitCode.CONFIGURATION
    default_advice = "install the newer version again"


class SessionStopped(PopretrError):
    """The user or a shutdown ended the session; what was delivered is known to the journal."""

    exit_code = ExitCode.OK


class SystemLimit(PopretrError):
    """The system allows the program fewer threads or descriptors than it needs."""

    exit_code = ExitCode.TEMPORARY


def out_of_threads(problem: BaseException) -> SystemLimit | None:
    """Return the error to report where a thread could not be started, None for any other problem."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    if not isinstance(problem, RuntimeError) or "can't start new thread" not in str(problem):
        return None
    return SystemLimit(
        "the limit of processes and threads is too low: the system starts no further thread",
        advice="raise it: ulimit -u, TasksMax= in a service's unit, or the container's limit of processes",
    )


# --- the system's errors --------------------------------------------------------------------------------------------


class FileUnusable(NamedTuple):
    """What an error of the system means for a file that was to be written."""

    words: str
    advice: str = ""  # "" where there is nothing to say
    misplaced: bool = False  # the place is wrong rather than the moment


DISK_FULL: Final = FileUnusable("the disk is full", "make room on the disk; it is tried again at the next run")
READ_ONLY: Final = FileUnusable("the file system is read-only", "mount it writable, and look why it is not", True)
NO_PERMISSION: Final = FileUnusable("permission denied", "give the program's user the right to write there", True)
BROKEN_DISK: Final = FileUnusable(
    "the disk reports an input/output error", "look into the system's log: the disk may be failing"
)

_FILE_TROUBLES: Final = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: FileUnusable(
        "the disk quota is used up", "make room or raise the quota; it is tried again at the next run"
    ),
    errno.EROFS: READ_ONLY,
    errno.EACCES: NO_PERMISSION,
    errno.EPERM: NO_PERMISSION,
    errno.ENOTDIR: FileUnusable(
        "a part of the path is not a folder", "move the file away that stands in the folder's place", True
    ),
    errno.EISDIR: FileUnusable("there is a folder of that name", "name another file, or move the folder away", True),
    errno.EEXIST: FileUnusable("there is something of that name already", "", True),
    errno.ENOENT: FileUnusable("it does not exist", "", True),
    errno.ELOOP: FileUnusable("a symbolic link stands in the way", "", True),
    errno.ENAMETOOLONG: FileUnusable("the name is too long", "choose a shorter path", True),
    errno.EIO: BROKEN_DISK,
    errno.EFBIG: FileUnusable("the file is larger than the system allows"),
    errno.EMFILE: FileUnusable("too many open files", "raise the limit of open files (ulimit -n)"),
    errno.ENFILE: FileUnusable("too many open files in the whole system"),
}


def file_unusable(error: OSError) -> FileUnusable:
    """Return what an OSError means for a file that was to be written, in words that fit behind "cannot write FILE:"."""
    return _FILE_TROUBLES.get(error.errno or 0, FileUnusable(describe_os_error(error)))


def describe_os_error(error: OSError) -> str:
    """Return an OSError's reason in a few words, without the errno and the path."""
    return (error.strerror or str(error) or type(error).__name__).lower()
