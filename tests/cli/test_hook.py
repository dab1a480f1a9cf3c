"""`hook`, hooks of the real program, and the recipes of docs/hooks.md with stand-ins for the network's programs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scripts.configuration_tables import TEXT as CONFIGURATION
from tests.delivery.command.handing import Lifeline
from tests.program.process import client, mail, run_program, started, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.waiting import wait_for
from tui_popretr.cli.parser import HOOK_EVENTS
from tui_popretr.config.choices import HookEvent
from tui_popretr.errors import ExitCode

DOCUMENT = (Path(__file__).parents[2] / "docs/hooks.md").read_text(encoding="utf-8")
#: Each block of the recipes, as it stands.
RECIPES = re.findall(r"```xml\n(.*?)```", DOCUMENT.partition("## Recipes")[2], re.DOTALL)
#: Programs of the recipes that reach beyond this machine, or need a desktop.
OUTSIDE = ("curl", "sendmail", "notify-send", "notmuch")


def configuration(folder: Path, hooks: str, *, address: str = "127.0.0.1:1", before: str = "") -> str:
    folder.chmod(0o700)
    account = client("isp", address, password="").replace("<password></password>", '<password env="POP_PASSWORD"/>')
    return write_configuration(folder / "mail.xml", account, before=f"{before}<hooks>{hooks}</hooks>")


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder of programs that write their words and their input into files named after them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in OUTSIDE:
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/{name}.words"\ncat >"{tmp_path}/{name}.input"\n'
            f'env >"{tmp_path}/{name}.environ"\n'
        )
        program.chmod(0o755)
    return folder


def test_the_events_are_those_of_the_configuration() -> None:
    assert [each.value for each in HookEvent] == list(HOOK_EVENTS)
    for event in HOOK_EVENTS:
        assert f"| `{event}` |" in DOCUMENT
        assert f"`{event}`" in CONFIGURATION


def test_there_are_recipes() -> None:
    assert len(RECIPES) == 6
    assert {name for name in OUTSIDE for recipe in RECIPES if name in recipe} == set(OUTSIDE)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: re.sub(r"\W+", " ", recipe)[:40])
def test_a_recipe(recipe: str, tmp_path: Path, stand_ins: Path) -> None:
    path = configuration(tmp_path, recipe.replace("/usr/sbin/sendmail", f"{stand_ins}/sendmail"))
    environ = {"POP_PASSWORD": PASSWORD, "PATH": f"{stand_ins}:{os.environ['PATH']}"}
    for event in dict.fromkeys(re.findall(r'on="(\w+)"', recipe)):
        done = run_program("hook", path, "--on", event, "--client", "isp", environ=environ)
        assert (done.code, done.err) == (0, ""), done.out
        assert re.fullmatch(r"\w+ ended with exit code 0\n", done.out)
        (program,) = [name for name in OUTSIDE if (tmp_path / f"{name}.words").exists()]
        words = (tmp_path / f"{program}.words").read_text().splitlines()
        given = (tmp_path / f"{program}.input").read_text()
        if program != "notmuch":
            assert "this is a test of the hook" in "\n".join([*words, given])
        if "mail" in recipe.partition("|")[2]:
            header, _, body = given.partition("\n\n")
            assert f"Subject: tui-popretr: {event}" in header.splitlines()
            assert body.startswith("isp failed 3 times in a row")


def test_a_text_is_neither_option_nor_file() -> None:
    for recipe in RECIPES:
        assert not re.search(r'(?:--data|-d)\s+"\$', recipe)
        if "notify-send" in recipe:
            assert " -- " in recipe


def test_a_hook_that_fails(tmp_path: Path) -> None:
    path = configuration(
        tmp_path,
        '<hook on="failed" client="isp">sh -c "echo broken; exit 3"</hook><hook on="failed">true</hook>'
        '<hook on="login">false</hook>',
    )
    done = run_program("hook", path, "--on", "failed", "--client", "isp", environ={"POP_PASSWORD": PASSWORD})
    assert done.code == ExitCode.UNAVAILABLE
    assert done.out == "sh: broken\nsh ended with exit code 3\ntrue ended with exit code 0\n"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--on", "kept", "--client", "isp"), ExitCode.CONFIGURATION, "has no hook on kept"),
        (("--on", "failed", "--client", "x"), ExitCode.USAGE, "there is no client 'x'"),
        (("--on", "fail", "--client", "isp"), ExitCode.USAGE, "invalid choice: 'fail'"),
        (("--client", "isp"), ExitCode.USAGE, "required: --on"),
    ],
)
def test_what_cannot_be_tried(arguments: tuple[str, ...], code: ExitCode, error: str, tmp_path: Path) -> None:
    path = configuration(tmp_path, '<hook on="failed">true</hook>')
    done = run_program("hook", path, *arguments, environ={"POP_PASSWORD": PASSWORD})
    assert done.code == code
    assert error in done.err


@pytest.fixture
def server() -> Iterator[str]:
    drop = ServedMaildrop("me", PASSWORD)
    drop.add(mail())
    with running_server([drop]) as served:
        yield f"127.0.0.1:{served.port}"


def test_hooks_of_a_single_run(tmp_path: Path, server: str) -> None:
    """The run waits for a hook that takes longer than its sessions, and no password reaches it."""
    out = shlex.quote(str(tmp_path))
    hooks = "".join(
        f'<hook on="{event}">sh -c \'env >{out}/{event}.new; cat >{out}/{event}.json; sleep 0.5;'
        f" mv {out}/{event}.new {out}/{event}.env; echo said'</hook>"
        for event in ("delivered", "failed", "login", "recovered")
    )
    right = {"POP_PASSWORD": PASSWORD}
    done = run_program("--headless", "--once", configuration(tmp_path, hooks, address=server), environ=right)
    assert done.code == 0, done.err
    assert "isp: hook on delivered (sh): said" in done.err
    assert {path.name for path in tmp_path.glob("*.env")} == {"delivered.env"}
    found = (tmp_path / "delivered.env").read_text()
    assert "POP_PASSWORD" not in found
    assert "POPRETR_TEXT=isp: 1 message" in found
    message = json.loads((tmp_path / "delivered.json").read_text())
    assert (message["messages"], message["status"]["state"], message["status"]["messages"]) == (1, "closing", 1)

    done = run_program("--headless", "--once", str(tmp_path / "mail.xml"), environ={"POP_PASSWORD": "wrong"})
    assert done.code == ExitCode.LOGIN
    assert {path.name for path in tmp_path.glob("*.env")} == {"delivered.env", "failed.env", "login.env"}
    assert "POPRETR_CODE=77" in (tmp_path / "login.env").read_text()
    done = run_program("--headless", "--once", str(tmp_path / "mail.xml"), environ=right)
    assert "POPRETR_FAILURES=1" in (tmp_path / "recovered.env").read_text()


def test_failures_are_counted_over_kill_9(tmp_path: Path) -> None:
    told = tmp_path / "told"
    hook = f'<hook on="failed" after="3">sh -c \'echo $POPRETR_FAILURES >{told}.new; mv {told}.new {told}\'</hook>'
    path = configuration(tmp_path, hook, before="<delay_start>0</delay_start>")

    def run_and_kill(condition: Callable[[], bool]) -> None:
        with started("--headless", path, environ={"POP_PASSWORD": PASSWORD}) as program:
            wait_for(condition, lambda: program.said)
            program.send(signal.SIGKILL)
            program.ended()

    run_and_kill(lambda: failures(tmp_path) == 1)
    run_and_kill(lambda: failures(tmp_path) == 2)
    assert not told.exists()
    run_and_kill(told.exists)
    assert told.read_text() == "3\n"


def failures(folder: Path) -> int | None:
    """The failures in a row in a copy of the journal, which the program has locked."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    try:
        for path in (folder / "var").glob("popretr.sqlite*"):
            shutil.copy(path, copy)
        with closing(sqlite3.connect(copy / "popretr.sqlite")) as journal:
            return next((row[0] for row in journal.execute("SELECT failures FROM standing")), None)
    except (FileNotFoundError, sqlite3.Error):  # it is being made
        return None


