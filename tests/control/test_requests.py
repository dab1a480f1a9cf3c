"""Requests and commands: each command has one request, which stands for this command again."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tui_popretr.commands import Command
from tui_popretr.control import messages
from tui_popretr.control.messages import Request
from tui_popretr.control.requests import command_of, request_of


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
def test_each_command_has_a_request_and_comes_back(kind: Any) -> None:
    command = kind("isp") if "client" in kind.__slots__ else kind()
    name, fields = request_of(command)
    assert command_of(messages.read_request({"id": 1, "request": name, **fields})) == command


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(1, "pause"), 'pause needs "client": ID or "all": true'),
        (Request(1, "status"), "unknown request 'status'"),
    ],
)
def test_what_is_no_command_is_refused(request_: Request, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        command_of(request_)
