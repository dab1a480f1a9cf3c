"""An IMAP server with folders in memory, which fails at any step that a test chooses. It parses what it receives."""

from __future__ import annotations

import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.waiting import PATIENCE
from tui_popretr.config.model import ImapDestination
from tui_popretr.config.sources import Literal
from tui_popretr.imap.utf7 import decode
from tui_popretr.secret import Secret

USER, WORD = "me", "hush"  # of no account: not a password of the tests
ALL = ("LITERAL+", "MULTIAPPEND", "UIDPLUS", "BINARY", "UNSELECT")
_LITERAL = re.compile(rb"~?\{(\d+)(\+?)\}\r\n$")
_DATE = re.compile(rb'"([ \d]\d-\w{3}-\d{4} [\d:]{8} [+-]\d{4})"')


@dataclass(slots=True)
class Stored:
    """A message in a folder."""

    content: bytes
    flags: str = ""
    date: str = ""
    labels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Folder:
    """A folder: messages by UID."""

    validity: int = 7
    next_uid: int = 1
    messages: dict[int, Stored] = field(default_factory=dict)
    subscribed: bool = False

    def add(self, content: bytes, flags: str = "", date: str = "") -> int:
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.messages[uid] = Stored(content, flags, date)
        return uid


class _HangUp(Exception):
    """The connection is closed now."""


@dataclass
class Mailbox:
    """What it does and what came of it.

    `script` has an answer for each next time that a step is reached: "" closes the connection, "hang" never answers,
    and any other text is the tagged answer. The steps are CONNECT, the verbs of commands, LITERAL (a message was
    announced), APPENDED (messages are stored).
    """

    capabilities: tuple[str, ...] = ALL
    folders: dict[str, Folder] = field(default_factory=lambda: {"INBOX": Folder()})
    script: dict[str, deque[str]] = field(default_factory=dict)
    dialogue: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    open: int = 0  # connections
    closed: threading.Condition = field(default_factory=threading.Condition)
    #: It refuses to store these, by a text in them.
    refuses: dict[bytes, str] = field(default_factory=dict)

    #: What happens before each command with this verb.
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    #: It closes the connection instead of answering a command with this text in it.
    hang_up_on: str | None = None

    @property
    def inbox(self) -> Folder:
        return self.folders["INBOX"]

    @property
    def contents(self) -> list[bytes]:
        """The messages of the inbox."""
        return [each.content for each in self.inbox.messages.values()]

    def on(self, step: str, *answers: str) -> None:
        self.script.setdefault(step, deque()).extend(answers)

    def wait_until_idle(self) -> None:
        """Wait until all connections are closed, and so all commands have taken effect."""
        with self.closed:
            assert self.closed.wait_for(lambda: not self.open, PATIENCE)

    def verbs(self) -> list[str]:
        """The commands, without their arguments."""
        return [line.split(" ")[1 if line.startswith("UID ") else 0] for line in self.dialogue]

    def destination(self, **settings: Any) -> ImapDestination:
        """Return the settings that lead here, without TLS."""
        login = {"username": USER, "password": Literal(Secret(WORD)), "tls": None, "timeout": 5.0}
        return ImapDestination("127.0.0.1", self.port, **{**login, **settings})


