"""The meaning of a refusal: for this message, for all messages, or temporary."""

from __future__ import annotations

import pytest

from tui_popretr import errors
from tui_popretr.delivery.imap.refusals import Subject, refusal
from tui_popretr.errors import (
    DeliveryFailed,
    ExitCode,
    ImapFolderUnusable,
    ImapMessageRefused,
    ImapRefused,
    ImapTemporaryFailure,
)
from tui_popretr.imap import Machine, Status


def status(line: str) -> Status:
    (found,) = Machine().receive(f"* OK {line}\r\n".encode())
    assert isinstance(found, Status)
    return found


@pytest.mark.parametrize(
    ("subject", "line", "kind"),
    [
        (Subject.MESSAGE, "Mailbox is full", ImapRefused),
        (Subject.MESSAGE, "You are over quota", ImapRefused),
        (Subject.MESSAGE, "Quota exceeded (mailbox for user is full)", ImapRefused),
        (Subject.MESSAGE, "No space left on device", ImapRefused),
        (Subject.MESSAGE, "[ALERT] Over quota", ImapRefused),
        (Subject.MESSAGE, "Temporary failure, please try again later", ImapTemporaryFailure),
        (Subject.MESSAGE, "System I/O error", ImapTemporaryFailure),
        (Subject.MESSAGE, "[THROTTLED] slow down", ImapTemporaryFailure),
        (Subject.MESSAGE, "[TOOBIG] over quota of size", ImapMessageRefused),
        (Subject.MESSAGE, "Message contains NUL characters", ImapMessageRefused),
        (Subject.MESSAGE, "[CANNOT] temporarily", ImapMessageRefused),
        (Subject.FOLDER, "[OVERQUOTA] no more folders", ImapRefused),
        (Subject.FOLDER, "[CANNOT] invalid name", ImapFolderUnusable),
        (Subject.FOLDER, "Service temporarily unavailable", ImapTemporaryFailure),
        (Subject.LABELS, "Invalid label", ImapFolderUnusable),
        (Subject.SESSION, "Autologout; idle for too long", ImapTemporaryFailure),
    ],
)
def test_the_cause(subject: Subject, line: str, kind: type[DeliveryFailed]) -> None:
    error = refusal("no", status(line), subject)
    assert type(error) is kind
    assert error.advice


def test_the_operator_has_to_help() -> None:
    assert "operator" in refusal("no", status("[CONTACTADMIN] call me"), Subject.MESSAGE).advice


def test_the_username_is_no_reason() -> None:
    error = refusal("no", status("login of busy refused"), Subject.LOGIN, "busy")
    assert isinstance(error, errors.ImapLoginFailed)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ImapServerUnreachable", ExitCode.UNAVAILABLE),
        ("ImapTemporaryFailure", ExitCode.TEMPORARY),
        ("ImapLoginFailed", ExitCode.LOGIN),
        ("ImapServerNotTrusted", ExitCode.PROTOCOL),
        ("ImapProtocolError", ExitCode.PROTOCOL),
        ("ImapRefused", ExitCode.CANT_CREATE),
        ("ImapMessageRefused", ExitCode.CANT_CREATE),
        ("ImapFolderUnusable", ExitCode.CONFIGURATION),
        ("ImapFolderMissing", ExitCode.CONFIGURATION),
    ],
)
def test_the_exit_codes(name: str, code: ExitCode) -> None:
    assert getattr(errors, name).exit_code is code
