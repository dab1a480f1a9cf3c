"""The errors that are reported to the user, each with its exit code and advice.

A class names a situation; only here is a situation mapped to an exit code (sysexits(3)) and to default advice. The
message says what happened, without secrets; text of a server in it is neutralised (text.visible()).
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


#: Worst first: the exit code for several clients is the first of these that occurs.
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
    """Return the worst of several exit codes, OK if there are none."""
    return min(codes, key=SEVERITY.index, default=ExitCode.OK)


#: The advice for an error that may be gone at the next session.
RETRIED: Final = "it is tried again at the next run"
#: The advice for messages and deletions that have failed session.plan.POISON_FAILURES times.
RESTS: Final = "what has failed three times rests before it is tried again: 30 min, then twice as long each time"


class PopretrError(Exception):
    """An error with a text for the user. str(error) says what happened; `advice` says what to do about it, or is ""."""

    exit_code: ClassVar[ExitCode] = ExitCode.SOFTWARE
    default_advice: ClassVar[str] = ""
    #: The error was recognised only by the text of a server's reply, which may mean something else.
    judged_by_text: bool = False
    #: Only `tui-popretr login` helps: an access token is missing. A new attempt costs nothing, and finds a new token.
    login_missing: bool = False

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = self.default_advice if advice is None else advice


class UsageError(PopretrError):
    """The command line is invalid, or names something that does not exist."""

    exit_code = ExitCode.USAGE


class ConfigurationError(PopretrError):
    """The configuration cannot be used."""

    exit_code = ExitCode.CONFIGURATION


class NoConfiguration(ConfigurationError):
    """No configuration is named, and none is in the usual places."""

    default_advice = (
        "make one with: tui-popretr init; or see it work without one: tui-popretr demo; or name an existing one after"
        " the command"
    )


class DaemonUnavailable(PopretrError):
    """No daemon answers on the control socket of the configuration."""

    exit_code = ExitCode.UNAVAILABLE


# --- reaching the server --------------------------------------------------------------------------------------------


class ServerUnreachable(PopretrError):
    """No connection: refused, no route, or no answer in time."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "check the address and port, and whether the server is up"


class HostNotFound(ServerUnreachable):
    """The host name has no address, or the resolver failed."""

    default_advice = "check the spelling of the host name and this machine's DNS"


class ConnectionCut(PopretrError):
    """The connection ended before the session was complete."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class ServerStalled(PopretrError):
    """The server did not answer, or sent nothing more of a message, within the timeout."""

    exit_code = ExitCode.TEMPORARY
    default_advice = f"{RETRIED}; raise <timeout> if the server is only slow"


class GreetingRefused(PopretrError):
    """The server greeted with -ERR."""

    exit_code = ExitCode.UNAVAILABLE


class ProtocolViolation(PopretrError):
    """The server sent something that POP3 does not allow, or more than our limits."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "check that address and port are those of a POP3 server"


class CommandRefused(PopretrError):
    """The server answered -ERR to a command that the session needs."""

    exit_code = ExitCode.PROTOCOL


class WebRequestFailed(PopretrError):
    """A web server does not have the document, or does not send it."""

    exit_code = ExitCode.PROTOCOL


class WebServerSilent(WebRequestFailed):
    """A web server does not answer in time."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class UidlUnavailable(PopretrError):
    """newonly or deleteafter is set, but the server has no usable UIDs."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "newonly and deleteafter need UIDL; remove them from this client"


# --- TLS ------------------------------------------------------------------------------------------------------------


class TlsFailed(PopretrError):
    """TLS is configured but could not be started; no secret was sent."""

    exit_code = ExitCode.PROTOCOL


class StlsRefused(TlsFailed):
    """The server does not offer STLS, or answered it with -ERR."""

    default_advice = 'if the server speaks TLS from the first byte (port 995), use <ssl latent="N"/>'


class PlaintextInjected(TlsFailed):
    """Octets arrived in clear after the +OK of STLS: an attacker may have injected them."""


