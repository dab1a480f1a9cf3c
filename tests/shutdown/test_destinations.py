"""SIGTERM while every destination hangs: mail servers, a command that ignores signals, and the disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.delivery.imap.mailbox import USER, WORD, Mailbox, serving
from tests.delivery.smtp.receiver import Hang, Receiver, receiving
from tests.program.process import client, mail, run_program, started, write_configuration
from tests.shutdown.places import Asking
from tests.support.gmail import ACCOUNT, IMPORT_PATH, NO_PROVIDER, FakeGmail, Fault, leave_token
from tests.support.gmail_serving import running_gmail
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import wait_for

#: Seconds that an end may take, with a reserve for a busy machine; and without the thread that forces it in time.
IN_ORDER, UNFORCED = 10.0 + 3.0, 12.0 + 3.0

NAMES = ("smtp", "imap", "gmail", "mda", "maildir")


@dataclass(frozen=True, slots=True)
class Place:
    """A client for each destination, with one message on its server."""

    folder: Path
    drops: list[ServedMaildrop]
    server: RunningServer
    receiver: Receiver
    mailbox: Mailbox
    gmail: FakeGmail
    api: str
    command: Asking

    def configuration(self) -> str:
        relay = f'<smtp enabled="Y"><address>127.0.0.1:{self.receiver.port}</address><sender>a@b.test</sender></smtp>'
        login = f"<username>{USER}</username><password>{WORD}</password>"
        imap = f'<imap><address>127.0.0.1:{self.mailbox.port}</address>{login}<ssl enabled="N"/></imap>'
        gmail = f"<gmail><account>{ACCOUNT}</account>{NO_PROVIDER}<verify>N</verify><url>{self.api}</url></gmail>"
        destinations = (relay, imap, gmail, f'<mda command="{self._agent()}"/>', "")
        clients = (
            client(name, self.server.address, user=name, more=more)
            for name, more in zip(NAMES, destinations, strict=True)
        )
        path = write_configuration(self.folder / "c.xml", *clients, before="<delay_start>0</delay_start>")
        leave_token(path, 2)
        return path

    def _agent(self) -> Path:
        """A command that never ends, until the file `well` exists."""
        path = self.folder / "agent"
        well, delivered = self.folder / "well", self.folder / "delivered"
        path.write_text(
            f"#!/bin/sh\n[ -e {well} ] && exec cat >{delivered}.$$\ntrap '' TERM\nexec {self.command.command}\n"
        )
        path.chmod(0o700)
        return path

    def patch(self) -> str:
        """The disk hangs after the others, which need the journal for their beginning."""
        os.mkfifo(self.folder / "disk")
        arguments = f"{str(self.folder / 'disk')!r}, {str(self.folder / 'fsync')!r}"
        return f"import tests.shutdown.hanging as hanging\nhanging.disk({arguments})\n"

    def wait(self) -> None:
        """Wait until all hang."""
        wait_for(lambda: not self.receiver.script["DOT"], lambda: "the end of no message is sent")
        wait_for(lambda: not self.mailbox.script["APPEND"], lambda: "nothing is appended")
        wait_for(lambda: not self.gmail.faults["POST", IMPORT_PATH], lambda: "nothing is imported")
        wait_for(lambda: self.command.alive, lambda: "the command is not started")
        wait_for((self.folder / "fsync").exists, lambda: "no file is fsynced")
        (self.folder / "disk").write_bytes(b"")

    def assert_nothing_is_left(self, said: str) -> None:
        """Check the end of the program that wrote `said`, and that one run without hangs delivers all mail once."""
        assert "Traceback" not in said
        assert "internal error" not in said
        wait_for(lambda: not self.command.alive, lambda: "the command, or its child, runs on")
        assert self._arrived() == []
        assert not any(line.startswith(b"DELE") for line in self.server.said())
        (self.folder / "well").touch()
        done = run_program(self.configuration(), "--headless", "--once")
        assert done.code == 0, done.err
        assert sorted(self._arrived()) == sorted(NAMES)
        assert not any(drop.messages for drop in self.drops)

    def _arrived(self) -> list[str]:
        """Return the messages that have arrived, by the names of their clients."""
        files = [*self.folder.glob("delivered.*"), *self.folder.glob("var/mail/*/new/*")]
        sent = (each.content for each in self.receiver.mails)
        contents = [*(file.read_bytes() for file in files), *sent, *self.mailbox.contents, *self.gmail.raw]
        return [name for content in contents for name in NAMES if f"<{name}@example.test>".encode() in content]


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    folder.mkdir(exist_ok=True)
    drops = [ServedMaildrop(name, PASSWORD) for name in NAMES]
    for name, drop in zip(NAMES, drops, strict=True):
        drop.add(mail(name))
    with (
        running_server(drops) as server,
        receiving() as receiver,
        serving() as mailbox,
        running_gmail(gmail := FakeGmail()) as api,
        closing(Asking(folder)) as command,
    ):
        receiver.on("DOT", Hang())
        mailbox.on("APPEND", "hang")
        gmail.fail(Fault(silent=True))
        yield Place(folder, drops, server, receiver, mailbox, gmail, api, command)


def test_all_hang(tmp_path: Path) -> None:
    """Two programs: the end of the first is forced in time, the second keeps its own deadlines."""
    limits = {"": IN_ORDER, "hanging.no_forced_end()": UNFORCED}
    with ExitStack() as stack:
        places = [stack.enter_context(place(tmp_path / str(number))) for number in range(len(limits))]
        programs = [
            stack.enter_context(started(there.configuration(), "--headless", "--once", patch=there.patch() + more))
            for there, more in zip(places, limits, strict=True)
        ]
        for there in places:
            there.wait()
        for program in programs:
            program.send(signal.SIGTERM)
        for program, limit in zip(programs, limits.values(), strict=True):
            assert program.ended(within=limit) == 0
        for program, there in zip(programs, places, strict=True):
            there.assert_nothing_is_left(program.said)
