"""Messages into Gmail, and the outcome after every answer and every cut."""

from __future__ import annotations

from typing import Any, Final

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from tests.delivery.gmail.world import MAIL, OTHER_TOKEN, World, marked, message, now, send, tokens, world
from tests.support.gmail import IMPORT_PATH, INSERT, LABELS, SCOPES, TOKEN, Answer, Fault
from tests.support.passwords import discreet
from tui_popretr.config.choices import GmailDate
from tui_popretr.delivery.gmail.memory import FIRST_PAUSE
from tui_popretr.delivery.remote import Absent, Arrived, SearchableSink, Unknown
from tui_popretr.errors import (
    ConnectionCut,
    DeliveryFailed,
    ExitCode,
    GmailAnswerUnclear,
    GmailInDoubt,
    GmailLoginFailed,
    GmailProtocolError,
    GmailTemporaryFailure,
    GmailUnreachable,
    GmailUnusable,
    HostNotFound,
    MessageRejected,
    NotLoggedIn,
    PopretrError,
    ProviderFailed,
    TlsFailed,
)

LABELS_PATH: Final = "/gmail/v1/users/me/labels"
SEARCH_PATH: Final = "/gmail/v1/users/me/messages"
HTML: Final = Answer(200, b"<html>Log in to this network</html>", (("Content-Type", "text/html"),))
CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def failure(here: World, call: Any) -> PopretrError:
    with pytest.raises(PopretrError) as caught:
        await call
    discreet(str(caught.value), caught.value.advice, repr(caught.value), *here.said)
    return caught.value


# --- messages -------------------------------------------------------------------------------------------------------


@trio_test
async def test_messages_over_one_connection() -> None:
    async with world() as here:
        sink = here.sink()
        assert isinstance(sink, SearchableSink)
        await sink.prepare(0)
        receipts = [await send(sink) for _ in range(3)]
        await sink.close()
        assert receipts == [f"; Gmail={each.id}" for each in here.gmail.messages]
        assert here.gmail.raw == [MAIL] * 3
        assert [each.labels for each in here.gmail.messages] == [["INBOX", "UNREAD"]] * 3
        assert (here.dialed, here.gmail.count("GET", LABELS_PATH)) == (1, 1)
        assert f"OUT Gmail POST {IMPORT_PATH}?uploadType=multipart&" in here.said[2]
        discreet(*here.said)


@pytest.mark.parametrize("spilled", [False, True])
@trio_test
async def test_line_ends_become_crlf(spilled: bool, tmp_path: Any) -> None:
    async with world() as here:
        sink = here.sink()
        sink._spool = str(tmp_path)
        made = sink.open(7)
        for part in (b"A: b\r", b"\n\nx\r", b"\r\ny\n", b"z\0\xff\r"):
            made.write(part)
        if spilled:
            made.spill()
        made.finish()
        await sink.send(made, trio.lowlevel.checkpoint)
        made.abort()
        assert here.gmail.raw == [b"A: b\r\n\r\nx\r\n\r\ny\r\nz\0\xff\r\n"]


@trio_test
async def test_a_large_message_in_pieces(tmp_path: Any) -> None:
    async with world() as here:
        sink = here.sink()
        sink._spool = str(tmp_path)
        made = sink.open(7)
        line = b"x" * 98 + b"\r\n"
        for part in (b"A: b\r\n\r\n", line * 20_000, line * 20_000):
            made.write(part)
            made.spill()
        made.finish()
        await sink.send(made, trio.lowlevel.checkpoint)
        made.abort()
        assert here.gmail.raw == [b"A: b\r\n\r\n" + line * 40_000]


@pytest.mark.parametrize(
    ("settings", "query", "labels"),
    [
        ({}, {"internalDateSource": "dateHeader", "neverMarkSpam": "false", "processForCalendar": "false"}, "SPAM"),
        ({"never_spam": True}, {"neverMarkSpam": "true"}, "INBOX"),
        ({"calendar": True, "date": GmailDate.RECEIVED}, {"processForCalendar": "true"}, "SPAM"),
    ],
)
@trio_test
async def test_the_settings_of_an_import(settings: Any, query: dict[str, str], labels: str) -> None:
    async with world() as here:
        await send(here.sink(**settings), b"A: b\r\nX-Looks-Like: spam\r\n\r\n")
        (found,) = here.gmail.messages
        assert query.items() <= found.query.items()
        assert labels in found.labels


