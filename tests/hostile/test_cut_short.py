"""Messages that a server ends too early: what came is delivered, and the original stays on the server for good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, trio_test

from tests.hostile.behaviour import MAILS, Behaviour, prove
from tests.hostile.script import CUT, ORDINARY, SILENCE, Play, Script, edited
from tests.hostile.server import HostileServer
from tests.hostile.service import TIMEOUT, Service
from tests.support.worlds import mail
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Level, MessageDelivered, MessageSkipped, Noted
from tui_popretr.journal.journal import Journal
from tui_popretr.journal.records import Doubt, MessageState, Record
from tui_popretr.session.wholeness import Wholeness, judge

EACH_WAY = pytest.mark.parametrize("pipelining", [False, True])
SIZE = len(MAILS["uid-1"])
#: Dot-stuffing taken back: what a server sends that does not know it.
UNSTUFFED = edited(lambda octets: octets.replace(b"\r\n..", b"\r\n."))


def sizes(*listed: int) -> bytes:
    return b"+OK\r\n" + b"".join(b"%d %d\r\n" % each for each in enumerate(listed, 1)) + b".\r\n"


def warnings(service: Service) -> list[str]:
    return [each.text for each in service.of(Noted) if each.level is Level.WARNING]


def records(folder: Path) -> dict[str | None, Record]:
    with closing(Journal.open(str(folder / "popretr.sqlite"))) as journal:
        return {each.uid: each for number in (1, 2) for each in journal.records(number) if "neighbour" not in str(each)}


@pytest.mark.parametrize(
    ("listed", "octets", "wholeness"),
    [
        (48213, 0, Wholeness.EMPTY),
        (1, 0, Wholeness.EMPTY),
        (0, 0, Wholeness.WHOLE),
        (0, 5, Wholeness.WHOLE),
        (100, 100, Wholeness.WHOLE),
        (100, 101, Wholeness.WHOLE),
        (100, 99, Wholeness.DOUBTFUL),
        (5_000_000, 3000, Wholeness.CUT_SHORT),
        (2049, 1024, Wholeness.CUT_SHORT),  # less than half, and 1,025 octets short
        (2048, 1024, Wholeness.DOUBTFUL),  # half
        (2046, 1023, Wholeness.DOUBTFUL),
        (2045, 1022, Wholeness.DOUBTFUL),  # less than half, 1,023 octets short
        (1025, 1, Wholeness.CUT_SHORT),
        (1024, 1, Wholeness.DOUBTFUL),  # 1,023 octets short
        (None, 0, Wholeness.DOUBTFUL),
        (None, 10**9, Wholeness.DOUBTFUL),
    ],
)
def test_what_a_size_says(listed: int | None, octets: int, wholeness: Wholeness) -> None:
    assert judge(listed, octets) is wholeness


@pytest.mark.parametrize(
    ("listed", "octets", "feeds", "wholeness"),
    [
        (100, 100, 9, Wholeness.WHOLE),  # a line end counts as two octets
        (91, 100, 9, Wholeness.WHOLE),  # as one
        (91, 96, 8, Wholeness.DOUBTFUL),  # of the latter the last line is missing
        (99, 100, 9, Wholeness.DOUBTFUL),  # neither
        (90, 100, 9, Wholeness.WHOLE),
    ],
)
def test_a_line_end_may_count_as_one_octet(listed: int, octets: int, feeds: int, wholeness: Wholeness) -> None:
    assert judge(listed, octets, feeds) is wholeness


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_only_a_message_of_its_size_is_whole_at_once(listed: int, octets: int) -> None:
    assert (judge(listed, octets) is Wholeness.WHOLE) is (octets >= listed)


@EACH_WAY
@trio_test
async def test_an_empty_message_in_place_of_a_listed_one(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Some Exchange servers do this for messages that they cannot render."""
    behaviour = Behaviour(
        {"RETR 1": b"+OK\r\n.\r\n"},
        f"1 message could not be retrieved: the server sent an empty message instead of the listed {SIZE} octets",
        ExitCode.TEMPORARY,
        delivered=2,
    )
    await prove(behaviour, tmp_path, pipelining=pipelining)


