"""Long lines: wrapped between words on a terminal, unchanged in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conversation import converse
from tests.program.process import client, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.cli.folding import folded, refilled
from tui_popretr.cli.parser import COMMANDS
from tui_popretr.popserver.certificates import ca_path, server_context

LONG = "word " * 30 + "end"


def too_long(text: str) -> list[str]:
    return [line for line in text.splitlines() if len(line) > 80]


def test_paragraphs_are_refilled_and_examples_stay() -> None:
    text = "one two\nthree\n\nexamples:\n  a   b\n\nfour five six"
    assert refilled(text, 40) == "one two three\n\nexamples:\n  a   b\n\nfour five six"
    assert refilled("seven " * 9, 40) == ("seven " * 6).strip() + "\n" + ("seven " * 3).strip()


def test_without_a_terminal_nothing_is_wrapped() -> None:
    assert folded(LONG) == LONG


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_prose_of_the_help(command: str, tmp_path: Path) -> None:
    words = [command] if command else []
    screen = converse(tmp_path, [*words, "--help"], []).screen
    assert [line for line in too_long(screen) if not line.startswith((" ", "usage: "))] == []
    if not command:
        assert "\nexit codes: 0 success" in screen
        assert max(len(line) for line in run_program("--help").out.splitlines()) > 100


def test_a_report_and_its_errors(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("a", "127.0.0.1"), before="<audit/>")
    talk = converse(tmp_path, ["check", path], [])
    assert talk.code == 0
    assert "a: " in talk.screen
    assert too_long(talk.screen) == []
    refused = converse(tmp_path, ["init", "--address", "pop.example.test", "--tenant", "t"], [])
    wrong = converse(tmp_path, ["chekc-the-configuration"], [])
    for each in (refused, wrong):
        assert each.code == 64
        assert too_long(each.screen) == []
    assert too_long(run_program("check", path).out) != []
    assert too_long(run_program("chekc-the-configuration").err) != []


def test_the_report_about_a_server(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box], tls=server_context()) as server:
        more = f'<ssl tspath="{ca_path()}"/><maildir>m</maildir>'
        path = write_configuration(tmp_path / "c.xml", client("isp", server.tls_address, more=more))
        screen = converse(tmp_path, ["check", path, "--connect"], []).screen
    (row,) = [number for number, line in enumerate(screen.splitlines()) if line.startswith("  capabilities: ")]
    lines = screen.splitlines()
    assert lines[row + 1].startswith(" " * 16 + lines[row + 1].split()[0])
    assert [line for line in too_long(screen) if not line.startswith("  SHA-256:")] == []