@trio_test
async def test_the_end_waits_for_the_journal() -> None:
    async with world() as here:
        sink = here.sink()
        made, seen = message(sink), []

        async def before_end() -> None:
            await trio.testing.wait_all_tasks_blocked()
            seen.append(len(here.gmail.asked))

        await sink.prepare(0)
        await sink.send(made, before_end)
        made.abort()
        assert (seen, len(here.gmail.asked)) == ([1], 2)


@trio_test
async def test_the_error_of_before_end_is_passed_on() -> None:
    class NotRecordedError(Exception):
        pass

    async def before_end() -> None:
        await trio.lowlevel.checkpoint()
        raise NotRecordedError

    async with world() as here:
        sink = here.sink()
        made = message(sink)
        with pytest.raises(NotRecordedError):
            await sink.send(made, before_end)
        made.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert here.gmail.messages == []
        await send(sink)
        assert here.gmail.raw == [MAIL]


@trio_test
async def test_nothing_is_sent_after_close() -> None:
    async with world() as here:
        sink = here.sink()
        await sink.close()
        with pytest.raises(GmailTemporaryFailure):
            await send(sink)
        with pytest.raises(GmailTemporaryFailure):
            await sink.prepare(0)
        assert here.dialed == 0


# --- labels ---------------------------------------------------------------------------------------------------------


@trio_test
async def test_labels_are_found_and_made() -> None:
    async with world() as here:
        here.gmail.labels["Old/Name"] = "Label_7"
        sink = here.sink(labels=("old/name", "Neu &ä", "STARRED"), inbox=False, unread=False)
        await send(sink)
        assert here.gmail.labels["Neu &ä"].startswith("Label_")
        assert here.gmail.messages[0].labels == ["Label_7", here.gmail.labels["Neu &ä"], "STARRED"]
        await send(here.sink(labels=("Neu &ä",)))
        assert here.gmail.count("POST", LABELS_PATH) == 1


@trio_test
async def test_a_label_that_another_session_makes() -> None:
    async with world() as here:
        here.gmail.fail(Fault(Answer.error(409, "aborted"), works=True), path=LABELS_PATH)
        await send(here.sink(labels=("New",)))
        assert here.gmail.messages[0].labels[2] == here.gmail.labels["New"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(Answer.error(409, "aborted")), GmailUnusable),
        (Fault(Answer.error(400, "invalidArgument", "Invalid label name")), GmailUnusable),
        (Fault(HTML), GmailProtocolError),
        (Fault(Answer.json({})), GmailProtocolError),
    ],
)
@trio_test
async def test_a_label_that_cannot_be_made(fault: Fault, kind: type[PopretrError]) -> None:
    async with world() as here:
        here.gmail.fail(fault, path=LABELS_PATH)
        problem = await failure(here, here.sink(labels=("New",)).prepare(0))
        assert type(problem) is kind


@trio_test
async def test_a_label_that_was_removed() -> None:
    async with world() as here:
        sink = here.sink(labels=("New",))
        await send(sink)
        del here.gmail.labels["New"]
        problem = await failure(here, send(sink))
        assert (type(problem), problem.exit_code) == (GmailUnusable, ExitCode.CONFIGURATION)
        await send(here.sink(labels=("New",)))
        assert len(here.gmail.messages) == 2


# --- access tokens --------------------------------------------------------------------------------------------------


@trio_test
async def test_a_refused_token_is_renewed_once() -> None:
    async with world() as here:
        here.gmail.tokens = {OTHER_TOKEN: SCOPES}
        here.others = [tokens(OTHER_TOKEN)]
        await here.sink().prepare(0)
        assert "EVENT Gmail the access token is renewed" in here.said
        here.gmail.tokens = {}
        problem = await failure(here, here.sink().prepare(0))
        assert (type(problem), problem.exit_code) == (GmailLoginFailed, ExitCode.LOGIN)
        assert "tui-popretr login c.xml --client isp --for gmail" in problem.advice