@EACH_WAY
@trio_test
async def test_an_empty_message_that_is_listed_as_empty(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    await prove(Behaviour({}, delivered=1, mails={"empty": b""}), tmp_path, pipelining=pipelining)


@EACH_WAY
@trio_test
async def test_a_month_of_a_message_that_was_cut_short(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = HostileServer(MAILS, {"LIST": sizes(SIZE, 5_000_000, SIZE)}, pipelining=pipelining)
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.code, result.messages, result.deleted, result.kept) == (ExitCode.OK, 3, 2, 1)
    (warning,) = warnings(service)
    assert warning == (
        f"message 2 (UID uid-2) was cut short by the server: {SIZE} of its 5000000 octets arrived and were delivered."
        " The message stays on the server and is not retrieved again"
    )
    server.script = {"LIST": sizes(5_000_000)}
    for _ in range(30):
        server.heard.clear()
        result = await service.run()
        assert (result.code, result.messages, result.deleted, result.kept) == (ExitCode.OK, 0, 0, 1)
        assert warnings(service) == []
        assert not {"RETR", "TOP", "DELE"} & set(server.verbs())
    assert service.arrived() == Counter(MAILS.values())
    assert list(server.mails) == ["uid-2"]
    assert records(tmp_path)["uid-2"].state is MessageState.KEPT


def dotted(before: int, behind: int) -> bytes:
    """A message with a line of a single dot behind `before` lines, and with `behind` lines after it."""
    return mail("dotted", b"a line\r\n" * before + b".\r\n" + b"another line\r\n" * behind)


@EACH_WAY
@pytest.mark.parametrize("place", [1, 2, 3], ids=["first", "between", "last"])
@pytest.mark.parametrize(("before", "behind"), [(0, 50), (40, 1), (40, 40), (300, 1)])
@trio_test
async def test_a_server_that_does_not_stuff_dots(
    before: int, behind: int, place: int, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Whatever is missing, the original stays. The messages before and behind arrive, and none of them is blamed."""
    mails = {f"uid-{n}": mail(n) if n != place else dotted(before, behind) for n in (1, 2, 3)}
    await _unstuffed(mails, {f"uid-{place}"}, tmp_path, pipelining)


@EACH_WAY
@trio_test
async def test_each_message_has_a_line_of_a_single_dot(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    mails = {f"uid-{n}": mail(n, b"a\r\n" * 30 + b".\r\n" + b"b\r\n" * 30) for n in range(5)}
    await _unstuffed(mails, set(mails), tmp_path, pipelining)


LINES = st.lists(
    st.sampled_from([b"", b".", b"..", b"text", b"+", b"-", b"- ", b"-- ", b".x", b"x" * 3000]), max_size=9
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(st.sampled_from([b"", b"text", b"x" * 3000])), behind=LINES, pipelining=st.booleans())
def test_any_text_behind_a_single_dot(
    before: list[bytes], behind: list[bytes], pipelining: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No line that is cut off from a message looks like a status line here; nothing can be known where one does."""
    text = b"".join(line + b"\r\n" for line in [*before, b".", *behind, b"the end"])
    mails = {"uid-1": mail(1), "dotted": mail("dotted", text), "uid-3": mail(3)}

    @trio_test
    async def run(autojump_clock: MockClock) -> None:
        await _unstuffed(mails, {"dotted"}, tmp_path_factory.mktemp("unstuffed"), pipelining)

    run(autojump_clock=MockClock(autojump_threshold=0))


async def _unstuffed(mails: Mapping[str, bytes], dotted: set[str], folder: Path, pipelining: bool) -> None:
    server = HostileServer(mails, {"RETR": UNSTUFFED}, pipelining=pipelining)
    service = Service(folder, server)
    others = {uid: content for uid, content in mails.items() if uid not in dotted}
    for number in range(3):
        result = await service.run()
        assert not service.of(MessageSkipped)
        assert (result.ok, result.failed, result.kept) == (True, 0, len(dotted))
        assert len(warnings(service)) == (0 if number else 2 * len(dotted))
        for uid in dotted:
            assert any(mails[uid].startswith(each) for each in service.arrived())
        assert sum(service.arrived().values()) == len(mails)
        assert all(service.arrived()[content] == 1 for content in others.values())
        assert set(server.mails) == dotted, "the originals stay, and nothing else"


@EACH_WAY
@trio_test
async def test_sizes_that_are_a_little_too_large(pipelining: bool, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Many servers count differently: one NOOP, behind the last message, is all that it costs."""
    script: Script = {"LIST": sizes(*(SIZE + 10,) * 3)}
    service = await prove(Behaviour(script, delivered=3), tmp_path, pipelining=pipelining)
    verbs = service.server.verbs(0)
    assert verbs.count("NOOP") == 1
    assert verbs.index("NOOP") == verbs.index("RETR") + 3 if pipelining else True
    assert verbs.count("RETR") == verbs.count("DELE") == 3


@EACH_WAY
@pytest.mark.parametrize("size", [b"%!d(float64=461)", b"-1", b""])
@trio_test
async def test_a_message_without_a_usable_size(
    size: bytes, pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    script: Script = {"LIST": b"+OK\r\n1 %b\r\n2 %d\r\n3 %b\r\n.\r\n" % (size, SIZE, size)}
    await prove(Behaviour(script, delivered=3), tmp_path, pipelining=pipelining)


@EACH_WAY
@trio_test
async def test_without_sizes_the_server_does_not_stuff_dots(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A message of unknown size is doubtful until the next reply."""
    mails = {"uid-1": mail(1), "dotted": dotted(30, 30), "uid-3": mail(3)}
    server = HostileServer(
        mails, {"RETR": UNSTUFFED, "LIST": b"+OK\r\n1\r\n2 -1\r\n3 %!d\r\n.\r\n"}, pipelining=pipelining
    )
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.ok, result.messages, result.kept) == (True, 3, 1)
    assert list(server.mails) == ["dotted"]


BREAKS: dict[str, Play] = {"cut": CUT, "silence": SILENCE, "-ERR and cut": (b"-ERR shutting down\r\n", CUT)}


@pytest.mark.parametrize("play", [CUT, SILENCE], ids=["cut", "silence"])
@trio_test
async def test_a_cut_before_the_next_reply(play: Play, tmp_path: Path, autojump_clock: MockClock) -> None:
    """Whether the message was whole is not known: it is delivered, and asked for again before it is deleted."""
    mails = {"uid-1": MAILS["uid-1"]}
    server = HostileServer(mails, {"LIST": sizes(SIZE + 10), "NOOP": play})
    service = Service(tmp_path, server)
    result = await service.run()
    assert not result.ok
    assert (result.messages, result.deleted, result.kept) == (1, 0, 0)
    assert list(server.mails) == ["uid-1"]
    record = records(tmp_path)["uid-1"]
    assert (record.state, record.delete_pending, record.doubt) == (MessageState.DELIVERED, False, Doubt.UNPROVEN)

    server.script = {"LIST": sizes(SIZE + 10)}
    result = await service.run()
    assert (result.ok, result.messages, result.deleted) == (True, 0, 1)
    assert [verb for verb in server.verbs() if verb in ("TOP", "RETR", "NOOP", "DELE")] == ["RETR", "NOOP", "DELE"]
    assert service.arrived() == Counter(mails.values())
    assert server.mails == {}


@pytest.mark.parametrize("again", [ORDINARY, edited(lambda octets: octets.replace(b"a line\r\n", b"", 1))])
@trio_test
async def test_a_doubtful_message_that_is_another_the_next_time(
    again: Play, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The header alone does not prove that what was delivered was all of it: rather twice than lost."""
    server = HostileServer({"uid-1": MAILS["uid-1"]}, {"LIST": sizes(SIZE + 10), "NOOP": CUT})
    server.script = {**server.script, "RETR": edited(lambda octets: octets.replace(b"a line\r\n", b"", 2))}
    service = Service(tmp_path, server)
    await service.run()
    server.script = {"LIST": sizes(SIZE + 10), "RETR": again}
    result = await service.run()
    assert (result.ok, result.messages, result.deleted) == (True, 1, 1)
    assert sum(service.arrived().values()) == 2


@trio_test
async def test_a_doubtful_message_that_proves_to_be_cut_short(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its rest comes only the second time: from then on it is kept."""
    mails = {"uid-1": dotted(20, 20)}
    server = HostileServer(mails, {"RETR 1": (UNSTUFFED,)})
    halves = edited(lambda octets: octets.replace(b"\r\n..", b"\r\n.").partition(b"\r\n.\r\n")[0] + b"\r\n.\r\n")
    server.script = {"RETR 1": (halves, CUT)}
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.ok, result.messages) == (False, 1)
    server.script = {"RETR 1": UNSTUFFED}
    for _ in range(2):
        result = await service.run()
        assert (result.ok, result.messages, result.deleted, result.kept) == (True, 0, 0, 1)
    assert list(server.mails) == ["uid-1"]
    assert records(tmp_path)["uid-1"].state is MessageState.KEPT


NO_UIDS: Script = {"CAPA": b"-ERR what?\r\n", "UIDL": b"-ERR what?\r\n"}


@trio_test
async def test_without_uids_it_is_known_by_all_of_its_octets(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It has to be retrieved to be known again; it is delivered once, and stays."""
    server = HostileServer(MAILS, {**NO_UIDS, "LIST": sizes(SIZE, 5_000_000, SIZE)})
    service = Service(tmp_path, server)
    assert (await service.run()).kept == 1
    server.script = {**NO_UIDS, "LIST": sizes(5_000_000)}
    for _ in range(3):
        result = await service.run()
        assert (result.ok, result.messages, result.kept) == (True, 0, 1)
    assert service.arrived() == Counter(MAILS.values())
    assert list(server.mails) == ["uid-2"]


@EACH_WAY
@trio_test
async def test_line_ends_as_one_octet_and_unstuffed_dots(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What arrives of the message may have more octets than are listed."""
    mails = {"uid-1": mail(1), "dotted": dotted(200, 3), "uid-3": mail(3)}
    listed = {uid: len(each.replace(b"\r\n", b"\n")) for uid, each in mails.items()}
    server = HostileServer(mails, {"LIST": sizes(*listed.values()), "RETR": UNSTUFFED}, pipelining=pipelining)
    service = Service(tmp_path, server)
    result = await service.run()
    assert (result.ok, result.messages, result.failed, result.kept) == (True, 3, 0, 1)
    assert "message 2 (UID dotted) was cut short by the server: 1" in warnings(service)[0]
    assert " of its " not in warnings(service)[0]
    server.script = {"LIST": sizes(listed["dotted"]), "RETR": UNSTUFFED}
    assert (await service.run()).kept == 1
    assert list(server.mails) == ["dotted"]
    assert sum(service.arrived().values()) == 3


@trio_test
async def test_a_doubtful_message_without_uid_outlasts_a_session(tmp_path: Path, autojump_clock: MockClock) -> None:
    script: Script = {**NO_UIDS, "LIST": sizes(SIZE + 10, SIZE + 10, SIZE + 10)}
    server = HostileServer(MAILS, {**script, "NOOP": CUT})
    service = Service(tmp_path, server)
    await service.run()
    server.script = {**script, "RETR 3": b"-ERR [SYS/TEMP] later\r\n"}
    await service.run()
    server.script = {**NO_UIDS, "LIST": sizes(SIZE + 10)}
    result = await service.run()
    assert (result.ok, result.messages, result.deleted) == (True, 0, 1)
    assert service.arrived() == Counter(MAILS.values())


@EACH_WAY
@trio_test
async def test_without_uids_the_server_does_not_stuff_dots(
    pipelining: bool, tmp_path: Path, autojump_clock: MockClock
) -> None:
    mails = {"uid-1": mail(1), "dotted": dotted(30, 30), "uid-3": mail(3)}
    server = HostileServer(mails, {**NO_UIDS, "RETR": UNSTUFFED}, pipelining=pipelining)
    service = Service(tmp_path, server)
    for _ in range(3):
        await service.run()
    assert list(server.mails) == ["dotted"]
    assert sum(service.arrived().values()) == 3


@pytest.mark.parametrize("client", [{"preserve": True}, {"preserve": True, "new_only": True}])
@trio_test
async def test_under_preserve_it_is_kept_too(
    client: dict[str, bool], tmp_path: Path, autojump_clock: MockClock
) -> None:
    server = HostileServer(MAILS, {"LIST": sizes(SIZE, 5_000_000, SIZE)})
    service = Service(tmp_path, server)
    assert (await service.run(**client)).kept == 1
    result = await service.run()
    assert (result.ok, result.kept) == (True, 1)
    assert list(server.mails) == ["uid-2"], "also when preserve is switched off"
    assert service.arrived()[MAILS["uid-2"]] == 1


@trio_test
async def test_a_stall_behind_all_announced_octets(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = HostileServer(MAILS, {"RETR 3": (edited(lambda octets: octets[:-3]), SILENCE)})
    service = Service(tmp_path, server)
    result = await service.run()
    assert "the server has not ended message 3 (UID uid-3): all of its" in result.error
    assert (result.ended - result.started).total_seconds() == pytest.approx(TIMEOUT, abs=1)
    assert len(service.of(MessageDelivered)) == 2
