"""docs/control.md names every request, event and field, and its commands work with the real socat."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.control_schema import SCHEMA, schema
from tests.cli.test_daemon import daemon
from tests.control.serving import check_server_message
from tests.support.passwords import discreet
from tui_popretr.control.codec import EVENTS
from tui_popretr.control.messages import Hello
from tui_popretr.status import ClientState

DOCUMENT = (SCHEMA.parent / "control.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)


def test_everything_is_in_the_document() -> None:
    definitions = schema()["$defs"]
    names = [*EVENTS, *definitions["Client"]["properties"], *definitions["Totals"]["properties"]]
    names += [*definitions["Snapshot"]["properties"], *definitions["Last"]["properties"]]
    names += [*definitions["Progress"]["properties"], *definitions["Request"]["properties"]]
    names += [state.value for state in ClientState] + [field.name for field in dataclasses.fields(Hello)]
    names += ["status", "poll", "pause", "resume", "stop", "reload", "shutdown", "watch", "history"]
    assert [name for name in names if f"`{name}`" not in DOCUMENT] == []


@pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")
def test_its_commands_with_socat(tmp_path: Path) -> None:
    answers = []
    with daemon(tmp_path) as config:
        for command in COMMANDS:
            done = subprocess.run(
                ["sh", "-c", command.replace('"isp"', '"a"')],
                cwd=Path(config).parent,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            discreet(done.stdout)
            assert done.stderr == ""
            answers.append([json.loads(line) for line in done.stdout.splitlines()])
    for messages in answers:
        for message in messages:
            check_server_message(message)
        assert "hello" in messages[0]
    status, actions, error, watched = answers
    assert [each["id"] for each in status[1]["ok"]["clients"]] == ["a", "b"]
    assert [each["ok"] for each in actions[1:]] == ["a is paused", "all clients run now"]
    assert error[1:] == [{"id": 1, "error": "there is no client 'ips'"}]
    assert watched[1]["ok"]["totals"]["clients"] == 2