@pytest.mark.parametrize("early", [False, True])
@trio_test
async def test_a_token_that_ends_at_an_import(early: bool) -> None:
    async with world() as here:
        sink, ends = here.sink(), []
        await sink.prepare(0)
        here.gmail.fail(Fault(Answer.error(401, "authError"), early=early))
        here.gmail.tokens[OTHER_TOKEN] = SCOPES
        here.others = [tokens(OTHER_TOKEN)]

        async def before_end() -> None:
            await trio.testing.wait_all_tasks_blocked()
            ends.append(here.gmail.raw)

        made = message(sink)
        await sink.send(made, before_end)
        made.abort()
        assert (here.gmail.raw, ends) == ([MAIL], [[]])


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (tokens(account="other@gmail.example"), "the access token is that of other@gmail.example"),
        (tokens(account=""), "the access token does not say whose it is"),
    ],
)
@trio_test
async def test_the_token_of_another_account(token: Any, words: str) -> None:
    async with world() as here:
        here.tokens = [token]
        problem = await failure(here, here.sink().prepare(0))
        assert str(problem).startswith(words)
        assert problem.exit_code == ExitCode.CONFIGURATION
        with pytest.raises(GmailUnusable):
            await send(here.sink())
        assert here.dialed == 0, "nothing is asked or sent"


@trio_test
async def test_the_same_account_in_other_letters() -> None:
    async with world() as here:
        here.tokens = [tokens(account="Me@Gmail.example")]
        await send(here.sink())


@pytest.mark.parametrize(("verify", "works"), [(True, False), (False, True)])
@trio_test
async def test_a_token_that_does_not_allow_searching(verify: bool, works: bool) -> None:
    async with world() as here:
        here.tokens = [tokens(scopes=(INSERT, LABELS))]
        sink = here.sink(verify=verify)
        if works:
            await send(sink)
            return
        problem = await failure(here, sink.prepare(0))
        assert (problem.exit_code, problem.login_missing) == (ExitCode.LOGIN, True)


@pytest.mark.parametrize(
    ("problem", "code", "login"),
    [(NotLoggedIn("log in"), ExitCode.LOGIN, True), (ProviderFailed("down"), ExitCode.TEMPORARY, False)],
)
@trio_test
async def test_no_token(problem: PopretrError, code: ExitCode, login: bool) -> None:
    async with world() as here:
        here.tokens = [problem]
        found = await failure(here, here.sink().prepare(0))
        assert isinstance(found, DeliveryFailed)
        assert (found.exit_code, found.login_missing) == (code, login)


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "kind", "code"),
    [
        (HostNotFound("no address"), GmailUnreachable, ExitCode.UNAVAILABLE),
        (TlsFailed("a stranger"), GmailProtocolError, ExitCode.PROTOCOL),
        (ConnectionCut("the connection broke"), GmailTemporaryFailure, ExitCode.TEMPORARY),
    ],
)
@trio_test
async def test_no_connection(problem: PopretrError, kind: type[PopretrError], code: ExitCode) -> None:
    async with world() as here:
        here.unreachable = problem
        found = await failure(here, send(here.sink()))
        assert (type(found), found.exit_code) == (kind, code)


def refused(status: int, reason: str = "", **more: Any) -> Fault:
    return Fault(Answer.error(status, reason, "words"), **more)