def test_metrics_of_a_single_run(tmp_path: Path, server: str) -> None:
    metrics = f"<metrics>{tmp_path}/popretr.prom</metrics>"
    path = configuration(tmp_path, "", address=server, before=metrics)
    done = run_program("--headless", "--once", path, environ={"POP_PASSWORD": PASSWORD})
    assert done.code == 0, done.err
    lines = (tmp_path / "popretr.prom").read_text(encoding="utf-8").splitlines()
    assert "popretr_up 0.0" in lines
    assert 'popretr_client_messages_total{client="isp"} 1.0' in lines
    assert (tmp_path / "popretr.prom").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_kills_hooks_with_their_children(number: signal.Signals, tmp_path: Path, server: str) -> None:
    with closing(Lifeline(tmp_path)) as lifeline:
        script = f"trap '' TERM; {lifeline.grip}; sleep 1000 & sleep 1000"
        hook = f'<hook on="delivered">sh -c {shlex.quote(script)}</hook>'.replace("&", "&amp;")
        path = configuration(tmp_path, hook, address=server, before="<delay_start>0</delay_start>")
        with started("--headless", path, environ={"POP_PASSWORD": PASSWORD}) as program:
            wait_for(lambda: lifeline.begun, lambda: program.said)
            program.send(number)
            assert program.ended() == 0, program.said
            wait_for(lambda: not lifeline.alive, lambda: "a child runs")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_kills_a_tried_hook(number: signal.Signals, tmp_path: Path) -> None:
    with closing(Lifeline(tmp_path)) as lifeline:
        script = f"trap '' TERM INT HUP; {lifeline.grip}; sleep 1000 & sleep 1000"
        path = configuration(tmp_path, f'<hook on="failed">sh -c {shlex.quote(script)}</hook>'.replace("&", "&amp;"))
        arguments = ("hook", path, "--on", "failed", "--client", "isp")
        with started(*arguments, environ={"POP_PASSWORD": PASSWORD}) as program:
            wait_for(lambda: lifeline.begun, lambda: program.said)
            program.send(number)
            assert program.ended() == 128 + number, program.said
            wait_for(lambda: not lifeline.alive, lambda: "a child runs")
