"""Reports as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.program.process import client, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server

DOCUMENT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def report(code: int, *arguments: str) -> dict[str, Any]:
    done = run_program(*arguments, "--json")
    assert done.code == code, done.err
    found: dict[str, Any] = json.loads(done.out)
    assert found["version"] == 1
    return found


def names(found: Any) -> set[str]:
    return {name for name in found if f"`{name}`" not in DOCUMENT}


def test_check(tmp_path: Path) -> None:
    path = write_configuration(
        tmp_path / "c.xml", client("a", "pop.example.net"), client("b", "x", attributes='enabled="N"')
    )
    found = report(0, "check", path)
    assert (found["config"], found["exit_code"], found["disabled"]) == (path, 0, ["b"])
    assert found["program"] == [f"Control socket: {tmp_path}/var/control.sock"]
    assert found["clients"][0]["id"] == "a"
    assert "retrieves all mail from pop.example.net:110" in found["clients"][0]["description"]
    assert {each["severity"] for each in found["problems"]} <= {"warning", "note"}


def test_check_of_a_wrong_configuration(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("a", "pop.example.net", attributes='freq="often"'))
    found = report(78, "check", path)
    assert (found["exit_code"], found["clients"]) == (78, [])
    (error,) = [each for each in found["problems"] if each["severity"] == "error"]
    assert (error["file"], error["line"]) == (path, 2)
    assert "freq" in error["message"]
    assert names(error) == set()


def test_check_of_a_wrong_trust_file(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    more = '<ssl tspath="no.pem"/><maildir>m</maildir>'
    path = write_configuration(tmp_path / "c.xml", client("a", "pop.example.net", more=more))
    found = report(78, "check", path)
    assert [each["severity"] for each in found["problems"]][-1] == "error"


@pytest.mark.parametrize(("password", "code"), [(PASSWORD, 0), ("wrong", 77)])
def test_check_connect_and_run_once(password: str, code: int, tmp_path: Path) -> None:
    drop = ServedMaildrop("me", PASSWORD)
    drop.add(mail())
    with running_server([drop]) as server:
        path = write_configuration(tmp_path / "c.xml", client("a", f"127.0.0.1:{server.port}", password=password))
        found = report(code, "check", path, "--connect")
        (probed,) = found["clients"]
        assert (found["exit_code"], probed["exit_code"], bool(probed["error"])) == (code, code, code != 0)
        assert probed["messages"] == (None if code else 1)
        run = report(code, path, "--headless", "--once")
        (result,) = run["clients"]
        assert (run["exit_code"], result["code"], result["id"]) == (code, code, "a")
        assert result["messages"] == (0 if code else 1)
        assert names([*found, *probed, *run, *result]) == set()


def test_info(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("a", "pop.example.net"))
    found = report(0, "info", path)
    assert found["info"]["configuration"] == path
    assert "python" in found["info"]


def test_a_schedule_has_no_report(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("a", "pop.example.net"))
    done = run_program(path, "--headless", "--json")
    assert (done.code, done.out) == (64, "")
    assert "--json reports a single run" in done.err
