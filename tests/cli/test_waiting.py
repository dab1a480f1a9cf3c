"""`waiting`: the table, the report, and a server without a daemon."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.program.process import client, write_configuration
from tests.support.clock import FakeClock
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.worlds import mail
from tui_popretr.answers import WaitingMail, WaitingMessage, WaitingReason
from tui_popretr.cli.main import main
from tui_popretr.cli.waiting import table
from tui_popretr.errors import ExitCode

MESSAGE = WaitingMessage(12, "u", 26_214_400, WaitingReason.TOO_LARGE, "larger than maxsize", "a@b", "Ann", "film")
MAIL = WaitingMail("isp", FakeClock().now(), 2, 26_214_520, (MESSAGE,), "the latest 1 of 2 are shown")


def test_the_table() -> None:
    assert list(table(MAIL)) == [
        "number     size  from  date  subject  why",
        "    12  26.2 MB  Ann         film     larger than maxsize",
        "isp: 2 messages, 26.2 MB",
        "the latest 1 of 2 are shown",
    ]
    assert list(table(WaitingMail("isp", MAIL.at, 0, 0, ()))) == ["isp: 0 messages, 0 B"]


def test_nothing_is_cut_in_a_pipe_and_the_reason_never() -> None:
    reason = "preserve: it was delivered, and is retrieved again at each run"
    date, subject, name = "Wed, 11 Nov 2026 10:00:00 +0000", "a subject of some length " * 4, "Ann Example of Somewhere"
    message = replace(MESSAGE, text=reason, date=date, subject=subject.strip(), name=name)
    mail = WaitingMail("isp", MAIL.at, 1, 1, (message,))
    (_, row, _) = table(mail)
    assert row == f"    12  26.2 MB  {name}  {date}  {subject.strip()}  {reason}"
    for columns in (200, 120, 80, 60):
        _, *lines, _ = table(mail, columns)
        at = lines[0].index("preserve:")
        assert " ".join(line[at:] for line in lines) == reason
        assert "11 Nov 11:00  a sub" in lines[0]
        assert max(map(len, lines)) <= columns


def test_texts_from_mail_are_neutralised() -> None:
    nasty = WaitingMessage(1, "u", 1, WaitingReason.NEW, "new", "", "", "\x1b[2J\u202e", "\x07")
    (_, row, _) = table(WaitingMail("isp", MAIL.at, 1, 1, (nasty,)))
    assert "\\x1b[2J\\u202e" in row
    assert "\\x07" in row


def test_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop = ServedMaildrop("me", PASSWORD)
    drop.add(mail("one"))
    with running_server([drop]) as server:
        config = write_configuration(tmp_path / "mail.xml", client("isp", f"127.0.0.1:{server.port}"))
        assert main(["waiting", config, "--client", "isp", "--json"]) == ExitCode.OK
        report = json.loads(capsys.readouterr().out)
        assert main(["waiting", config, "--client", "other"]) == ExitCode.USAGE
    assert (report["version"], report["client"], report["count"], report["remark"]) == (1, "isp", 1, "")
    (message,) = report["messages"]
    assert (message["number"], message["uid"], message["subject"], message["reason"]) == (1, "uid-1", "one", "new")
    assert [each.uid for each in drop.messages] == ["uid-1"]
    assert not drop.retrieved
    assert "there is no client 'other'" in capsys.readouterr().err
    assert main(["waiting", config, "--client", "isp"]) == ExitCode.UNAVAILABLE
