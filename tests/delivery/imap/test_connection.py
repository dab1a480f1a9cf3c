"""What the sink does over a connection: folders, searching, appending in each way, and the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial

import pytest
import trio
from trio.testing import MockClock, trio_test

from tests.delivery.imap.scripted import NAME, Conversation, Play, answers, conversation
from tests.support.streams import Peer
from tui_popretr.delivery.imap.connection import FolderState
from tui_popretr.delivery.imap.transfer import Progress, Transfer
from tui_popretr.errors import (
    DeliveryFailed,
    ImapFolderMissing,
    ImapFolderUnusable,
    ImapMessageRefused,
    ImapProtocolError,
    ImapRefused,
    ImapTemporaryFailure,
    MessageRejected,
)
from tui_popretr.imap import Message

UNSENT, IN_DOUBT, APPENDED, REFUSED = Progress


# --- folders and messages ---------------------------------------------------------------------------------------------


@trio_test
async def test_the_state_of_a_folder(autojump_clock: MockClock) -> None:
    status = '* STATUS "Entw&APw-rfe" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7)\na1 OK'
    examined = "* 3 EXISTS\n* OK [UIDVALIDITY 7] x\n* FLAGS ()\n* OK [UIDNEXT 9] x\na2 OK [READ-ONLY] done"
    play = answers(
        ('a1 STATUS "Entw&APw-rfe" (MESSAGES UIDNEXT UIDVALIDITY)', status),
        ('a2 EXAMINE "Entw&APw-rfe"', examined),
        ('a3 SELECT "Entw&APw-rfe"', examined.replace("a2", "a3").replace("* OK [UIDNEXT 9] x\n", "")),
        ("a4 UNSELECT", "a4 OK"),
    )
    async with conversation(play, logged_in=True, offered="UNSELECT") as talk:
        connection = talk.connection
        assert await connection.status("Entwürfe") == FolderState(7, 9, 3)
        assert await connection.examine("Entwürfe") == FolderState(7, 9, 3)
        assert await connection.select("Entwürfe") == FolderState(7, None, 3)
        await connection.leave_folder()
        await connection.leave_folder()
        assert connection.usable


@trio_test
async def test_a_folder_is_left_without_removing_anything(autojump_clock: MockClock) -> None:
    opened = "* OK [UIDVALIDITY 7] x\na1 OK"
    play = answers(('a1 SELECT "x"', opened), ('a2 EXAMINE "INBOX"', "a2 OK"), ("a3 CLOSE", "a3 OK"))
    async with conversation(play, logged_in=True) as talk:
        await talk.connection.select("x")
        await talk.connection.leave_folder()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NO [NONEXISTENT] no", ImapFolderMissing),
        ("NO [TRYCREATE] no", ImapFolderMissing),
        ("NO [NOPERM] no", ImapFolderUnusable),
        ("NO [UNAVAILABLE] later", ImapTemporaryFailure),
        ("NO [SERVERBUG] oops", ImapTemporaryFailure),
        ("NO [CLIENTBUG] you", ImapProtocolError),
        ("OK", ImapProtocolError),
    ],
)
@trio_test
async def test_an_unusable_folder(answer: str, kind: type[DeliveryFailed], autojump_clock: MockClock) -> None:
    play = answers(('a1 EXAMINE "x"', f"a1 {answer}"), ("a2 NOOP", "a2 OK"))
    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(kind) as caught:
            await talk.connection.examine("x")
        assert type(caught.value) is kind
        assert NAME in str(caught.value)
        assert await talk.connection.is_alive()


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        ("", ImapFolderMissing),
        ('* LIST (\\Noselect) "/" "x"\n', ImapFolderMissing),
        ('* LIST () "/" x\n', ImapFolderUnusable),
    ],
)
@trio_test
async def test_a_refusal_without_a_code_is_looked_up(
    listed: str, kind: type[DeliveryFailed], autojump_clock: MockClock
) -> None:
    play = answers(('a1 EXAMINE "x"', "a1 NO no"), ('a2 LIST "" "x"', f"{listed}a2 OK"))
    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(kind, match="cannot open the folder x") as caught:
            await talk.connection.examine("x")
        assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ("OK", None),
        ("NO [ALREADYEXISTS] it is there", None),
        ("NO exists", '* LIST () "/" "x"'),
    ],
)
@trio_test
async def test_a_folder_is_made(answer: str, listed: str | None, autojump_clock: MockClock) -> None:
    dialogue = [('a1 CREATE "x"', f"a1 {answer}")]
    if listed is not None:
        dialogue.append(('a2 LIST "" "x"', f"{listed}\na2 OK"))
    async with conversation(answers(*dialogue), logged_in=True) as talk:
        await talk.connection.create("x")


@pytest.mark.parametrize(
    "listed", ["", '* LIST (\\Noselect) "/" "x"\n', '* LIST (\\NonExistent) "/" x\n', '* LIST () "/" "X"\n']
)
@trio_test
async def test_a_folder_cannot_be_made(listed: str, autojump_clock: MockClock) -> None:
    play = answers(('a1 CREATE "x"', "a1 NO no"), ('a2 LIST "" "x"', f"{listed}a2 OK"))
    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(ImapFolderUnusable, match="cannot make the folder x"):
            await talk.connection.create("x")


@trio_test
async def test_a_refused_subscription_is_no_error(autojump_clock: MockClock) -> None:
    play = answers(('a1 SUBSCRIBE "x"', "a1 NO no"), ('a2 LIST "" "inbox"', '* LIST () "." INBOX\na2 OK'))
    async with conversation(play, logged_in=True) as talk:
        await talk.connection.subscribe("x")
        assert await talk.connection.is_listed("inbox")


@trio_test
async def test_searching(autojump_clock: MockClock) -> None:
    play = answers(
        ('a1 UID SEARCH UID 5:* HEADER Message-ID "<a@b>"', "* SEARCH 9 4 6\n* 12 EXISTS\na1 OK"),
        (
            "a2 UID FETCH 6,9 (UID RFC822.SIZE)",
            "* 1 FETCH (RFC822.SIZE 120 UID 6)\n* 2 FETCH (UID 7 RFC822.SIZE 1)\n* 3 FETCH (FLAGS ())\na2 OK",
        ),
    )
    async with conversation(play, logged_in=True) as talk:
        talk.dialogue.machine._state = talk.dialogue.machine._state.SELECTED
        found = await talk.connection.search("Message-ID", b"<a@b>", 5)
        assert found == (6, 9), "N:* has the last message, whatever its UID is"
        assert await talk.connection.sizes(found) == {6: 120}
        assert await talk.connection.sizes(()) == {}


@pytest.mark.parametrize(("last", "count"), [(100_001, 1), (100_000, 2)])
@trio_test
async def test_short_answers_that_stand_for_many(last: int, count: int, autojump_clock: MockClock) -> None:
    many = "\n".join([f"* ESEARCH UID ALL 1:{last}"] * count)
    play = answers(('a1 UID SEARCH UID 1:* HEADER Message-ID "x"', f"{many}\na1 OK"))
    async with conversation(play, logged_in=True) as talk:
        talk.dialogue.machine._state = talk.dialogue.machine._state.SELECTED
        with pytest.raises(ImapProtocolError, match="has found more than 100000 messages"):
            await talk.connection.search("Message-ID", b"x", 1)


@pytest.mark.parametrize(
    ("attribute", "found"),
    [
        ('BODY[HEADER.FIELDS (MESSAGE-ID)] "Message-ID: <a@b>"', {6: "a@b"}),
        ('BODY[HEADER.FIELDS ("Message-ID")] {21}\nMessage-ID:\n <a@b>\n', {6: "a@b"}),
        ("BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\n\n", {6: ""}),
        ("BODY[HEADER.FIELDS (MESSAGE-ID)] NIL", {}),
        ("FLAGS ()", {}),
    ],
)
@trio_test
async def test_message_ids(attribute: str, found: dict[int, str], autojump_clock: MockClock) -> None:
    command = "a1 UID FETCH 6 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
    play = answers((command, f"* 1 FETCH (UID 6 {attribute})\n* 2 FETCH (UID 7 BODY[TEXT] x)\na1 OK"))
    async with conversation(play, logged_in=True) as talk:
        talk.dialogue.machine._state = talk.dialogue.machine._state.SELECTED
        assert await talk.connection.message_ids([6]) == found
        assert await talk.connection.message_ids(()) == {}


@pytest.mark.parametrize(
    "numbers",
    ["UIDVALIDITY 0", "UIDVALIDITY 4294967296", "UIDVALIDITY 7 UIDNEXT 99999999999", "UIDVALIDITY 7 UIDNEXT 0"],
)
@trio_test
async def test_numbers_that_no_folder_has(numbers: str, autojump_clock: MockClock) -> None:
    play = answers(
        ('a1 STATUS "x" (MESSAGES UIDNEXT UIDVALIDITY)', f"* STATUS x ({numbers})\na1 OK"),
        ('a2 EXAMINE "x"', "* OK [UIDVALIDITY 7]\n* OK [UIDNEXT 4294967296]\na2 OK"),
    )
    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(ImapProtocolError):
            await talk.connection.status("x")
        with pytest.raises(ImapProtocolError, match="has UIDNEXT 4294967296 for the folder x"):
            await talk.connection.examine("x")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NO [UNAVAILABLE] later", ImapTemporaryFailure),
        ("NO [BADCHARSET] no", ImapRefused),
        ("BAD no search", ImapRefused),
        ("NO [CANNOT] no", ImapRefused),
    ],
)
@trio_test
async def test_a_refused_search(answer: str, kind: type[DeliveryFailed], autojump_clock: MockClock) -> None:
    play = answers(('a1 UID SEARCH UID 1:* HEADER Message-ID "x"', f"a1 {answer}"))
    async with conversation(play, logged_in=True) as talk:
        talk.dialogue.machine._state = talk.dialogue.machine._state.SELECTED
        with pytest.raises(kind) as caught:
            await talk.connection.search("Message-ID", b"x", 1)
        assert type(caught.value) is kind


@trio_test
async def test_labels(autojump_clock: MockClock) -> None:
    play = answers(
        ('a1 UID STORE 7:8 +X-GM-LABELS.SILENT ("a b" "&APw-")', "a1 OK"),
        ('a2 UID STORE 7 +X-GM-LABELS.SILENT ("x")', "a2 NO no"),
    )
    async with conversation(play, logged_in=True) as talk:
        talk.dialogue.machine._state = talk.dialogue.machine._state.SELECTED
        await talk.connection.add_labels([7, 8], ["a b", "ü"])
        with pytest.raises(ImapFolderUnusable, match="cannot store labels at"):
            await talk.connection.add_labels([7], ["x"])


# --- appending --------------------------------------------------------------------------------------------------------


def transfer(*pieces: bytes, flags: tuple[str, ...] = ()) -> Transfer:
    async def content() -> AsyncGenerator[bytes]:
        for piece in pieces:
            yield piece

    return Transfer(Message(sum(map(len, pieces)), flags), content())


class Recorder:
    """before_end(), and how often it was awaited; `reached` is set when it is."""

    def __init__(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        self.calls = 0
        self.reached = trio.Event()
        self._then = then

    async def __call__(self) -> None:
        self.calls += 1
        self.reached.set()
        if self._then is not None:
            await self._then()


async def append(
    talk: Conversation, transfers: Sequence[Transfer], *, together: bool = False, calls: int = 1
) -> list[Progress]:
    recorder = Recorder()
    await talk.connection.append("INBOX", transfers, recorder, together=together)
    assert recorder.calls == calls
    return [each.progress for each in transfers]


@trio_test
async def test_a_message_waits_for_the_server(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        assert await peer.heard() == 'a1 APPEND "INBOX" (\\Seen) {9}'
        await peer.say("* OK still here", "+ go")
        assert await peer.octets(11) == b"first\r\nab\r\n"
        await peer.say("a1 OK [APPENDUID 7 12] done")

    async with conversation(play, logged_in=True, offered="UIDPLUS") as talk:
        one = transfer(b"first\r\n", b"ab", flags=("\\Seen",))
        assert await append(talk, [one]) == [APPENDED]
        assert (one.place, one.error, talk.connection.usable) == ((7, 12), None, True)
        assert talk.said[-2:] == ["event IMAP Sent MessageBody octets=9", "<< IMAP a1 OK [APPENDUID 7 12] done"]


@trio_test
async def test_the_end_is_sent_after_the_journal(autojump_clock: MockClock) -> None:
    """Without the last octets of the literal the server cannot have the message."""
    heard: list[bytes] = []
    release = trio.Event()

    async def play(peer: Peer) -> None:
        assert await peer.heard() == 'a1 APPEND "INBOX" {7+}'
        heard.append(await peer.octets(4))
        with trio.move_on_after(5):
            heard.append(await peer.octets(1))
        release.set()
        heard.append(await peer.octets(5))
        await peer.say("a1 OK done")

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        one = transfer(b"ab", b"cd", b"efg")
        await talk.connection.append("INBOX", [one], Recorder(release.wait))
        assert (one.progress, one.place) == (APPENDED, None)
    assert heard == [b"abcd", b"efg\r\n"]


@trio_test
async def test_what_the_journal_raises_is_passed_on(autojump_clock: MockClock) -> None:
    class Withdrawn(Exception):
        pass

    async def withdraw() -> None:
        raise Withdrawn

    async def play(peer: Peer) -> None:
        assert await peer.heard() == 'a1 APPEND "INBOX" {3+}'
        with pytest.raises(EOFError):
            await peer.octets(1)

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        one = transfer(b"abc")
        with pytest.raises(Withdrawn):
            await talk.connection.append("INBOX", [one], Recorder(withdraw))
        assert (one.progress, talk.connection.usable) == (UNSENT, False)


@trio_test
async def test_several_in_one_command(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        assert await peer.heard() == 'a1 APPEND "INBOX" {2}'
        await peer.say("+")
        assert await peer.octets(2) == b"ab"
        assert await peer.heard() == " {3}"
        await peer.say("+")
        assert await peer.octets(5) == b"cde\r\n"
        await peer.say("a1 OK [APPENDUID 7 4:5] done")

    async with conversation(play, logged_in=True, offered="MULTIAPPEND") as talk:
        both = [transfer(b"ab"), transfer(b"cde")]
        assert await append(talk, both, together=True) == [APPENDED, APPENDED]
        assert [each.place for each in both] == [(7, 4), (7, 5)]


@pytest.mark.parametrize("uids", ["4", "4:6", "x"])
@trio_test
async def test_uids_that_are_not_one_for_each_message(uids: str, autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(13)
        await peer.say(f"a1 OK [APPENDUID 7 {uids}] done")

    async with conversation(play, logged_in=True, offered="MULTIAPPEND LITERAL+") as talk:
        both = [transfer(b"ab"), transfer(b"cd")]
        assert await append(talk, both, together=True) == [APPENDED, APPENDED]
        assert [each.place for each in both] == [None, None]


@trio_test
async def test_a_refused_command_refuses_all_its_messages(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(13)
        await peer.say("a1 NO [TOOBIG] no")

    async with conversation(play, logged_in=True, offered="MULTIAPPEND LITERAL+") as talk:
        assert await append(talk, [transfer(b"ab"), transfer(b"cd")], together=True) == [REFUSED, REFUSED]
        assert talk.connection.usable


@trio_test
async def test_several_commands_at_once(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        heads = []
        for content in (b"ab\r\n", b"cd\r\n", b"ef\r\n"):
            heads.append(await peer.heard())
            assert await peer.octets(4) == content
        assert heads == [f'a{tag} APPEND "INBOX" {{2+}}' for tag in (1, 2, 3)]
        await peer.say(
            "a2 NO [OVERQUOTA] full", "a1 OK [APPENDUID 7 1] done", "* 1 EXISTS", "a3 OK [APPENDUID 7 2] done"
        )

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        three = [transfer(b"ab"), transfer(b"cd"), transfer(b"ef")]
        assert await append(talk, three) == [APPENDED, REFUSED, APPENDED]
        assert [each.place for each in three] == [(7, 1), None, (7, 2)]
        assert type(three[1].error) is ImapRefused
        assert talk.connection.usable


@trio_test
async def test_one_after_the_other(autojump_clock: MockClock) -> None:
    """Without LITERAL+ the next command is sent after the answer."""

    async def play(peer: Peer) -> None:
        for tag in (1, 2):
            assert await peer.heard() == f'a{tag} APPEND "INBOX" {{2}}'
            await peer.say("+")
            assert await peer.octets(4) == b"ab\r\n"
            with trio.move_on_after(3) as waited:
                await peer.octets(1)
            assert waited.cancelled_caught
            await peer.say(f"a{tag} OK done")

    async with conversation(play, logged_in=True) as talk:
        assert await append(talk, [transfer(b"ab"), transfer(b"ab")]) == [APPENDED, APPENDED]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NO [TRYCREATE] no", ImapFolderMissing),
        ("NO [NOPERM] no", ImapFolderUnusable),
        ("NO [OVERQUOTA] full", ImapRefused),
        ("NO quota exceeded", ImapRefused),
        ("NO [CORRUPTION] x", ImapRefused),
        ("NO [UNAVAILABLE] later", ImapTemporaryFailure),
        ("NO [LIMIT] no", ImapMessageRefused),
        ("NO [TOOBIG] no", ImapMessageRefused),
        ("NO [CANNOT] no", ImapMessageRefused),
        ("NO I do not like it", ImapMessageRefused),
        ("BAD what", ImapMessageRefused),
    ],
)
@trio_test
async def test_a_message_that_is_refused_before_it_is_sent(
    answer: str, kind: type[DeliveryFailed], autojump_clock: MockClock
) -> None:
    play = answers(('a1 APPEND "INBOX" {2}', f"a1 {answer}"), ("a2 NOOP", "a2 OK"))
    async with conversation(play, logged_in=True) as talk:
        one = transfer(b"ab")
        assert await append(talk, [one], calls=0) == [REFUSED]
        assert type(one.error) is kind
        assert await talk.connection.is_alive()


def test_only_refusals_of_a_message_count_against_it() -> None:
    assert issubclass(ImapMessageRefused, MessageRejected)
    assert not issubclass(ImapRefused, MessageRejected)


@trio_test
async def test_a_refused_message_is_sent_to_its_end_if_it_is_short(autojump_clock: MockClock) -> None:
    """A server takes a literal that was announced, whatever it has answered."""

    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.say("a1 NO [OVERQUOTA] full")
        assert await peer.octets(6) == b"abcd\r\n"
        assert await peer.heard() == "a2 NOOP"
        await peer.say("a2 OK")

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        one = transfer(b"ab", b"cd")
        await talk.connection.append("INBOX", [one], Recorder(partial(trio.sleep, 1)))
        assert one.progress is REFUSED
        assert await talk.connection.is_alive()


@trio_test
async def test_a_refused_message_is_given_up_if_it_is_long(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.say("a1 NO [OVERQUOTA] full")
        with pytest.raises(EOFError):
            await peer.octets(10**7)

    async def content() -> AsyncGenerator[bytes]:
        for _ in range(100):
            await trio.sleep(1)
            yield b"x" * 65536

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        two = [Transfer(Message(100 * 65536), content()), transfer(b"ab")]
        assert await append(talk, two, calls=0) == [REFUSED, UNSENT]
        assert not talk.connection.usable


# --- doubt ------------------------------------------------------------------------------------------------------------


async def broken(play: Play, transfers: Sequence[Transfer], offered: str = "LITERAL+") -> DeliveryFailed:
    """Append messages over a connection that breaks; return the error."""
    async with conversation(play, logged_in=True, offered=offered) as talk:
        with pytest.raises(DeliveryFailed) as caught:
            await talk.connection.append("INBOX", transfers, Recorder(partial(trio.sleep, 1)))
        assert not talk.connection.usable
    return caught.value


@trio_test
async def test_an_answer_that_does_not_come(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(4)
        while True:  # untagged responses buy no time
            await trio.sleep(7)
            await peer.say("* OK still working")

    one = transfer(b"ab")
    error = await broken(play, [one])
    assert isinstance(error, ImapTemporaryFailure)
    assert (one.progress, str(error)) == (IN_DOUBT, f"{NAME} did not answer in time")


@trio_test
async def test_a_cut_before_the_end(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.close()

    one = transfer(b"ab")
    await broken(play, [one], offered="")
    assert one.progress is UNSENT


@trio_test
async def test_answers_before_a_cut_count(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(4)
        await peer.heard()
        await peer.octets(4)
        await peer.say("a2 OK [APPENDUID 7 1] done", "* BYE [UNAVAILABLE] shutting down")
        await peer.close()

    both = [transfer(b"ab"), transfer(b"cd")]
    error = await broken(play, both)
    assert [each.progress for each in both] == [IN_DOUBT, APPENDED]
    assert str(error) == f"{NAME} ended the session: BYE [UNAVAILABLE] shutting down"


@trio_test
async def test_an_answer_before_a_cut_in_the_next_message(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(4)
        await trio.sleep(1)
        await peer.say("a1 OK [APPENDUID 7 1] done")
        await peer.close()
        raise EOFError

    async def content() -> AsyncGenerator[bytes]:
        yield b"x" * 70_000
        yield b"x" * 70_000
        await trio.sleep(5)
        yield b"x"

    both = [transfer(b"ab"), Transfer(Message(140_001), content())]
    await broken(play, both)
    assert [each.progress for each in both] == [APPENDED, UNSENT]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"a1 OK [APPENDUID 7 1] done\r\n", "accepted APPEND before it had all of it"),
        (b"a7 OK done\r\n", "answered what was not asked"),
        (b"what\r\n", "not an IMAP response"),
        (b"+ go\r\n", "continues what was not begun"),
    ],
)
@trio_test
async def test_an_early_or_foreign_ok_is_no_delivery(octets: bytes, words: str, autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.send(octets)
        await peer.octets(4)

    one = transfer(b"ab")
    error = await broken(play, [one])
    assert isinstance(error, ImapProtocolError)
    assert words in str(error)
    assert one.progress is UNSENT


@trio_test
async def test_an_ok_while_the_end_is_held_is_no_delivery(autojump_clock: MockClock) -> None:
    """The end of a message goes with the beginning of the next one."""

    async def play(peer: Peer) -> None:
        await peer.heard()
        await trio.sleep(1)
        await peer.say("a1 OK [APPENDUID 7 1] done")
        await peer.octets(5)

    async def content() -> AsyncGenerator[bytes]:
        await trio.sleep(5)
        yield b"cd"

    both = [transfer(b"ab"), Transfer(Message(2), content())]
    error = await broken(play, both)
    assert "accepted APPEND before it had all of it" in str(error)
    assert [each.progress for each in both] == [UNSENT, UNSENT]


@trio_test
async def test_a_cancelled_append_is_in_doubt_after_its_end(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(4)
        await trio.sleep_forever()

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        one = transfer(b"ab")
        with trio.move_on_after(1):
            await talk.connection.append("INBOX", [one], Recorder())
        assert (one.progress, talk.connection.usable) == (IN_DOUBT, False)
        talk.dialogue.close()


@trio_test
async def test_pieces_of_another_length(autojump_clock: MockClock) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"abc"

    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.octets(100)

    for size in (2, 4):
        one = Transfer(Message(size), pieces())
        assert "cannot send to" in str(await broken(play, [one]))
        assert one.progress is UNSENT


# --- the end ----------------------------------------------------------------------------------------------------------


@trio_test
async def test_logout(autojump_clock: MockClock) -> None:
    play = answers(("a1 LOGOUT", "* BYE bye\na1 OK out"))
    async with conversation(play, logged_in=True) as talk:
        await talk.connection.logout()
        assert talk.stream.closed
        assert talk.said[-4:] == [
            ">> IMAP LOGOUT", "<< IMAP * BYE bye", "<< IMAP a1 OK out", "event IMAP Disconnect"
        ]  # fmt: skip


@trio_test
async def test_a_logout_that_is_not_answered(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await trio.sleep(100)

    async with conversation(play, logged_in=True) as talk:
        before = trio.current_time()
        await talk.connection.logout()
        assert trio.current_time() - before <= 1
        assert talk.stream.closed


@pytest.mark.parametrize("last", ["* BYE autologout", ""])
@trio_test
async def test_a_connection_that_has_ended_is_not_alive(last: str, autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        if last:
            await peer.say(last)
        await peer.close()

    async with conversation(play, logged_in=True) as talk:
        await trio.sleep(1)
        assert not await talk.connection.is_alive()
        assert not talk.connection.usable


# --- a hostile server -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"x" * 70_000, "an endless line"),
        (b"* 1 FETCH (X {1048577}\r\n", "a literal of 1048577 octets"),
        (b"* LIST () NIL {4}\r\n", "a literal where none is expected"),
        ((b"* OK " + b"x" * 1000 + b"\r\n") * 1_100, "an answer of more than 1024 KiB"),
        (b"* SEARCH " + b"7 " * 30_000 + b"\r\n" * 20, "not an IMAP response"),
    ],
)
@trio_test
async def test_answers_are_bounded(octets: bytes, words: str, autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        await peer.send(octets)

    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(ImapProtocolError, match=words):
            await talk.connection.status("INBOX")


@trio_test
async def test_single_octets_buy_no_time(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await peer.heard()
        while True:
            await trio.sleep(5)
            await peer.send(b"x")

    async with conversation(play, logged_in=True) as talk:
        before = trio.current_time()
        with pytest.raises(ImapTemporaryFailure, match="did not answer in time"):
            await talk.connection.status("INBOX")
        assert trio.current_time() - before == pytest.approx(30)


@trio_test
async def test_a_server_that_takes_nothing(autojump_clock: MockClock) -> None:
    async def play(peer: Peer) -> None:
        await trio.sleep_forever()

    async with conversation(play, logged_in=True, offered="LITERAL+") as talk:
        sent, talk.stream.send_all = 0, stuck  # type: ignore[method-assign]
        one = transfer(b"ab")
        with pytest.raises(ImapTemporaryFailure, match="has taken no data for 30 s"):
            await talk.connection.append("INBOX", [one], Recorder())
        assert (sent, one.progress) == (0, UNSENT)


async def stuck(data: bytes) -> None:
    await trio.sleep_forever()


@trio_test
async def test_control_characters_are_shown_as_such(autojump_clock: MockClock) -> None:
    play = answers(('a1 EXAMINE "x"', "a1 NO [NOPERM] \x1b]0;title\x07"))
    async with conversation(play, logged_in=True) as talk:
        with pytest.raises(ImapFolderUnusable) as caught:
            await talk.connection.examine("x")
        assert "\x1b" not in str(caught.value) + "".join(talk.said)
