"""The exchanges form of the transcript: folding, errors, filter, order, and a command whole."""

from __future__ import annotations

from datetime import timedelta

from tests.support.clock import FakeClock
from tests.support.dashboard import Played, ScriptedSource, clients, play
from tests.ui.exchanging import Session
from tui_popretr.facts import DialogueLine, Direction, Fact, MessageDelivered, SessionId
from tui_popretr.ui.screens.exchange import ExchangeScreen
from tui_popretr.ui.screens.message import MessageScreen
from tui_popretr.ui.widgets.transcript import TranscriptPane

NOW = FakeClock().now()


def exchanges(client: str, *pairs: tuple[str, str, float], run: int = 1) -> list[Fact]:
    """Return the lines of commands and replies, one after another; the third of each are milliseconds."""
    session, at = SessionId(client, run), NOW
    lines: list[Fact] = []
    for number, (command, reply, milliseconds) in enumerate(pairs, 1):
        lines.append(DialogueLine(session, at, Direction.OUT, command, number))
        at += timedelta(milliseconds=milliseconds)
        lines.append(DialogueLine(session, at, Direction.IN, reply, number, milliseconds))
    return lines


def dialogue_of_120() -> list[Fact]:
    return exchanges(
        "isp",
        ("USER alice", "+OK", 12.0),
        ("PASS ****", "+OK", 1234.0),
        ("LIST", "-ERR busy", 3.0),
        *((f"DELE {number}", "+OK deleted", 1.5) for number in range(1, 121)),
        ("QUIT", "-ERR some deleted messages not removed", 2.0),
    )


def source_of(*facts: Fact) -> ScriptedSource:
    source = ScriptedSource()
    source.tell(clients("isp", "work"), *facts)
    return source


def test_e_changes_the_form_and_120_dele_are_one_row() -> None:
    async def scene(shown: Played) -> None:
        assert "DELE 117" in shown.text
        await shown.press("tab", "e")
        rows = [row.split() for row in shown.rows if "DELE" in row]
        assert shown.row("Command").split()[-3:] == ["Size", "Took", "Wait"]
        assert [row[1:] for row in rows] == [["▸", "DELE", "1-120", "120", "x", "+OK", "180", "ms", "1.5", "ms"]]
        assert "USER alice" in shown.text
        assert "exchanges" in shown.text
        await shown.press("e")
        assert "DELE 117" in shown.text

    play(scene, source=source_of(*dialogue_of_120()))


def test_enter_unfolds_and_folds_a_run() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "k", "enter")
        assert "▾ DELE 1-120" in shown.text
        assert "DELE 2 " in shown.text
        await shown.press("enter")
        assert "▸ DELE 1-120" in shown.text
        assert "DELE 2 " not in shown.text

    play(scene, source=source_of(*dialogue_of_120()))


def test_enter_shows_a_command_whole_with_its_message() -> None:
    session = SessionId("isp", 1)
    mail = MessageDelivered(session, NOW, 17, "u", 900, "Mailbox=user1", None, None, "a@b", "Alice", "The subject")
    data = DialogueLine(session, NOW, Direction.EVENT, "Received MessageBody octets=900", 1, None, 900)

    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "enter")
        assert isinstance(shown.app.screen, ExchangeScreen)
        assert ">> RETR 17" in shown.text
        assert "<< +OK 900 octets" in shown.text
        assert "340 ms" in shown.text
        assert "The subject" in shown.text
        await shown.press("m")
        assert [type(each) for each in shown.app.screen_stack[1:]] == [ExchangeScreen, MessageScreen]

    lines = exchanges("isp", ("RETR 17", "+OK 900 octets", 340.0))
    play(scene, mail, source=source_of(*lines, data))


def test_brackets_go_to_errors_in_both_forms() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "left_square_bracket")
        assert "▌" in shown.row("← -ERR busy")
        await shown.press("left_square_bracket")
        assert shown.notices == ["no error further up"]
        await shown.press("e", "g", "right_square_bracket")
        assert "-ERR busy" in cursor(shown)
        await shown.press("right_square_bracket")
        assert "-ERR some" in cursor(shown)
        await shown.press("right_square_bracket")
        assert shown.notices[-1] == "no error further down"

    play(scene, source=source_of(*dialogue_of_120()), size=(99, 40))


def test_ampersand_filters_and_an_exclamation_mark_excludes() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "ampersand", *"err !busy", "enter")
        assert "-ERR some" in shown.text
        assert "-ERR busy" not in shown.text
        assert "DELE" not in shown.text
        assert "1 of 5" in shown.text
        await shown.press("escape")
        assert "-ERR busy" in shown.text

    play(scene, source=source_of(*dialogue_of_120()))