_FAULTS: Final = [
    (refused(400), MessageRejected, False),
    (refused(413), MessageRejected, False),
    (refused(413, early=True), MessageRejected, False),
    (refused(403, "forbidden"), DeliveryFailed, False),
    (refused(403, "rateLimitExceeded"), GmailTemporaryFailure, False),
    (refused(429), GmailTemporaryFailure, False),
    (refused(429, early=True), GmailTemporaryFailure, False),
    (refused(503, early=True), GmailTemporaryFailure, False),
    (refused(500), GmailInDoubt, True),
    (refused(503, works=True), GmailInDoubt, True),
    (Fault(Answer(502, b"<html>")), GmailInDoubt, True),
    (Fault(Answer(500)), GmailInDoubt, True),
    (Fault(Answer.json({"id": "1"}, 202), works=True), GmailInDoubt, True),
    (Fault(Answer(204), works=True), GmailInDoubt, True),
    (Fault(Answer(202), early=True), GmailProtocolError, False),
    (Fault(Answer(503, raw=f"HTTP/1.1 503 {TOKEN}\r\n\r\n".encode())), GmailInDoubt, True),
    (Fault(Answer(503, raw=f"HTTP/1.1 503 {'x' * 85} {TOKEN}\r\n\r\n".encode())), GmailInDoubt, True),
    (Fault(Answer.json({"id": "1", "labelIds": [TOKEN]})), GmailAnswerUnclear, True),
    (Fault(Answer(302, headers=(("Location", "https://else.test/"),))), GmailProtocolError, False),
    (Fault(Answer(307, headers=(("Location", "http://127.0.0.1:8025/"),))), GmailProtocolError, False),
    (Fault(HTML), GmailAnswerUnclear, True),
    (Fault(HTML, works=True), GmailAnswerUnclear, True),
    (Fault(Answer.json({}), works=True), GmailAnswerUnclear, True),
    (Fault(Answer.json({"id": "1"}), early=True), GmailProtocolError, False),
    (Fault(), GmailInDoubt, True),
    (Fault(works=True), GmailInDoubt, True),
    (Fault(early=True), GmailInDoubt, True),
    (Fault(Answer(200, raw=b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"), works=True), GmailInDoubt, True),
    (
        Fault(Answer(200, raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), works=True),
        GmailInDoubt,
        True,
    ),
    (Fault(Answer(200, raw=b"SMTP ready\r\n\r\n"), works=True), GmailAnswerUnclear, True),
    (Fault(Answer(200, b"x" * 5_000_000), works=True), GmailAnswerUnclear, True),
    (Fault(Answer(200, raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), works=True), GmailAnswerUnclear, True),
]


@pytest.mark.parametrize(("fault", "kind", "doubt"), _FAULTS, ids=range(len(_FAULTS)))
@trio_test
async def test_an_import_that_fails(fault: Fault, kind: type[DeliveryFailed], doubt: bool) -> None:
    """Each ends in an error that says whether Gmail may have the message; the next import works."""
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        again = [fault] if fault == Fault(early=True) else []  # it is sent once more, and then its end comes at once
        here.gmail.fail(fault, *again)
        problem = await failure(here, send(sink, b"Message-ID: <1@example.test>\r\n\r\n", b"x\r\n" * 60_000))
        assert isinstance(problem, kind), repr(problem)
        assert isinstance(problem, GmailInDoubt) is doubt
        assert fault.works <= doubt, "a message that Gmail has is in doubt"
        sink._client.memory.end_pause()
        await send(sink)
        assert here.gmail.raw[-1] == MAIL


@trio_test
async def test_chunked_answers() -> None:
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        here.gmail.fail(Fault(Answer.json({"id": "19e0"}, chunked=True), works=True))
        assert await send(sink) == "; Gmail=19e0"
        await send(sink)
        assert here.dialed == 1


@trio_test
async def test_an_id_that_is_the_token() -> None:
    """It would stand in the journal and in the audit line."""
    token = TOKEN.replace(".", "-")
    async with world() as here:
        here.tokens.append(tokens(token))
        here.gmail.tokens[token] = SCOPES
        sink = here.sink()
        await sink.prepare(0)
        here.gmail.fail(Fault(Answer.json({"id": token}), works=True))
        assert isinstance(await failure(here, send(sink)), GmailAnswerUnclear)


@trio_test
async def test_a_server_that_answers_nothing(autojump_clock: MockClock) -> None:
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        here.gmail.fail(Fault(silent=True, works=True))
        with pytest.raises(GmailInDoubt, match="has not answered within 120 s"):
            await send(sink)


@trio_test
async def test_an_answer_that_never_ends(autojump_clock: MockClock) -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        here.gmail.fail(Fault(Answer(200, raw=endless), silent=True, works=True))
        with pytest.raises(GmailInDoubt):
            await send(sink)


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("", FIRST_PAUSE), ("7", 7.0), ("never", FIRST_PAUSE)],
)
@trio_test
async def test_a_server_that_asks_to_wait(autojump_clock: MockClock, after: str, seconds: float) -> None:
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        here.gmail.fail(Fault(Answer.error(429, "rateLimitExceeded", "slowly", ("Retry-After", after))))
        await failure(here, send(sink))
        asked = len(here.gmail.asked)
        for call in (send(sink), here.sink().prepare(0)):  # this session, and the next
            problem = await failure(here, call)
            assert (type(problem), problem.exit_code) == (GmailTemporaryFailure, ExitCode.TEMPORARY)
        assert len(here.gmail.asked) == asked, "Gmail is left alone"
        await trio.sleep(seconds)
        await send(sink)


@trio_test
async def test_pauses_become_longer(autojump_clock: MockClock) -> None:
    async with world() as here:
        sink, lengths = here.sink(), []
        here.gmail.fail(*[refused(503)] * 8, path=LABELS_PATH, method="GET")
        for _ in range(8):
            await failure(here, sink.prepare(0))
            lengths.append(round(sink._client.memory.pause))
            await trio.sleep(lengths[-1])
        assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]
        await sink.prepare(0)
        here.gmail.fail(refused(503))
        await failure(here, send(sink))
        assert round(sink._client.memory.pause) == 60