class _Connection:
    def __init__(self, mailbox: Mailbox, peer: socket.socket, lock: threading.Lock) -> None:
        self._mailbox = mailbox
        self._socket = peer
        self._file = peer.makefile("rb")
        self._lock = lock
        self._selected: Folder | None = None

    def run(self) -> None:
        with suppress(_HangUp, OSError):
            self._mailbox.connections += 1
            self._reached("CONNECT", "*")
            self._say(f"* OK [CAPABILITY {self._capabilities}] ready")
            while line := self._file.readline():
                self._command(line)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._file.close()
        self._socket.close()
        with self._mailbox.closed:
            self._mailbox.open -= 1
            self._mailbox.closed.notify_all()

    @property
    def _capabilities(self) -> str:
        return " ".join(("IMAP4rev1", "AUTH=PLAIN", "SASL-IR", *self._mailbox.capabilities))

    def _say(self, text: str) -> None:
        self._socket.sendall(f"{text}\r\n".encode())

    def _reached(self, step: str, tag: str) -> bool:
        """Act as the script says; return whether the command is answered."""
        answers = self._mailbox.script.get(step)
        if not answers:
            return False
        answer = answers.popleft()
        if answer == "hang":
            threading.Event().wait(PATIENCE)
        if answer in ("", "hang"):
            raise _HangUp
        self._say(f"{tag} {answer}")
        return True

    def _command(self, line: bytes) -> None:
        tag, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        verb, _, argument = rest.partition(" ")
        if verb == "UID":
            verb, _, argument = argument.partition(" ")
        step = verb.upper()
        self._mailbox.dialogue.append(rest)
        self._mailbox.before.get(step, lambda: None)()
        if (last := self._mailbox.hang_up_on) is not None and last in rest:
            raise _HangUp
        if step == "APPEND":
            self._append(tag, line)
        elif not self._reached(step, tag):
            with self._lock:
                answer = getattr(self, f"_{step.lower()}")(argument)
            self._say(f"{tag} {answer or 'OK done'}")
            if step == "LOGOUT":
                raise _HangUp

    # --- commands -----------------------------------------------------------------------------------------------------

    def _capability(self, _: str) -> None:
        self._say(f"* CAPABILITY {self._capabilities}")

    def _login(self, _: str) -> None:
        pass

    def _authenticate(self, _: str) -> None:
        pass

    def _noop(self, _: str) -> None:
        pass

    def _unselect(self, _: str) -> None:
        self._selected = None

    _close = _unselect

    def _logout(self, _: str) -> None:
        self._say("* BYE")

    def _status(self, argument: str) -> str | None:
        name = _name(argument)
        folder = self._mailbox.folders.get(name)
        if folder is None:
            return "NO [NONEXISTENT] no such folder"
        self._say(
            f"* STATUS {argument[: argument.rindex('(')]}(MESSAGES {len(folder.messages)} UIDNEXT {folder.next_uid}"
            f" UIDVALIDITY {folder.validity})"
        )
        return None

    def _examine(self, argument: str) -> str | None:
        self._selected = folder = self._mailbox.folders.get(_name(argument))
        if folder is None:
            return "NO [NONEXISTENT] no such folder"
        self._say(f"* {len(folder.messages)} EXISTS")
        self._say(f"* OK [UIDVALIDITY {folder.validity}] x")
        self._say(f"* OK [UIDNEXT {folder.next_uid}] x")
        return "OK [READ-ONLY] done"

    _select = _examine

    def _create(self, argument: str) -> None:
        self._mailbox.folders[_name(argument)] = Folder(validity=99)

    def _subscribe(self, argument: str) -> None:
        self._mailbox.folders[_name(argument)].subscribed = True

    def _list(self, argument: str) -> None:
        name = argument.partition(" ")[2]
        if name == '""':
            self._say('* LIST (\\Noselect) "/" ""')
        elif _name(name) in self._mailbox.folders:
            self._say(f'* LIST () "/" {name}')

    def _search(self, argument: str) -> None:
        assert self._selected is not None
        first = int(re.findall(r"(\d+):\*", argument)[0])
        wanted = re.sub(r"\\(.)", r"\1", re.findall(r'"((?:[^"\\]|\\.)*)"', argument)[-1]).encode()
        uids = [
            uid
            for uid, each in self._selected.messages.items()
            if uid >= first and wanted in _unfolded(each.content, b"message-id")
        ]
        self._say(f"* SEARCH {' '.join(map(str, uids))}".rstrip())

    def _fetch(self, argument: str) -> None:
        assert self._selected is not None
        wanted = _uids(argument.split(" ")[0])
        for number, (uid, each) in enumerate(self._selected.messages.items(), 1):
            if uid not in wanted:
                continue
            if "BODY.PEEK" in argument:
                header = b"Message-ID: " + _unfolded(each.content, b"message-id").strip() + b"\r\n\r\n"
                self._socket.sendall(
                    b"* %d FETCH (UID %d BODY[HEADER.FIELDS (MESSAGE-ID)] {%d}\r\n" % (number, uid, len(header))
                )
                self._say(header.decode() + ")")
            else:
                self._say(f"* {number} FETCH (UID {uid} RFC822.SIZE {len(each.content)})")

    def _store(self, argument: str) -> None:
        assert self._selected is not None
        for uid in _uids(argument.split(" ")[0]):
            self._selected.messages[uid].labels += re.findall(r'"([^"]*)"', argument)

    # --- APPEND -------------------------------------------------------------------------------------------------------

    def _append(self, tag: str, line: bytes) -> None:
        head, messages = line, []
        if self._reached("APPEND", tag):
            while (literal := _LITERAL.search(head)) and literal[2]:  # what does not wait comes nevertheless
                self._file.read(int(literal[1]))
                head = self._file.readline()
            return
        while literal := _LITERAL.search(head):
            if not literal[2]:
                if self._reached("LITERAL", tag):
                    return
                self._say("+ go on")
            content = self._file.read(int(literal[1]))
            if len(content) < int(literal[1]):
                raise _HangUp
            flags = re.findall(rb"\(([^)]*)\) ", head)
            date = _DATE.findall(head)
            messages.append((content, flags[0].decode() if flags else "", date[0].decode() if date else ""))
            head = self._file.readline()
        if not head.endswith(b"\r\n"):  # the end of the command is missing
            raise _HangUp
        with self._lock:
            answer = self._stored(_name(line.decode("utf-8", "replace").split(" ", 2)[2]), messages)
        if not (answer.startswith("OK") and self._reached("APPENDED", tag)):
            self._say(f"{tag} {answer}")

    def _stored(self, name: str, messages: list[tuple[bytes, str, str]]) -> str:
        folder = self._mailbox.folders.get(name)
        if folder is None:
            return "NO [TRYCREATE] no such folder"
        for text, answer in self._mailbox.refuses.items():
            if any(text in content for content, _, _ in messages):
                return answer
        uids = [folder.add(*each) for each in messages]
        if "UIDPLUS" not in self._mailbox.capabilities:
            return "OK done"
        return f"OK [APPENDUID {folder.validity} {uids[0]}{f':{uids[-1]}' if len(uids) > 1 else ''}] done"


def _name(argument: str) -> str:
    found = re.match(r'"((?:[^"\\]|\\.)*)"|([^ ]+)', argument)
    assert found is not None, argument
    return decode(re.sub(r"\\(.)", r"\1", found[1] or found[2]).encode())


def _uids(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _unfolded(content: bytes, name: bytes) -> bytes:
    header = re.sub(rb"\r\n[ \t]+", b" ", content.partition(b"\r\n\r\n")[0])
    found = re.search(rb"(?im)^" + name + rb":(.*)$", header)
    return found[1] if found else b""


@contextmanager
def serving(mailbox: Mailbox | None = None) -> Iterator[Mailbox]:
    """Serve a mailbox on 127.0.0.1."""
    mailbox = mailbox or Mailbox()
    lock = threading.Lock()
    peers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", mailbox.port)) as listener:
        mailbox.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peers.append(peer)
                    with mailbox.closed:
                        mailbox.open += 1
                    threading.Thread(target=_Connection(mailbox, peer, lock).run, daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for peer in peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)
