"""The audit line and its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logs.conftest import OpenLog, lines
from tests.support.clock import FakeClock
from tui_popretr.config.choices import Rotation
from tui_popretr.config.model import LogSettings
from tui_popretr.logs.audit import AuditLog, audit_text

SERVER = "pop.example.net:995"


def test_the_line_of_the_specification(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "audit.log"), flush=3600))
    text = audit_text(SERVER, True, "me", "Mailbox=user1", "<m1@example.test>", 144, "alice@example.test")
    AuditLog(log, clock).record([text])
    assert "\n".join(lines(log.path)) == (
        "2026-11-23 07:27:59.107 Downloaded pop.example.net:995-SSL/me => Mailbox=user1; MsgID=m1@example.test;"
        " Size=144; Sender=alice@example.test"
    )


def test_plain_connection_and_what_is_absent() -> None:
    assert (
        audit_text("[::1]:110", False, None, "SMTP=[a@x, b@x]", None, 0, None)
        == "Downloaded [::1]:110/null => SMTP=[a@x, b@x]; MsgID=null; Size=0; Sender=null"
    )


def test_a_message_id_without_brackets() -> None:
    text = audit_text(SERVER, True, "me", "File=/mail/x.eml", "m@x", 7, "a@x")
    assert text.endswith(" => File=/mail/x.eml; MsgID=m@x; Size=7; Sender=a@x")


@pytest.mark.parametrize("message_id", ["", "  ", "<>", "< >"])
def test_an_empty_message_id_is_none(message_id: str) -> None:
    assert "; MsgID=null; " in audit_text(SERVER, True, "me", "Mailbox=u", message_id, 1, " ")


def test_a_message_cannot_forge_fields_or_lines() -> None:
    text = audit_text(SERVER, True, "me", "Mailbox=u", "<x; Size=0>\r\n2026", 99, "a@x\x1b[2J; Sender=b@x")
    assert text == (
        "Downloaded pop.example.net:995-SSL/me => Mailbox=u; MsgID=x\\x3b Size=0>\\x0d\\x0a2026; Size=99;"
        " Sender=a@x\\x1b[2J\\x3b Sender=b@x"
    )


@settings(max_examples=60)
@given(message_id=st.text(max_size=40), sender=st.text(max_size=40))
def test_whatever_a_message_says_the_line_has_its_fields(message_id: str, sender: str) -> None:
    text = audit_text(SERVER, False, "me", "Mailbox=u", message_id, 5, sender)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)
    fields = text.partition(" => ")[2].split("; ")
    assert [field.partition("=")[0] for field in fields] == ["Mailbox", "MsgID", "Size", "Sender"]
    assert fields[2] == "Size=5"


def test_length_is_bounded() -> None:
    text = audit_text(SERVER, True, "u" * 10_000, "File=/" + "d" * 10_000, "m" * 100_000, 1, "\x1b" * 100_000)
    assert len(text) < 8192


def test_a_group_is_with_the_system_when_record_returns(open_log: OpenLog, clock: FakeClock, tmp_path: Path) -> None:
    log = open_log(LogSettings(str(tmp_path / "%DT%.log"), Rotation.DAILY, buffer=100_000, flush=3600))
    audit = AuditLog(log, clock)
    audit.record(["a", "b"])
    clock.advance(86400)
    audit.record(["c"])
    audit.record([])
    assert lines(tmp_path / "20261123.log") == ["2026-11-23 07:27:59.107 a", "2026-11-23 07:27:59.107 b"]
    assert lines(tmp_path / "20261124.log") == ["2026-11-24 07:27:59.107 c"]


def test_a_full_disk_does_not_stop_retrieval(open_log: OpenLog, clock: FakeClock, reports: list[str]) -> None:
    audit = AuditLog(open_log(LogSettings("/dev/full")), clock)
    audit.record(["a"])
    assert len(reports) == 1