class CertificateRejected(TlsFailed):
    """The server's certificate is expired, not trusted, for another name, or not the pinned one.

    `fingerprint` is its SHA-256 in hex if pinning it would help, else "". `mismatch` is a sentence about the names if
    they differ ("the certificate is for a.test, not for b.test"), else "".
    """

    def __init__(self, message: str, *, advice: str | None = None, fingerprint: str = "", mismatch: str = "") -> None:
        super().__init__(message, advice=advice)
        self.fingerprint = fingerprint
        self.mismatch = mismatch


class ClientCertificateRejected(TlsFailed):
    """The server requires a client certificate, or a different one."""

    default_advice = "set kspath to a client certificate that the server's operator has agreed to"


# --- login ----------------------------------------------------------------------------------------------------------


class LoginFailed(PopretrError):
    """The login did not succeed."""

    exit_code = ExitCode.LOGIN


class LoginRejected(LoginFailed):
    """The server rejected the credentials, with all usable mechanisms."""

    default_advice = "check username and password"


class TlsRequired(LoginRejected):
    """The server allows no login without TLS, and TLS is not configured."""

    default_advice = 'add <ssl latent="Y"/> to the client, or <ssl/> where the server has TLS at port 995'


class ServerNotAuthenticated(LoginFailed):
    """The server did not prove that it knows the password (SCRAM, RFC 5802 §3): it may be an impostor."""

    default_advice = "an attacker may be between you and the server; ask its operator before you use another authtype"


class NoUsableMechanism(LoginFailed):
    """No configured authtype can be used with this server and this configuration."""


class PasswordUnavailable(LoginFailed):
    """The environment variable, file or command of the password gave no password."""

    exit_code = ExitCode.CONFIGURATION


# --- logging in at a provider (OAuth) --------------------------------------------------------------------------------


class RedirectIgnored(PopretrError):
    """An address is not the provider's answer to this login. Another one may be."""

    exit_code = ExitCode.LOGIN
    default_advice = "copy the address that the browser shows at the end, although it cannot load the page"


class LoginPortUnavailable(PopretrError):
    """No port of the loopback address to which the browser could be redirected."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "name another port with --port; without it, a free one is chosen"


class LoginDenied(LoginFailed):
    """The user, or an administrator, did not allow the access."""

    default_advice = "log in again and allow it; an administrator may have to allow this client first"


class LoginRefused(LoginFailed):
    """The provider does not accept the request to log in: the client id, the scope, or the redirection."""

    default_advice = "check clientid, scope and the registration of the client at the provider (docs/oauth.md)"


class LoginTimedOut(LoginFailed):
    """The user did not log in, in the time that there was."""

    default_advice = "log in again"


class OtherAccount(LoginFailed):
    """The user has logged in with an account other than the configured one."""


class TokenFileBusy(PopretrError):
    """Another process does not release the lock of a token file."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "another tui-popretr may be waiting for the provider; try again later"


class IssuerMismatch(PopretrError):
    """The answer is not from the provider with which the login began: it may be an attack (RFC 9207)."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "nothing was sent to that provider; check <authurl> and <issuer> before you log in again"


class ProviderFailed(PopretrError):
    """The provider of tokens reports a failure of its own, or does not answer."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "try again later"


class TokenUnavailable(LoginFailed):
    """There is no access token that can be used, and only the user can get one, by `tui-popretr login`."""

    login_missing = True


class NotLoggedIn(TokenUnavailable):
    """There was no login yet."""


class GrantEnded(TokenUnavailable):
    """The provider no longer renews the token (RFC 6749 §5.2: invalid_grant)."""


class TokenFileDamaged(TokenUnavailable):
    """A token file was damaged; it is set aside."""


class TokenFileUnusable(PopretrError):
    """A token file cannot be read or written, or belongs to another user."""

    exit_code = ExitCode.IO_ERROR


class TokenFileFromFuture(PopretrError):
    """A token file was written by a newer version of the program."""

    exit_code = ExitCode.CONFIGURATION
    default_advice = "install the newer version again"