# --- messages in doubt ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault(works=True), refused(500, works=True), Fault(HTML, works=True)])
@trio_test
async def test_a_message_in_doubt_that_has_arrived(autojump_clock: MockClock, fault: Fault) -> None:
    async with world() as here:
        here.gmail.lag = 50
        here.gmail.fail(fault)
        mark = await marked(here.sink())
        sink = here.sink()
        (early,) = await sink.find([mark])
        assert isinstance(early, Unknown)
        assert "it is asked in 1 min" in str(early.error)
        await trio.sleep(60)
        assert await here.sink().find([mark]) == [Arrived(f"; Gmail={here.gmail.messages[0].id}")]


@trio_test
async def test_a_message_in_doubt_in_spam(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.gmail.fail(Fault(works=True))
        mark = await marked(here.sink())
        here.gmail.messages[0].labels = ["TRASH"]
        await trio.sleep(60)
        assert isinstance((await here.sink().find([mark]))[0], Arrived)


@trio_test
async def test_a_message_in_doubt_that_is_absent(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.gmail.fail(Fault())
        mark = await marked(here.sink())
        await trio.sleep(60)
        assert await here.sink().find([mark]) == [Absent()]


@trio_test
async def test_the_delay_is_that_of_the_cut(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.gmail.fail(Fault(silent=True))
        mark = await marked(here.sink())  # after 120 s
        (answer,) = await here.sink().find([mark])
        assert isinstance(answer, Unknown)


@trio_test
async def test_the_ids_of_equal_messages_are_bounded() -> None:
    async with world() as here:
        memory = here.sink()._client.memory
        for number in range(100):
            memory.add("1@example.test", str(number))
        assert memory._imported["1@example.test"] == [str(number) for number in range(80, 100)]
        assert memory.imported("1@example.test")[-1] == "99"


@trio_test
async def test_an_equal_earlier_message_is_not_the_one(autojump_clock: MockClock) -> None:
    async with world() as here:
        sink = here.sink()
        await send(sink)
        here.gmail.fail(Fault())
        mark = await marked(sink)
        await trio.sleep(60)
        assert await here.sink().find([mark]) == [Absent()]


@trio_test
async def test_an_equal_later_message_is_not_the_one(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.gmail.fail(Fault())
        mark = await marked(here.sink())
        await trio.sleep(60)
        await send(here.sink())
        assert await here.sink().find([mark]) == [Absent()]


@trio_test
async def test_equal_messages_in_doubt_count_once_each(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.gmail.fail(Fault(works=True), Fault())
        first = await marked(here.sink())
        await trio.sleep(60)
        second = await marked(here.sink())
        await trio.sleep(60)
        found = await here.sink().find([first, second])
        assert [type(each) for each in found] == [Arrived, Absent]


@pytest.mark.parametrize(
    "other",
    [b"Message-ID: <2@example.test>\r\n\r\ntext\r\n", MAIL + b"more\r\n" * 200, b"X: <1@example.test>\r\n\r\n"],
    ids=["Message-ID", "size", "none"],
)
@trio_test
async def test_another_message_is_not_the_one(autojump_clock: MockClock, other: bytes) -> None:
    async with world() as here:
        here.gmail.fail(Fault())
        mark = await marked(here.sink())
        here.gmail.add(other)
        await trio.sleep(60)
        assert await here.sink().find([mark]) == [Absent()]


@pytest.mark.parametrize(
    ("settings", "message_id"), [({}, None), ({}, "a b"), ({}, 'a" OR in:inbox'), ({"verify": False}, "1@example.test")]
)
@trio_test
async def test_messages_without_a_mark(settings: Any, message_id: str | None) -> None:
    async with world() as here:
        sink = here.sink(**settings)
        assert await sink.mark([message(sink, message_id=message_id)]) == [None]
        await send(sink, message_id=message_id)


@pytest.mark.parametrize(("verify", "words"), [(True, "the server is asked"), (False, "Gmail cannot be asked")])
@trio_test
async def test_the_advice_for_a_message_in_doubt(verify: bool, words: str) -> None:
    async with world() as here:
        here.gmail.fail(Fault())
        problem = await failure(here, send(here.sink(verify=verify)))
        assert problem.advice.startswith(words)


@trio_test
async def test_marks_that_are_not_asked_for() -> None:
    async with world() as here:
        sink = here.sink()
        (mark,) = await sink.mark([message(sink)])
        assert mark is not None
        assert await sink.find(["{}"]) == [Absent("what is recorded of it cannot be read")]
        assert await here.sink(verify=False).find([mark]) == [Absent("<verify> is off")]
        assert here.dialed == 0


@pytest.mark.parametrize(
    "fault",
    [
        refused(401),
        refused(403, "insufficientPermissions"),
        refused(403, "rateLimitExceeded"),
        refused(429),
        refused(500),
        Fault(HTML),
        Fault(Answer.json({"messages": 1})),
        Fault(Answer(302)),
        Fault(),
    ],
    ids=range(9),
)
@trio_test
async def test_a_search_that_fails(autojump_clock: MockClock, fault: Fault) -> None:
    """Then nothing is imported."""
    async with world() as here:
        here.gmail.fail(Fault(works=True))
        mark = await marked(here.sink())
        await trio.sleep(60)
        here.gmail.fail(fault, path=SEARCH_PATH, method="GET")
        sink = here.sink()
        problem = await failure(here, sink.find([mark]))
        assert isinstance(problem, DeliveryFailed)
        with pytest.raises(type(problem)):
            await sink.prepare(0)
        sink._client.memory.end_pause()
        assert isinstance((await sink.find([mark]))[0], Arrived)
        await sink.prepare(0)


@trio_test
async def test_a_message_cancelled_before_its_end() -> None:
    async with world() as here:
        sink = here.sink()
        await sink.prepare(0)
        made = message(sink)
        with trio.move_on_after(0.01):
            await sink.send(made, trio.sleep_forever)
        made.abort()
        await trio.testing.wait_all_tasks_blocked()
        assert here.gmail.messages == []
        await send(sink)
        assert here.gmail.raw == [MAIL]


@trio_test
async def test_the_token_is_that_of_the_tests() -> None:
    async with world() as here:
        await send(here.sink())
        assert {each.headers["authorization"] for each in here.gmail.asked} == {f"Bearer {TOKEN}"}
        assert now() >= 1_000_000_000
