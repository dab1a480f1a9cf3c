"""<rejected>: a message that the mail server refuses for good in three sessions is saved and counts as delivered."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.smtp.receiver import SENDER, Receiver, Say, receiving
from tests.program.site import Site, client, without_received
from tests.support.passwords import PASSWORD
from tests.support.popserver import STD, Faults, ServedMaildrop, ServerPolicy
from tests.support.popserver_thread import RunningServer, running_server
from tui_popretr.facts import MessageDelivered, Noted, SessionResult
from tui_popretr.journal.journal import Journal

A, B = "a@receiver.test", "b@receiver.test"
SPAM = Say("554 5.7.1 spam message rejected")


def mail(number: int, body: bytes = b"") -> bytes:
    return b"From: x@sender.test\r\nMessage-ID: <m%d@sender.test>\r\n\r\n.text\r\n%b" % (number, body)


class Rejecting:
    """A client with <rejected>, its account and its mail server."""

    def __init__(self, folder: Path, receiver: Receiver, server: RunningServer, box: ServedMaildrop) -> None:
        self.folder = folder / "rejected" / "info@receiver.test"
        self.receiver = receiver
        self.box = box
        self.site = Site(folder / "site")
        self.facts: Sequence[object] = ()
        self._server = server
        self._lists = (folder / "domains", folder / "aliases")
        self._lists[0].write_text("receiver.test\n")
        self._lists[1].write_text(f"info : {A} : {B}\n")
        self.configure()

    def configure(self, *, rejected: bool = True, **attributes: Any) -> None:
        saving = f"<rejected>{self.folder.parent}/%U%</rejected>" if rejected else ""
        smtp = (
            f"<smtp><sender>{SENDER}</sender><address>127.0.0.1:{self.receiver.port}</address>"
            f"<lmtp>{'NY'[self.receiver.lmtp]}</lmtp>{saving}</smtp>"
        )
        one = client(
            "id1",
            self._server.address,
            user="me",
            password=PASSWORD,
            recip="info@receiver.test",
            inside=smtp,
            **attributes,
        )
        domains, aliases = self._lists
        self.site.configure(
            one, more=f"<directory><domains>{domains}</domains><aliases>{aliases}</aliases></directory>"
        )

    def session(self, **refusals: Say) -> SessionResult:
        """Run once; STEP=what the mail server says at that step, to each message."""
        for step, say in refusals.items():
            for each in (f"RCPT {A}", f"RCPT {B}") if step == "RCPT" else (step,):
                self.receiver.script[each] = deque([say] * 100)
        run = self.site.run()
        self.receiver.script.clear()
        self.receiver.verdicts.clear()
        self.facts = run.facts
        return run.results["id1"]

    @property
    def saved(self) -> list[Path]:
        return sorted(self.folder.glob("*")) if self.folder.exists() else []

    @property
    def warnings(self) -> list[str]:
        return [fact.text for fact in self.facts if isinstance(fact, Noted)]

    def remaining(self) -> int:
        return len(self.box.messages)


@contextmanager
def rejecting(
    folder: Path,
    *messages: bytes,
    lmtp: bool = False,
    size_limit: int | None = None,
    policy: ServerPolicy = STD,
    faults: Faults | None = None,
) -> Iterator[Rejecting]:
    box = ServedMaildrop("me", PASSWORD)
    for message in messages:
        box.add(message)
    with (
        receiving(lmtp=lmtp, size_limit=size_limit) as receiver,
        running_server([box], policy=policy, faults=faults) as server,
    ):
        yield Rejecting(folder, receiver, server, box)


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("step", ["DATA", "DOT", "RCPT"])
def test_the_third_refusal_for_good_saves_the_message_once(tmp_path: Path, step: str, lmtp: bool) -> None:
    message = mail(1, b"line\r\n" * 1000)
    with rejecting(tmp_path, message, lmtp=lmtp) as world:
        say = Say("550 5.1.1 no such user") if step == "RCPT" else SPAM
        if lmtp and step == "DOT":
            say = Say(f"{SPAM.text}\r\n{SPAM.text}")
        for _ in range(2):
            result = world.session(**{step: say})
            assert (result.messages, result.failed, int(result.code)) == (0, 1, 69)
            assert (world.remaining(), world.saved) == (1, [])
        result = world.session(**{step: say})
        assert result.ok, result.error
        assert (result.messages, result.failed, result.deleted) == (1, 0, 1)
        (path,) = world.saved
        assert path.name.endswith(f"-id1-{path.stem.rpartition('-')[2]}.eml")
        assert without_received(path.read_bytes()) == message
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        (line,) = world.site.audit()
        assert (
            line.partition(" => ")[2] == f"File={path}; MsgID=m1@sender.test; Size={len(message)}; Sender=x@sender.test"
        )
        (fact,) = (fact for fact in world.facts if isinstance(fact, MessageDelivered))
        assert (fact.destination, fact.path, fact.octets) == (f"File={path}", str(path), len(message))
        (warning,) = (text for text in world.warnings if "saved as" in text)
        assert warning.startswith("message 1 (UID uid-1, 6.1 kB) is refused for good (")
        assert say.text.split("\r\n")[0] in warning
        assert warning.endswith(f": it is saved as {path}")
        assert (world.remaining(), world.receiver.mails) == (0, [])
        assert world.session().messages == 0
        assert world.saved == [path]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("MAIL", "530 5.7.0 Must issue a STARTTLS command first"),
        ("MAIL", "530 5.7.0 Authentication required"),
        ("MAIL", "535 5.7.8 credentials invalid"),
        ("MAIL", "553 5.1.8 sender address rejected"),
        ("RCPT", "554 5.7.1 <a@receiver.test>: Relay access denied"),
        ("RCPT", "550 5.7.1 relaying denied"),
        ("RCPT", "538 5.7.11 encryption required"),
        ("RCPT", "534 5.7.9 mechanism too weak"),
        ("DATA", "530 5.7.0 authentication required"),
        ("CONNECT", "554 no service"),
        ("DOT", "451 4.7.1 greylisted"),
        ("RCPT", "450 4.2.1 mailbox busy"),
        ("DATA", "421 4.3.2 closing"),
    ],
)
def test_what_is_not_the_messages_fault_saves_nothing(tmp_path: Path, step: str, words: str) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        for _ in range(10):
            result = world.session(**{step: Say(words, then_drop=words.startswith("421"))})
            assert not result.ok
            assert (world.remaining(), world.saved) == (1, [])
        assert world.session().ok
        assert len(world.receiver.mails) == 1
        assert world.remaining() == 0


def test_a_refusal_for_now_does_not_count(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        for say in (SPAM, Say("451 try later"), SPAM, Say("452 4.3.1 disk full")):
            assert not world.session(DOT=say).ok
            assert world.saved == []
        assert world.session(DOT=SPAM).ok
        assert len(world.saved) == 1


def test_a_message_that_is_taken_after_two_refusals(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        for _ in range(2):
            assert not world.session(DOT=SPAM).ok
        assert world.session().ok
        assert (world.saved, len(world.receiver.mails), world.remaining()) == ([], 1, 0)


def test_without_the_folder_it_stays(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        world.configure(rejected=False)
        for _ in range(5):
            world.session(DOT=SPAM)
        assert (world.remaining(), world.saved) == (1, [])


@pytest.mark.parametrize(("step", "say"), [("DOT", SPAM), ("RCPT", Say("550 5.1.1 no such user"))])
def test_several_at_once_though_none_is_accepted(tmp_path: Path, step: str, say: Say) -> None:
    """Where all messages are refused their failures do not count, but refusals for good do."""
    with rejecting(tmp_path, *map(mail, range(5))) as world:
        for _ in range(2):
            assert world.session(**{step: say}).failed == 5
        result = world.session(**{step: say})
        assert result.ok, result.error
        assert (result.messages, len(world.saved), world.remaining()) == (5, 5, 0)
        assert sorted(without_received(path.read_bytes()) for path in world.saved) == list(map(mail, range(5)))


def test_the_others_are_handed_over(tmp_path: Path) -> None:
    with rejecting(tmp_path, *map(mail, range(3))) as world:
        for session in range(3):
            world.receiver.on("DOT", SPAM)  # the first of each session
            result = world.site.run().results["id1"]
            assert result.failed == (session < 2)
        # What was refused comes last, so it is the only one of the later sessions.
        assert [without_received(path.read_bytes()) for path in world.saved] == [mail(0)]
        assert [without_received(each.content) for each in world.receiver.mails] == [mail(1), mail(2)]
        assert world.remaining() == 0


def test_a_message_that_is_too_large_for_the_server(tmp_path: Path) -> None:
    """With SIZE it is refused before it is retrieved; alone, or behind a small one."""
    large = mail(1, b"x" * 990 + b"\r\n")
    with rejecting(tmp_path, large, mail(2), size_limit=900) as world:
        results = [world.session() for _ in range(3)]
        assert [result.ok for result in results] == [False, False, True]
        assert "takes messages of at most 900 octets" in results[0].error
        assert [without_received(path.read_bytes()) for path in world.saved] == [large]
        assert [without_received(each.content) for each in world.receiver.mails] == [mail(2)]
        assert world.remaining() == 0


@pytest.mark.parametrize("lmtp", [False, True])
def test_recipients_who_accepted_have_it(tmp_path: Path, lmtp: bool) -> None:
    with rejecting(tmp_path, mail(1), lmtp=lmtp) as world:
        for session in range(3):
            world.receiver.on(f"RCPT {B}", Say("550 5.1.1 no such user"))
            result = world.site.run().results["id1"]
            assert result.ok == (session == 2), result.error
            assert len(world.saved) == (session == 2)
        assert [each.recipients for each in world.receiver.mails] == [(A,)]
        assert world.remaining() == 0
        with closing(Journal.open(str(world.site.journal))) as journal:
            assert journal.acceptances(1) == []


def test_with_preserve_and_newonly_it_is_saved_once(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        world.configure(preserve="Y", newonly="Y")
        for _ in range(6):
            world.session(DOT=SPAM)
        assert (len(world.saved), world.remaining()) == (1, 1)


def test_a_folder_that_cannot_be_written_keeps_the_message(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        world.folder.parent.write_text("in the way")
        for _ in range(2):
            world.session(DOT=SPAM)
        result = world.session(DOT=SPAM)
        assert (result.messages, result.failed, int(result.code)) == (0, 1, 73)
        assert "554 5.7.1 spam message rejected; and it cannot be saved: cannot " in result.error
        assert world.remaining() == 1
        world.folder.parent.unlink()


@pytest.mark.parametrize(
    "policy", [ServerPolicy(pipelining=False), ServerPolicy(uidl=False), ServerPolicy(pipelining=False, top=False)]
)
def test_with_any_server(tmp_path: Path, policy: ServerPolicy) -> None:
    messages = [mail(number, b"x" * number + b"\r\n") for number in range(4)]
    with rejecting(tmp_path, *messages, policy=policy) as world:
        for _ in range(3):
            result = world.session(DOT=SPAM)
        assert result.ok, result.error
        assert sorted(without_received(path.read_bytes()) for path in world.saved) == messages
        assert (len(world.site.audit()), world.remaining()) == (4, 0)


def test_two_connections_of_a_session_count_once(tmp_path: Path) -> None:
    """The second message breaks the connection; the first is not handed over again over the next one."""
    faults = Faults(cut={2: 5})
    with rejecting(tmp_path, mail(1), mail(2), faults=faults, policy=ServerPolicy(pipelining=False)) as world:
        for _ in range(2):
            world.session(DOT=SPAM)
            assert len(world.receiver.commands("DATA")) == 1
            assert world.saved == []
            world.receiver.dialogue.clear()
        faults.cut.clear()
        world.session(DOT=SPAM)
        assert [without_received(path.read_bytes()) for path in world.saved] == [mail(1)]


def test_a_large_message_is_saved_whole(tmp_path: Path) -> None:
    message = mail(1, (b"x" * 98 + b"\r\n") * 20_000)
    with rejecting(tmp_path, message) as world:
        for _ in range(3):
            world.session(DOT=SPAM)
        assert [without_received(path.read_bytes()) for path in world.saved] == [message]


def test_what_a_dead_process_left_unfinished_is_removed(tmp_path: Path) -> None:
    with rejecting(tmp_path, mail(1)) as world:
        world.session(DOT=SPAM)
        with closing(Journal.open(str(world.site.journal))) as journal:
            identifier = journal.id
        world.folder.mkdir(parents=True)
        orphan = world.folder / f".20261123-072759-id1-7.eml.J{identifier}P0badcafeQ7.part"
        orphan.write_bytes(b"half a mess")
        world.session(DOT=SPAM)
        assert not orphan.exists()