class ProviderUnreachable(PopretrError):
    """The provider of tokens cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = RETRIED


class ProviderProtocolError(PopretrError):
    """The answer is not one of OAuth, or does not belong to the request."""

    exit_code = ExitCode.PROTOCOL
    default_advice = (
        "check the addresses in <oauth>, and whether something between here and the provider answers for it"
    )


class MailboxInUse(PopretrError):
    """[IN-USE]: another session holds the maildrop's lock (RFC 2449 §8.1.1)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = f"another program has the mailbox open; {RETRIED}"


class LoginDelayed(PopretrError):
    """[LOGIN-DELAY]: the server requires more time between logins (RFC 2449 §8.1.2)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "raise freq to what the server allows"


class ServerTemporaryFailure(PopretrError):
    """[SYS/TEMP]: the server has a temporary problem (RFC 3206 §4)."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class ServerPermanentFailure(PopretrError):
    """[SYS/PERM]: the server has a problem that its operator must fix (RFC 3206 §4)."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "tell the server's operator"


# --- delivery and journal -------------------------------------------------------------------------------------------


class DeliveryFailed(PopretrError):
    """A message could not be stored; it stays on the server."""

    exit_code = ExitCode.IO_ERROR
    #: Whether the receiver permanently refused this message or all its recipients (5yz). False if our configuration is
    #: the cause: no login or TLS, a refused sender, denied relaying.
    refused_for_good: bool = False
    #: Whether no other message can be delivered, either: no further one is retrieved.
    ends_retrieval: bool = False


class CannotCreate(DeliveryFailed):
    """A file or folder of the destination cannot be created."""

    exit_code = ExitCode.CANT_CREATE


class DestinationTimeout(DeliveryFailed):
    """The destination does not answer: a network file system or a disk hangs. Whether it stored anything is unknown."""

    exit_code = ExitCode.TEMPORARY


class PartlyAccepted(DeliveryFailed):
    """Some recipients have accepted a message, others have not. The next session sends it only to the others."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "it is sent to the others at the next run"

    def __init__(
        self, text: str, accepted: tuple[str, ...] = (), *, for_good: bool = False, advice: str | None = None
    ) -> None:
        """`for_good`: all others have permanently refused it."""
        super().__init__(text, advice=advice)
        self.accepted = accepted
        self.refused_for_good = for_good


class DeliveryStopped(DeliveryFailed):
    """The session ended before a server or a command had accepted a message."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class MessageInDoubt(DeliveryFailed):
    """Whether a server has accepted a message is unknown: the connection ended before its answer."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "the server is asked at the next run whether it has the message"


class SmtpServerUnreachable(DeliveryFailed):
    """The mail server of the destination (SMTP, LMTP) cannot be reached, or accepts no mail."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see whether the mail server runs, and whether <address> in <smtp> is right"


class SmtpTemporaryFailure(DeliveryFailed):
    """The mail server refused something temporarily (4yz), did not answer in time, or closed the connection."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class SmtpServerRefused(DeliveryFailed):
    """The mail server permanently refused (5yz) our envelope sender, or all mail from us."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see the mail server's log; its reasons may lie in sender, recip or the server's own settings"


class RecipientsRefused(SmtpServerRefused):
    """The mail server permanently refused all recipients (5yz to RCPT), and our configuration is not the cause."""

    refused_for_good = True


class MessageRejected(DeliveryFailed):
    """The mail server permanently refused this message (5yz). Other messages are not affected."""

    exit_code = ExitCode.UNAVAILABLE
    refused_for_good = True
    default_advice = (
        "it is not lost: fetch it from the POP3 server by another program, or change the mail server's rules"
    )


class SmtpLoginFailed(DeliveryFailed):
    """The mail server rejected username and password, offers no login, or requires one that is not configured."""

    exit_code = ExitCode.LOGIN
    default_advice = "check <username> and <password> in <smtp>"


class SmtpServerNotTrusted(DeliveryFailed):
    """TLS with the mail server is configured but could not be started; no secret was sent."""

    exit_code = ExitCode.PROTOCOL


class SmtpProtocolError(DeliveryFailed):
    """The mail server sent something that its protocol does not allow, or more than our limits."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "check that <address> is that of an SMTP server, or with <lmtp>Y</lmtp> of an LMTP server"


