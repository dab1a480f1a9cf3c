"""What turns come to, as figures, tables and picture; none of it where turns do not count."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import report
from benchmarks.chart import chart
from benchmarks.results import Line, Range, Results, Turn, Work, lines

SVG = "{http://www.w3.org/2000/svg}"


def results() -> Results:
    """Three turns of two clients, in which ours takes 1, 3, 2 seconds and the other 10, 10, 40."""
    ours = [Turn("small", "tui-popretr", n, seconds, 0.5, 30_000_000) for n, seconds in enumerate((1.0, 3.0, 2.0), 1)]
    theirs = [Turn("small", "mpop", n, seconds, 0.1, 8_000_000) for n, seconds in enumerate((10.0, 10.0, 40.0), 1)]
    work = Work("small", "2,000 messages", 2000, {"mpop": 0.15}, cpu=0.25, memory=45_000_000)
    turns = [turn for pair in zip(ours, theirs, strict=True) for turn in pair]
    return Results(False, {"processor": "two"}, [work], turns)


def found(of: Results) -> dict[str, Line]:
    return {line.client: line for line in lines(of)}


def test_medians_and_shares() -> None:
    ours, theirs = found(results()).values()
    assert (ours.client, ours.seconds, ours.share) == ("tui-popretr", Range(2.0, 1.0, 3.0), None)
    assert theirs.seconds == Range(10.0, 10.0, 40.0)
    assert theirs.share == Range(0.2, 0.05, 0.3)
    assert theirs.goal == 0.15
    assert (ours.cpu, ours.memory, ours.turns) == (0.5, 30_000_000, 3)


def test_a_turn_that_failed_does_not_count() -> None:
    of = results()
    of.turns[1] = replace(of.turns[1], problem="1 missing")
    theirs = found(of)["mpop"]
    assert (theirs.turns, theirs.failed, theirs.problem) == (2, 1, "1 missing")
    assert theirs.seconds == Range(25.0, 10.0, 40.0)
    assert theirs.share == Range(0.08, 0.05, 0.3)
    assert "1 more do not count: 1 missing" in report.tables(of)


def test_a_client_that_always_failed_has_no_figures() -> None:
    of = results()
    of.turns = [replace(turn, problem="1 twice") if turn.client == "mpop" else turn for turn in of.turns]
    theirs = found(of)["mpop"]
    assert (theirs.seconds, theirs.share, theirs.turns) == (None, None, 0)
    assert "| mpop | – |" in report.tables(of)


def test_where_ours_failed_nobody_is_compared_with_it() -> None:
    of = results()
    of.turns = [replace(turn, problem="1 twice") if turn.client != "mpop" else turn for turn in of.turns]
    assert found(of)["mpop"].share is None
    assert found(of)["mpop"].seconds is not None


def test_a_slow_one_has_fewer_turns() -> None:
    of = results()
    of.turns = [turn for turn in of.turns if turn.client == "tui-popretr" or turn.number == 1]
    assert found(of)["mpop"].share == Range(0.2, 0.1, 0.1)


def test_they_are_kept_as_they_are(tmp_path: Path) -> None:
    path = str(tmp_path / "results.json")
    results().save(path)
    assert Results.load(path) == results()


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_table_says_whether_goals_are_met() -> None:
    table = report.tables(results())
    assert (
        "| 2,000 messages | tui-popretr | 2.00 (1.00–3.00) |  |  | 0.50 (goal 0.25 missed) | 30 (goal 45 ✓) |" in table
    )
    assert "|  | mpop | 10.00 (10.00–40.00) | 0.20 (0.05–0.30) | 0.15 missed | 0.10 | 8 | 3 turns |" in table
    assert "processor two" in table


def test_growth_is_told_for_each_message() -> None:
    work = Work("growth-2k", "2,000 messages in one mailbox", 2000, {})
    of = Results(False, {}, [work], [Turn("growth-2k", "tui-popretr", 1, 4.0, 1.0, 30_000_000)])
    assert "| 2,000 messages | 2.000 | 30 |" in report.tables(of)


def test_only_what_is_between_the_marks_is_replaced() -> None:
    document = Path(report._DOCUMENT).read_text()
    changed = report.insert(document, "NEW")
    assert report.insert(changed, "NEWER") == changed.replace("NEW", "NEWER")
    assert report.insert(changed, "x").partition(report._BEGIN)[0] == document.partition(report._BEGIN)[0]
    assert changed.partition(report._END)[2] == document.partition(report._END)[2]
    with pytest.raises(ValueError, match="has no"):
        report.insert("nothing here", "NEW")


def test_what_was_measured_later_counts() -> None:
    later = results()
    later.turns = later.turns[:2]
    other = Results(False, {"memory": "much"}, [Work("large", "20", 20, {})], [Turn("large", "mpop", 1, 1.0, 1.0, 1)])
    whole = report.merged([results(), other, later])
    assert [work.name for work in whole.rows] == ["small", "large"]
    assert len(whole.turns) == 3
    assert whole.machine == {"processor": "two", "memory": "much"}


def test_tiny_sizes_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = results()
    of.quick = True
    of.save(str(tmp_path / "quick.json"))
    document = tmp_path / "results.md"
    document.write_text("as it was")
    monkeypatch.setattr(report, "_DOCUMENT", document)
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "quick.json")])
    assert report.main() == 1
    assert document.read_text() == "as it was"
    assert "nothing was written" in capsys.readouterr().err


def test_document_and_picture_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results().save(str(tmp_path / "results.json"))
    document, picture = tmp_path / "results.md", tmp_path / "performance.svg"
    document.write_text(f"before {report._BEGIN} old {report._END} after")
    monkeypatch.setattr(report, "_DOCUMENT", document)
    monkeypatch.setattr(report, "_CHART", picture)
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "results.json")])
    assert report.main() == 0
    assert document.read_text().startswith(f"before {report._BEGIN}\n\n![")
    assert "| mpop |" in document.read_text()
    assert document.read_text().endswith(" after")
    assert " old " not in document.read_text()
    ElementTree.parse(picture)


# --- the picture ------------------------------------------------------------------------------------------------------


def test_a_longer_time_is_a_longer_bar() -> None:
    drawn = ElementTree.fromstring(chart(list(lines(results()))))
    bars = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect") if "bar" in bar.attrib["class"]]
    assert len(bars) == 2
    assert bars[0] < bars[1]
    words = [text.text or "" for text in drawn.iter(f"{SVG}text")]
    assert "mpop" in words
    assert "10.00 s, 5 × ours" in words


def test_nothing_is_drawn_outside_the_picture() -> None:
    of = results()
    of.turns = [replace(turn, seconds=turn.seconds * 50) for turn in of.turns]
    drawn = ElementTree.fromstring(chart(list(lines(of))))
    width = float(drawn.attrib["width"])
    ends = [float(line.attrib["x2"]) for line in drawn.iter(f"{SVG}line")]
    assert ends
    assert all(0 < end < width for end in ends)


def test_what_is_compared_with_nobody_else_is_left_out() -> None:
    of = results()
    of.turns = [replace(turn, client=turn.client.replace("mpop", "tui-popretr, dashboard")) for turn in of.turns]
    assert "2,000 messages" not in chart(list(lines(of)))


def test_rows_without_figures_are_left_out() -> None:
    of = results()
    of.turns = [replace(turn, problem="1 twice") for turn in of.turns]
    drawn = chart(list(lines(of)))
    ElementTree.fromstring(drawn)
    assert not re.search(r'class="bar', drawn)
