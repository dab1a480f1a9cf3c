"""The sink of an IMAP server: what is appended, and the outcome of each message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from tests.delivery.imap.mailbox import ALL, Folder, Mailbox, serving
from tui_popretr.delivery.imap.appending import check_size
from tui_popretr.delivery.imap.sink import ImapSink
from tui_popretr.delivery.outgoing import OutgoingMessage
from tui_popretr.delivery.remote import ALONE, Absent, Arrived, Unknown
from tui_popretr.errors import (
    ImapFolderMissing,
    ImapFolderUnusable,
    ImapMessageRefused,
    ImapRefused,
    ImapTemporaryFailure,
    MessageInDoubt,
    PopretrError,
)
from tui_popretr.imap import Capabilities
from tui_popretr.secret import Secret

GREEK = "Ταξίδι & Co/2026"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serving() as mailbox:
        yield mailbox


@asynccontextmanager
async def connected(mailbox: Mailbox, top: Path, **settings: Any) -> AsyncIterator[ImapSink]:
    async def password() -> Secret:
        return Secret("hush")

    sink = ImapSink(mailbox.destination(**settings), spool=str(top / "spool"), password=password)
    try:
        yield sink
    finally:
        await sink.close()


def mail(name: str, body: bytes = b"text\r\n") -> bytes:
    return f"Message-ID: <{name}>\r\nDate: Mon, 23 Nov 2026 07:27:59 +0100\r\n\r\n".encode() + body


def message(sink: ImapSink, content: bytes, message_id: str | None = None) -> OutgoingMessage:
    made = sink.open(7)
    made.write(content)
    made.finish()
    made.message_id = message_id
    return made


def messages(sink: ImapSink, *names: str) -> list[OutgoingMessage]:
    return [message(sink, mail(each), each) for each in names]


async def send(
    sink: ImapSink, made: Sequence[OutgoingMessage], recorded: Callable[[], object] = lambda: None
) -> list[Any]:
    """Mark and send a group; return the marks before the outcomes' types, or receipts."""

    async def before_end() -> None:
        await trio.lowlevel.checkpoint()
        recorded()

    await sink.mark(made)
    found = await sink.send_group(made, before_end)
    return [type(each) if isinstance(each, PopretrError) else each for each in found]


# --- one message ------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_message_is_appended(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path, flags=("\\Seen", "$Old")) as sink:
        await sink.prepare(0)
        assert await send(sink, messages(sink, "a@x")) == ["; UID=7:1"]
    (stored,) = mailbox.inbox.messages.values()
    assert (stored.content, stored.flags, stored.date) == (mail("a@x"), "\\Seen $Old", "23-Nov-2026 07:27:59 +0100")
    assert mailbox.verbs() == ["AUTHENTICATE", "CAPABILITY", "STATUS", "APPEND", "LOGOUT"]