class ImapServerUnreachable(DeliveryFailed):
    """The IMAP server of the destination cannot be reached, or refuses all sessions."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see whether the IMAP server runs, and whether <address> in <imap> is right"


class ImapTemporaryFailure(DeliveryFailed):
    """The IMAP server refused something temporarily, did not answer in time, or closed the connection."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class ImapLoginFailed(DeliveryFailed):
    """The IMAP server rejected username and password, or offers no login that can be used."""

    exit_code = ExitCode.LOGIN
    default_advice = "check <username> and <password> in <imap>"


class ImapServerNotTrusted(DeliveryFailed):
    """TLS with the IMAP server is configured but could not be started; no secret was sent.

    `fingerprint` is the SHA-256 of its certificate in hex if pinning it would help, else "".
    """

    exit_code = ExitCode.PROTOCOL
    fingerprint = ""


class ImapTlsMisconfigured(DeliveryFailed):
    """A file of the TLS settings for the IMAP server cannot be used."""

    exit_code = ExitCode.CONFIGURATION


class ImapProtocolError(DeliveryFailed):
    """The IMAP server sent something that its protocol does not allow, or more than our limits."""

    exit_code = ExitCode.PROTOCOL
    default_advice = "check that <address> in <imap> is that of an IMAP server"


class ImapRefused(DeliveryFailed):
    """The IMAP server refused a command, because the mailbox is full or for another reason that may last."""

    exit_code = ExitCode.CANT_CREATE
    default_advice = "see the IMAP server's log, and whether the mailbox is full"


class ImapMessageRefused(MessageRejected):
    """The IMAP server refused this message: it is too large, or cannot be stored. Other messages are not affected."""

    exit_code = ExitCode.CANT_CREATE
    default_advice = "it is not lost: fetch it from the POP3 server by another program"


class ImapFolderUnusable(DeliveryFailed):
    """The folder, or its labels, cannot be used with this configuration."""

    exit_code = ExitCode.CONFIGURATION
    ends_retrieval = True
    default_advice = "check <folder> in <imap>: name and hierarchy separator are as the server writes them"


class ImapFolderMissing(ImapFolderUnusable):
    """The folder does not exist."""

    default_advice = "check <folder> in <imap>, or let it be made: <create>Y</create>"


class GmailUnreachable(DeliveryFailed):
    """The Gmail API cannot be reached."""

    exit_code = ExitCode.UNAVAILABLE
    ends_retrieval = True
    default_advice = f"check the network; {RETRIED}"


class GmailTemporaryFailure(DeliveryFailed):
    """The Gmail API accepts nothing for now, does not answer in time, or has closed the connection."""

    exit_code = ExitCode.TEMPORARY
    ends_retrieval = True
    default_advice = RETRIED


class GmailLoginFailed(DeliveryFailed):
    """Google refuses the access token, or it does not allow what is needed."""

    exit_code = ExitCode.LOGIN
    ends_retrieval = True


class GmailProtocolError(DeliveryFailed):
    """The server is not the Gmail API, is not trusted, or sends more than our limits."""

    exit_code = ExitCode.PROTOCOL
    ends_retrieval = True
    default_advice = "check <url> in <gmail>, and whether something between here and Google answers for it"


class GmailRefused(DeliveryFailed):
    """The Gmail API refuses all requests for this account."""

    exit_code = ExitCode.UNAVAILABLE
    ends_retrieval = True


class GmailUnusable(DeliveryFailed):
    """The account, its labels or the project of the client id cannot be used with this configuration."""

    exit_code = ExitCode.CONFIGURATION
    ends_retrieval = True