def test_errors_are_red_and_slow_replies_yellow() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "g")
        error = next(each.style for each in shown.styled("-ERR busy") if "-ERR" in each.text)
        slow = [each.style for each in shown.styled("PASS") if "1.2 s" in each.text][-1]
        assert error is not None
        assert error.color is not None
        assert error.color.name == "red"
        assert slow is not None
        assert slow.color is not None
        assert slow.color.name == "yellow"

    play(scene, source=source_of(*dialogue_of_120()))


def test_a_long_run_of_quick_replies_is_not_slow() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "o")
        long = next(each.style for each in shown.styled("NOOP") if "5.0 s" in each.text)
        assert long is not None
        assert long.color is None
        assert "STAT" in cursor(shown)

    lines = exchanges("isp", ("NOOP", "+OK", 1.0), ("NOOP", "+OK", 1.0))
    for line in lines[2:]:
        assert isinstance(line, DialogueLine)
        line.at += timedelta(seconds=5)
    play(scene, source=source_of(*lines, *exchanges("isp", ("STAT", "+OK", 50.0), run=2)))


def test_a_pipelined_command_is_not_blamed_for_the_one_before() -> None:
    """LIST has its reply two seconds after it was sent, but at once after that of UIDL."""

    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "o")
        assert cursor(shown).split()[1:] == ["UIDL", "-ERR", "slow", "2.0", "s", "2.0", "s"]
        assert "exchanges since 07:27:59" in shown.text
        await shown.press("down")
        assert cursor(shown).split()[1:] == ["LIST", "-ERR", "busy", "2.0", "s", "1.0", "ms"]
        await shown.press("enter")
        assert "1.0 ms after the replies before it" in shown.text

    session = Session().send("UIDL", "LIST")
    session.now += timedelta(seconds=2)
    play(scene, source=source_of(*session.reply("-ERR slow", "-ERR busy").lines))


def test_lines_that_are_missing_are_counted() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e")
        await shown.tell(*exchanges("isp", ("NOOP", "+OK alive", 1.0)), dropped=7)
        assert "7 lines missing" in shown.text

    play(scene, source=source_of(), size=(99, 30))


def test_o_shows_the_slowest_first() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e", "o")
        assert "PASS" in cursor(shown)
        await shown.press("o")
        assert "QUIT" in cursor(shown)

    play(scene, source=source_of(*dialogue_of_120()))


def cursor(shown: Played) -> str:
    """Return the row under the cursor of the last table."""
    return [row for row in shown.rows if row.startswith("›")][-1]


def test_exchanges_arrive_live_unless_frozen() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e")
        assert "No exchange yet." in shown.text
        await shown.tell(*exchanges("isp", ("NOOP", "+OK alive", 1.0)))
        assert "+OK alive" in shown.text
        await shown.press("space")
        await shown.tell(*exchanges("isp", ("STAT", "+OK 2 320", 1.0), run=2))
        assert "+OK 2 320" not in shown.text
        assert "frozen" in shown.text
        await shown.press("space")
        assert "+OK 2 320" in shown.text

    play(scene, source=source_of())


def test_the_hidden_form_is_drawn_when_it_is_shown() -> None:
    async def scene(shown: Played) -> None:
        pane = shown.app.query_one(TranscriptPane)
        await shown.press("tab", "e")
        await shown.tell(*exchanges("isp", ("NOOP", "+OK alive", 1.0)))
        assert len(pane.view.shown) == 0
        await shown.press("e")
        assert "+OK alive" in shown.text
        assert "following" in shown.text
        await shown.tell(*exchanges("isp", ("STAT", "+OK 2 320", 1.0), run=2))
        await shown.press("e")
        assert "+OK 2 320" in shown.text

    play(scene, source=source_of())


def test_exchanges_of_all_clients_name_their_sessions() -> None:
    lines = [*exchanges("isp", ("NOOP", "+OK isp", 1.0)), *exchanges("work", ("NOOP", "+OK work", 1.0))]

    async def scene(shown: Played) -> None:
        await shown.press("e", "tab", "e")
        assert "+OK work" not in shown.text
        await shown.press("a")
        assert "work-1" in shown.row("NOOP") or "isp-1" in shown.row("NOOP")
        assert "+OK work" in shown.text
        assert "+OK isp" in shown.text

    play(scene, source=source_of(*lines))


def test_text_of_a_server_is_neutralised_in_exchanges() -> None:
    async def scene(shown: Played) -> None:
        await shown.press("tab", "e")
        assert "[red]no" in shown.text
        await shown.press("enter")
        assert "[red]no" in shown.text

    play(scene, source=source_of(*exchanges("isp", ("NOOP", "-ERR [red]no\u202e[/]", 1.0))))
