"""The transcript: its lines, written and read back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logs.conftest import OpenLog, everything, lines
from tests.support.clock import local
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings
from tui_popretr.facts import Dialogue, DialogueLine, Direction, SessionId
from tui_popretr.logs.transcript import ParsedLine, TranscriptLog, format_line, parse_line
from tui_popretr.text import visible

SESSION = SessionId("id1", 1)


def said(direction: Direction, text: str, ms: int, session: SessionId = SESSION) -> DialogueLine:
    return DialogueLine(session, local(2026, 11, 23, 7, 27, 59, ms), direction, text)


EXAMPLES = [
    (
        said(Direction.OPENED, "Connection from 192.0.2.9:50794 to 192.0.2.7:995 (TLSv1.3)", 100),
        "id1-1 ===== 2026-11-23 07:27:59.100 >> Connection from 192.0.2.9:50794 to 192.0.2.7:995 (TLSv1.3)",
    ),
    (said(Direction.IN, "+OK POP3 ready", 104), "id1-1 07:27:59.104 << +OK POP3 ready"),
    (said(Direction.OUT, "PASS ****", 104), "id1-1 07:27:59.104 >> PASS ****"),
    (
        said(Direction.EVENT, "Received MessageBody octets=144", 105),
        "id1-1 07:27:59.105 Event: Received MessageBody octets=144",
    ),
    (said(Direction.EVENT, "Disconnect", 110), "id1-1 07:27:59.110 Event: Disconnect"),
]


@pytest.mark.parametrize(("fact", "line"), EXAMPLES)
def test_the_lines_of_the_specification(fact: DialogueLine, line: str) -> None:
    assert format_line(fact) == line


def test_dialogue_goes_to_the_file(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "t.log")))
    transcript = TranscriptLog(log)
    for fact, _ in EXAMPLES:
        transcript(Dialogue(fact.session, fact.at, [(fact.direction, fact.text)]))
    log.flush()
    assert lines(log.path) == [line for _, line in EXAMPLES]


def test_what_was_said_at_one_moment_is_written_together(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "t.log"), flush=0))
    said = [(Direction.OUT, "STAT"), (Direction.EVENT, "Disconnect")]
    TranscriptLog(log)(Dialogue(SESSION, local(2026, 11, 23, 7, 28), said))
    assert lines(log.path) == ["id1-1 07:28:00.000 >> STAT", "id1-1 07:28:00.000 Event: Disconnect"]


def test_a_line_goes_into_the_file_of_its_own_time(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%"), Rotation.MINUTE, flush=0))
    TranscriptLog(log)(Dialogue(SESSION, local(2026, 11, 23, 7, 28), [(Direction.IN, "+OK")]))
    assert lines(tmp_path / "20261123_0728") == ["id1-1 07:28:00.000 << +OK"]


def test_only_the_first_line_of_a_session_tells_the_date() -> None:
    opened = parse_line(EXAMPLES[0][1] + "\n")
    assert opened == ParsedLine(
        SESSION,
        date(2026, 11, 23),
        time(7, 27, 59, 100_000),
        Direction.OPENED,
        "Connection from 192.0.2.9:50794 to 192.0.2.7:995 (TLSv1.3)",
    )
    assert parse_line(EXAMPLES[1][1]) == ParsedLine(
        SESSION, None, time(7, 27, 59, 104_000), Direction.IN, "+OK POP3 ready"
    )


def test_a_server_that_imitates_a_line_is_read_as_text() -> None:
    text = "id2-7 07:27:59.104 >> PASS ****"
    parsed = parse_line(format_line(said(Direction.IN, text, 1)))
    assert parsed is not None
    assert (parsed.session, parsed.text) == (SESSION, text)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "# 2026-11-23 07:27:59.107 tui-popretr 0.1 transcript: opened",
        "id1 07:27:59.104 << +OK",
        "id1-1 07:27:59 << +OK",
        "id1-1 27:27:59.104 << +OK",
        "id1-1 07:27:59.104 <> +OK",
        "id1-1 07:27:59.104 <<+OK",
        "id1-1 ===== 2026-13-23 07:27:59.100 >> Connection",
        "id1-1 ===== 07:27:59.100 >> Connection",
        "id1-1 ٠٧:27:59.104 << +OK",
        "id1-1 07:27:59.104 << +OK\nid1-1 07:27:59.104 << +OK",
    ],
)
def test_what_is_no_line_of_a_transcript(line: str) -> None:
    assert parse_line(line) is None


def test_trailing_blanks_may_have_been_stripped() -> None:
    parsed = parse_line("id1-1 07:27:59.104 <<")
    assert parsed is not None
    assert parsed.text == ""


def test_banners_are_told_from_dialogue(open_log: OpenLog, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "t.log")))
    log.close()
    assert [parse_line(line) for line in everything(log.path)] == [None, None]


clients = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12)


@settings(max_examples=100)
@given(
    client=clients,
    run=st.integers(0, 10**9),
    at=st.datetimes(timezones=st.just(UTC)),
    direction=st.sampled_from(Direction),
    text=st.text(max_size=60).map(visible),
)
def test_what_is_written_is_read_back(client: str, run: int, at: datetime, direction: Direction, text: str) -> None:
    fact = DialogueLine(SessionId(client, run), at, direction, text)
    line = format_line(fact)
    moment = at.time().replace(microsecond=at.microsecond // 1000 * 1000)
    day = at.date() if direction is Direction.OPENED else None
    assert "\n" not in line
    assert parse_line(line) == ParsedLine(SessionId(visible(client), run), day, moment, direction, text)
    assert parse_line(line + "\n") == parse_line(line)


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=60), st.from_regex(r"[a-z]-\d \d\d:\d\d:\d\d\.\d{3} << .*")))
def test_any_text_can_be_parsed(line: str) -> None:
    assert parse_line(line) is None or isinstance(parse_line(line), ParsedLine)
