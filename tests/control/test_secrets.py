"""A server that repeats the password: it passes to no reader, no hook and no metrics of the real program."""

from __future__ import annotations

import json
from pathlib import Path

from tests.program.process import client, started, write_configuration
from tests.support.passages import take
from tests.support.passwords import PASSWORD, discreet
from tests.support.popserver import Faults, ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.waiting import wait_for
from tui_popretr.control.client import ControlClient
from tui_popretr.control.lines import LineBuffer


def test_a_password_that_the_server_repeats(tmp_path: Path) -> None:
    repeated, passed = f"-ERR not {PASSWORD}\r\n".encode(), tmp_path / "passed"
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\n{{ env; cat; }} > "{passed}.$$" && mv "{passed}.$$" "{passed}"\n')
    hook.chmod(0o700)
    before = (
        "<delay_start>0</delay_start>"
        f"<hooks><hook on='failed'>{hook}</hook></hooks><metrics every='1s'>{tmp_path}/popretr.prom</metrics>"
    )
    with running_server([ServedMaildrop("me", PASSWORD)], faults=Faults(answers={"PASS": repeated})) as server:
        isp = client("isp", server.address)
        isp = isp.replace(f"<password>{PASSWORD}</password>", '<password env="MAIL_PASSWORD"/>')
        path = write_configuration(tmp_path / "c.xml", isp, before=before)
        with started(path, "--headless", environ={"MAIL_PASSWORD": PASSWORD}) as program:
            wait_for(passed.exists, lambda: f"the hook: {program.said}")
            with ControlClient(str(tmp_path / "var/control.sock")) as connection:
                snapshot = connection.ask("watch", dialogue=True)
                connection.ask("poll", client="isp")
                events = connection.events()
                while (event := next(events)).get("event") != "session_closed":
                    discreet(json.dumps(event))
                history = connection.ask("history", client="isp")
            program.stop()
    assert "not ****" in json.dumps([snapshot, event, history])
    assert "POPRETR_EVENT=failed" in passed.read_text()
    assert "MAIL_PASSWORD" not in passed.read_text()
    assert "not ****" in passed.read_text()
    assert 'popretr_client_sessions_total{client="isp",result="login"}' in (tmp_path / "popretr.prom").read_text()


def test_the_search_of_the_socket() -> None:
    buffer = LineBuffer()
    buffer.add(f'{{"text":"{PASSWORD}"}}\n{{}}\n'.encode())
    buffer.next()
    assert len(take()) == 1
    buffer.next()
    assert take() == []