class GmailInDoubt(MessageInDoubt):
    """The Gmail API may have received a whole message, and did not report whether it was imported."""

    ends_retrieval = True


class GmailAnswerUnclear(GmailInDoubt):
    """The same, because its answer cannot be understood."""

    exit_code = ExitCode.PROTOCOL


class CommandUnusable(DeliveryFailed):
    """The command of the destination (mda) does not exist or cannot be run."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "see whether it is installed; in <mda> it may be named with its whole path"


class CommandDeferred(DeliveryFailed):
    """The command failed temporarily (exit code 75), took too long, or was killed."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class CommandFailed(DeliveryFailed):
    """The command did not accept the message: its exit code means a permanent failure."""

    exit_code = ExitCode.UNAVAILABLE
    default_advice = "run the command by hand as the same user, with a message on its standard input, to see why"


class MessageRefused(PopretrError):
    """The server did not send a message that it lists. The message stays on the server."""

    exit_code = ExitCode.TEMPORARY


class MessagesSkipped(PopretrError):
    """The session succeeded, but some messages could not be retrieved. They stay on the server."""

    exit_code = ExitCode.TEMPORARY
    default_advice = RETRIED


class JournalError(PopretrError):
    """The journal cannot be used. Without it nothing is deleted from any server."""

    exit_code = ExitCode.IO_ERROR


class JournalWithoutThread(JournalError):
    """The system cannot start a thread for the journal. The journal is unchanged."""

    exit_code = ExitCode.TEMPORARY


class JournalMisplaced(JournalError):
    """The journal cannot be created or written at its configured path, and waiting will not help."""

    exit_code = ExitCode.CANT_CREATE


class JournalLocked(JournalError):
    """Another process has the journal open."""

    exit_code = ExitCode.TEMPORARY
    default_advice = "another tui-popretr runs with this configuration; stop it first"


class JournalDamaged(JournalError):
    """The journal is not an intact database of this program."""


class JournalFromFuture(JournalError):
    """The journal was written by a newer version of the program."""

    exit_code = ExitCode.CONFIGURATION
    default_advice = "install the newer version again"


class SessionStopped(PopretrError):
    """The user or a shutdown stopped the session. Its deliveries are in the journal."""

    exit_code = ExitCode.OK


class SystemLimit(PopretrError):
    """The system allows the program fewer threads or descriptors than it needs."""

    exit_code = ExitCode.TEMPORARY


def out_of_threads(problem: BaseException) -> SystemLimit | None:
    """Return the error to report if `problem` is that no thread could be started, else None."""
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    if not isinstance(problem, RuntimeError) or "can't start new thread" not in str(problem):
        return None
    return SystemLimit(
        "the limit of processes and threads is too low: the system starts no further thread",
        advice="raise it: ulimit -u, TasksMax= in a service's unit, or the container's limit of processes",
    )


# --- errors of the system -------------------------------------------------------------------------------------------


class FileUnusable(NamedTuple):
    """An error of the system while a file was to be written, in words."""

    words: str
    advice: str = ""
    misplaced: bool = False  # the configured path is the cause, and waiting will not help


DISK_FULL: Final = FileUnusable("the disk is full", f"make room on the disk; {RETRIED}")
READ_ONLY: Final = FileUnusable("the file system is read-only", "mount it writable, and look why it is not", True)
NO_PERMISSION: Final = FileUnusable("permission denied", "give the program's user the right to write there", True)
BROKEN_DISK: Final = FileUnusable(
    "the disk reports an input/output error", "look into the system's log: the disk may be failing"
)

_FILE_ERRORS: Final = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: FileUnusable("the disk quota is used up", f"make room or raise the quota; {RETRIED}"),
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
    """Return the words for an OSError while writing a file; they fit after "cannot write FILE: "."""
    return _FILE_ERRORS.get(error.errno or 0, FileUnusable(describe_os_error(error)))


def describe_os_error(error: OSError) -> str:
    """Return the reason of an OSError in a few words, without errno and path."""
    return (error.strerror or str(error) or type(error).__name__).lower()