@trio_test
async def test_line_ends_become_crlf(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        await send(sink, [message(sink, b"Subject: x\n\nbare\r\r\nnul \0\n")])
    assert mailbox.contents == [b"Subject: x\r\n\r\nbare\r\n\r\nnul \0\r\n"]


@trio_test
async def test_nul_needs_binary(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = ("LITERAL+", "MULTIAPPEND", "UIDPLUS")
    async with connected(mailbox, tmp_path) as sink:
        made = [*messages(sink, "a@x"), message(sink, mail("b@x", b"\0"), "b@x"), *messages(sink, "c@x")]
        assert await send(sink, made) == ["; UID=7:1", ImapMessageRefused, "; UID=7:2"]
    assert mailbox.contents == [mail("a@x"), mail("c@x")]


@trio_test
async def test_append_limit(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = (*ALL, "APPENDLIMIT=100")
    async with connected(mailbox, tmp_path) as sink:
        await sink.prepare(100)
        with pytest.raises(ImapMessageRefused, match="takes messages of at most 100 octets, and this one has 101"):
            await sink.prepare(101)
        with pytest.raises(ImapMessageRefused, match="at most 4294967295 octets, and this one has 4294967296"):
            check_size("it", Capabilities(), 2**32)
        assert await send(sink, [message(sink, b"x" * 101), message(sink, b"y" * 100)]) == [
            ImapMessageRefused,
            "; UID=7:1",
        ]


@pytest.mark.parametrize("capabilities", [ALL, ("UIDPLUS",), ("LITERAL-", "UIDPLUS"), ()])
@trio_test
async def test_a_folder_that_is_missing_is_made(
    capabilities: tuple[str, ...], mailbox: Mailbox, tmp_path: Path
) -> None:
    mailbox.capabilities = capabilities
    async with connected(mailbox, tmp_path, folder=GREEK) as sink:
        await sink.prepare(0)
        assert GREEK not in mailbox.folders, "not before there is mail for it"
        recorded: list[int] = []
        outcomes = await send(sink, messages(sink, "a@x", "b@x"), lambda: recorded.append(len(mailbox.folders)))
        assert recorded == [1], "once, although they are sent twice"
        assert outcomes == (["; UID=99:1", "; UID=99:2"] if "UIDPLUS" in capabilities else ["", ""])
        await send(sink, messages(sink, "c@x"))
    folder = mailbox.folders[GREEK]
    assert [each.content for each in folder.messages.values()] == [mail("a@x"), mail("b@x"), mail("c@x")]
    assert folder.subscribed
    assert mailbox.verbs().count("CREATE") == 1


@trio_test
async def test_a_folder_that_may_not_be_made(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path, folder="Old", create=False) as sink:
        with pytest.raises(ImapFolderMissing):
            await sink.prepare(0)
    mailbox.on("CREATE", "NO [NOPERM] never")
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        await sink.prepare(0)
        assert await send(sink, messages(sink, "a@x")) == [ImapFolderUnusable]


@trio_test
async def test_the_separator_of_a_folder_that_will_be_made(mailbox: Mailbox, tmp_path: Path) -> None:
    made = "does not exist; it is made with the first message"
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        assert dict(await sink.look())["IMAP folder"] == f"Old {made} (sub-folders are separated by '/')"
    mailbox.on("LIST", "OK nothing")
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        assert dict(await sink.look())["IMAP folder"] == f"Old {made}"


def test_no_message_is_retrieved_for_a_folder_that_cannot_be_had() -> None:
    assert ImapFolderUnusable("x").ends_retrieval
    assert ImapFolderMissing("x").ends_retrieval
    assert not ImapRefused("x").ends_retrieval, "a smaller message may fit"


@trio_test
async def test_a_server_without_response_codes(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.on("STATUS", "NO what?")
    mailbox.on("APPEND", "NO what?")
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        assert await send(sink, messages(sink, "a@x")) == ["; UID=99:1"]
    mailbox.on("STATUS", "NO you may not")
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        with pytest.raises(ImapFolderUnusable, match="you may not"):
            await sink.prepare(0)


# --- groups -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capabilities", "appends", "limit"),
    [
        (("MULTIAPPEND", "UIDPLUS"), 1, 32),
        (("LITERAL+", "UIDPLUS"), 3, 32),
        (("LITERAL-", "UIDPLUS"), 3, 32),
        (("UIDPLUS",), 3, 1),
    ],
)
@trio_test
async def test_a_group_is_sent_together(
    capabilities: tuple[str, ...], appends: int, limit: int, mailbox: Mailbox, tmp_path: Path
) -> None:
    mailbox.capabilities = capabilities
    stored: list[int] = []
    async with connected(mailbox, tmp_path) as sink:
        assert sink.group is ALONE, "nothing is known yet"
        await sink.prepare(0)
        assert sink.group.messages == limit
        made = messages(sink, "a@x", "b@x", "c@x")
        assert await send(sink, made, lambda: stored.append(len(mailbox.contents))) == [
            "; UID=7:1",
            "; UID=7:2",
            "; UID=7:3",
        ]
    assert stored == [0], "before_end is awaited once, before the server has one of them"
    assert mailbox.contents == [mail("a@x"), mail("b@x"), mail("c@x")]
    assert mailbox.verbs().count("APPEND") == appends


@pytest.mark.parametrize("capabilities", [("MULTIAPPEND", "UIDPLUS"), ("LITERAL+", "UIDPLUS"), ("UIDPLUS",)])
@trio_test
async def test_a_refusal_concerns_one_message(capabilities: tuple[str, ...], mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = capabilities
    mailbox.refuses[b"<b@x>"] = "NO [OVERQUOTA] full"
    async with connected(mailbox, tmp_path) as sink:
        assert await send(sink, messages(sink, "a@x", "b@x", "c@x")) == ["; UID=7:1", ImapRefused, "; UID=7:2"]
    assert mailbox.contents == [mail("a@x"), mail("c@x")]


@trio_test
async def test_a_server_that_returns_no_uids(mailbox: Mailbox, tmp_path: Path) -> None:
    """It is asked again, so that a mark excludes what was appended before."""
    mailbox.capabilities = ("MULTIAPPEND",)
    async with connected(mailbox, tmp_path) as sink:
        assert await send(sink, messages(sink, "a@x")) == [""]
        (mark,) = await sink.mark(messages(sink, "a@x"))
        assert await sink.find([mark or ""]) == [Absent()]
    assert mailbox.verbs().count("STATUS") == 2


@trio_test
async def test_a_mark_excludes_what_was_appended_before(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        await send(sink, messages(sink, "a@x", "a@x"))
        marks = await sink.mark(messages(sink, "a@x", "a@x"))
        assert await sink.find([each or "" for each in marks]) == [Absent(), Absent()]
        mailbox.inbox.add(mail("a@x"))
        assert await sink.find([each or "" for each in marks]) == [Arrived("; UID=7:3"), Absent()]
        assert mailbox.verbs().count("STATUS") == 1


# --- doubt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capabilities", [("MULTIAPPEND",), ("LITERAL+",), ()])
@pytest.mark.parametrize("step", ["APPENDED", "LITERAL", "APPEND"])
@trio_test
async def test_a_cut_leaves_a_doubt_only_after_the_end(
    step: str, capabilities: tuple[str, ...], mailbox: Mailbox, tmp_path: Path
) -> None:
    """What is found afterwards is exactly what the server has."""
    mailbox.capabilities = capabilities
    mailbox.on(step, "")
    async with connected(mailbox, tmp_path) as sink:
        made = messages(sink, "a@x", "b@x", "c@x")
        marks = [each or "" for each in await sink.mark(made)]
        outcomes = await send(sink, made)
        if step == "APPENDED":
            assert MessageInDoubt in outcomes
        found = await sink.find(marks)
        for name, outcome, answer in zip(("a@x", "b@x", "c@x"), outcomes, found, strict=True):
            assert isinstance(answer, Arrived) == (mail(name) in mailbox.contents)
            if outcome is ImapTemporaryFailure:
                assert isinstance(answer, Absent), "it is certainly not accepted"
            elif outcome is not MessageInDoubt:
                assert isinstance(answer, Arrived)


@trio_test
async def test_an_idle_connection_that_was_closed(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        await send(sink, messages(sink, "a@x"))
        mailbox.on("APPEND", "")
        assert await send(sink, messages(sink, "b@x")) in (["; UID=7:2"], [MessageInDoubt])
        assert await send(sink, messages(sink, "c@x")) == [f"; UID=7:{len(mailbox.contents)}"]
    assert mailbox.connections == 2


@pytest.mark.parametrize(
    "message_id", ["a@x", '"a b"@x', 'a"b\\c@x', "a+b=c%d*e@x", "no-at-sign", "a(comment)@[192.0.2.1]"]
)
@trio_test
async def test_ids_of_every_form_are_found(message_id: str, mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        (mark,) = await sink.mark([message(sink, mail(message_id), message_id)])
        mailbox.inbox.add(mail(message_id).replace(b"Message-ID: ", b"Message-Id:\r\n\t"))
        assert await sink.find([mark or ""]) == [Absent()], "another size"
        mailbox.inbox.add(mail(message_id))
        assert await sink.find([mark or ""]) == [Arrived("; UID=7:2")]


@trio_test
async def test_a_longer_id_is_another_message(mailbox: Mailbox, tmp_path: Path) -> None:
    """A server finds it, too: a search is for a part of the field."""
    async with connected(mailbox, tmp_path) as sink:
        (mark,) = await sink.mark(messages(sink, "a@x"))
        mailbox.inbox.add(mail("za@x", b"text"))
        mailbox.inbox.add(mail("za@x", b"tex\r\n"))
        assert await sink.find([mark or ""]) == [Absent()]
        mailbox.inbox.add(mail("a@x"))
        assert await sink.find([mark or ""]) == [Arrived("; UID=7:3")]


@trio_test
async def test_a_mark_that_cannot_be_read(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        (mark,) = await sink.mark(messages(sink, "a@x"))
        mailbox.inbox.add(mail("a@x"))
        found = await sink.find(["7", mark or ""])
        assert found == [Absent("what is recorded of it cannot be read"), Arrived("; UID=7:1")]


@trio_test
async def test_a_folder_that_was_made_again(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        (mark,) = await sink.mark(messages(sink, "a@x"))
        mailbox.folders["INBOX"] = Folder(validity=8)
        mailbox.inbox.add(mail("a@x"))
        assert await sink.find([mark or ""]) == [Absent("the folder INBOX was made again (UIDVALIDITY)")]
        await sink.mark(messages(sink, "a@x"))
        mailbox.folders["INBOX"] = Folder(validity=9)
        sink._drop()  # as if the connection were lost
        with pytest.raises(ImapTemporaryFailure, match=r"was made again \(UIDVALIDITY\)"):
            await sink.send(messages(sink, "a@x")[0], trio.lowlevel.checkpoint)
        assert mailbox.contents == []


@trio_test
async def test_a_folder_that_is_gone(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.folders["Old"] = Folder()
    async with connected(mailbox, tmp_path, folder="Old") as sink:
        (mark,) = await sink.mark(messages(sink, "a@x"))
        del mailbox.folders["Old"]
        assert await sink.find([mark or ""]) == [Absent("the folder Old does not exist")]
        (mark,) = await sink.mark(messages(sink, "a@x"))
        assert await sink.find([mark or ""]) == [Absent()], "it was to be made"


@pytest.mark.parametrize(
    ("answer", "found"), [("NO [UNAVAILABLE] later", Unknown), ("NO never", Absent), ("", Unknown), ("hang", Unknown)]
)
@trio_test
async def test_a_search_that_is_refused(
    answer: str, found: type[Absent | Unknown], mailbox: Mailbox, tmp_path: Path
) -> None:
    """For now: it stays in doubt. For good: it is sent again, and the reason is reported."""
    async with connected(mailbox, tmp_path, timeout=0.3) as sink:
        marks = [each or "" for each in await sink.mark(messages(sink, "a@x", "b@x"))]
        mailbox.on("SEARCH", answer)
        first, second = await sink.find(marks)
        assert isinstance(first, found)
        if isinstance(first, Absent):
            assert "it cannot be searched for: " in first.reason
        assert isinstance(second, Unknown if answer in ("", "hang") else Absent)
        assert await sink.find(marks) == [Absent(), Absent()]


@trio_test
async def test_a_server_that_cannot_be_reached_is_no_answer(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path) as sink:
        (mark,) = await sink.mark(messages(sink, "a@x"))
        await sink.close()
        with pytest.raises(ImapTemporaryFailure, match="because the session is ending"):
            await sink.find([mark or ""])


# --- labels -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_labels(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = (*ALL, "X-GM-EXT-1")
    async with connected(mailbox, tmp_path, labels=("A", "B C")) as sink:
        assert await send(sink, messages(sink, "a@x", "b@x")) == ["; UID=7:1", "; UID=7:2"]
        assert await send(sink, messages(sink, "c@x")) == ["; UID=7:3"]
    assert [each.labels for each in mailbox.inbox.messages.values()] == [["A", "B C"]] * 3


@trio_test
async def test_a_server_without_labels(mailbox: Mailbox, tmp_path: Path) -> None:
    async with connected(mailbox, tmp_path, labels=("A",)) as sink:
        with pytest.raises(ImapFolderUnusable, match="has no labels"):
            await sink.prepare(0)


@pytest.mark.parametrize("answer", ["NO [UNAVAILABLE] later", ""])
@trio_test
async def test_missing_labels_are_added_later(answer: str, mailbox: Mailbox, tmp_path: Path) -> None:
    """The message stays in doubt, and gets them when it is looked for."""
    mailbox.capabilities = (*ALL, "X-GM-EXT-1")
    mailbox.on("STORE", answer)
    async with connected(mailbox, tmp_path, labels=("A",)) as sink:
        made = messages(sink, "a@x")
        (mark,) = await sink.mark(made)
        assert await send(sink, made) == [MessageInDoubt]
        mailbox.on("STORE", "NO [UNAVAILABLE] later")
        (found,) = await sink.find([mark or ""])
        assert isinstance(found, Unknown)
        assert await sink.find([mark or ""]) == [Arrived("; UID=7:1")]
    assert [each.labels for each in mailbox.inbox.messages.values()] == [["A"]]


@trio_test
async def test_labels_are_added_after_a_cut_in_a_search(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = (*ALL, "X-GM-EXT-1")
    async with connected(mailbox, tmp_path, labels=("A",)) as sink:
        marks = [each or "" for each in await sink.mark(messages(sink, "a@x", "b@x", "c@x"))]
        for name in ("a@x", "b@x"):
            mailbox.inbox.add(mail(name))
        mailbox.hang_up_on = 'SEARCH UID 1:* HEADER Message-ID "b@x"'
        assert [type(each) for each in await sink.find(marks)] == [Unknown] * 3
        mailbox.hang_up_on = None
        assert await sink.find(marks) == [Arrived("; UID=7:1"), Arrived("; UID=7:2"), Absent()]
    assert [each.labels for each in mailbox.inbox.messages.values()] == [["A"], ["A"]]


@pytest.mark.parametrize("when", ["appended", "looked for"])
@trio_test
async def test_labels_never_go_to_another_folder(when: str, mailbox: Mailbox, tmp_path: Path) -> None:
    """The folder is made again before it is selected: its UIDs are those of other messages."""
    mailbox.capabilities = (*ALL, "X-GM-EXT-1")
    again = Folder(validity=8)
    again.add(mail("other@x"))
    async with connected(mailbox, tmp_path, labels=("A",)) as sink:
        made = messages(sink, "a@x")
        (mark,) = await sink.mark(made)
        if when == "appended":
            mailbox.before["SELECT"] = lambda: mailbox.folders.update(INBOX=again)
            assert await send(sink, made) == [MessageInDoubt]
        else:
            mailbox.inbox.add(mail("a@x"))
            mailbox.before["SELECT"] = lambda: mailbox.folders.update(INBOX=again)
            (found,) = await sink.find([mark or ""])
            assert isinstance(found, Unknown)
    assert [each.labels for each in again.messages.values()] == [[]]


@trio_test
async def test_without_an_id_missing_labels_are_not_added(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.capabilities = (*ALL, "X-GM-EXT-1")
    mailbox.on("STORE", "NO [UNAVAILABLE] later")
    async with connected(mailbox, tmp_path, labels=("A",)) as sink:
        assert await send(sink, [message(sink, b"x\r\n")]) == ["; UID=7:1; Labels=missing"]
