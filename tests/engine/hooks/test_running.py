"""A single hook: its environment, its standard input, and its end in words."""

from __future__ import annotations

import json
import signal

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import trio_test

from tests.support.passwords import PASSWORD, discreet
from tui_popretr.config.choices import HookEvent
from tui_popretr.config.model import HookSettings
from tui_popretr.engine.hooks import running
from tui_popretr.engine.hooks.rules import Occurrence
from tui_popretr.engine.hooks.running import LONGEST_TEXT, HookEnd, line, run_hook, standard_input
from tui_popretr.errors import ExitCode
from tui_popretr.process.children import ChildProcesses

OCCURRENCE = Occurrence(HookEvent.FAILED, "wörk", "it\n\x1b[31m failed", 2, 3, ExitCode.LOGIN)


async def end_of(script: str, withheld: frozenset[str] = frozenset()) -> HookEnd:
    hook = HookSettings(HookEvent.FAILED, ("sh", "-c", script))
    return await run_hook(hook, OCCURRENCE, {"id": "wörk"}, ChildProcesses(), withheld)


@trio_test
async def test_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    for name in ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "/secret")
    monkeypatch.setenv("OTHER", "stays")
    monkeypatch.setenv("POPRETR_EVENT", "another")
    names = "MAIL_PASSWORD|CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|WATCHDOG_|POPRETR_|OTHER"
    end = await end_of(f"env | grep -E '^({names})' | LC_ALL=C sort", frozenset({"MAIL_PASSWORD"}))
    discreet(*end.lines)
    assert end == HookEnd(
        "ended with exit code 0",
        ok=True,
        lines=(
            "OTHER=stays",
            "POPRETR_CLIENT=wörk",
            "POPRETR_CODE=77",
            "POPRETR_EVENT=failed",
            "POPRETR_FAILURES=3",
            "POPRETR_MESSAGES=2",
            r"POPRETR_TEXT=it\x0a\x1b[31m failed",
        ),
    )


@trio_test
async def test_its_input() -> None:
    end = await end_of("cat")
    assert json.loads(end.lines[0]) == {
        "event": "failed",
        "client": "wörk",
        "text": "it\\x0a\\x1b[31m failed",
        "messages": 2,
        "failures": 3,
        "code": 77,
        "status": {"id": "wörk"},
    }


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("exit 3", HookEnd("ended with exit code 3", ok=False)),
        ("kill -9 $$", HookEnd(f"was killed by signal {signal.SIGKILL.value}", ok=False)),
        ("printf '\\033[2J\\n\\n'", HookEnd("ended with exit code 0", ok=True, lines=(r"\x1b[2J",))),
        ("seq 100", HookEnd("ended with exit code 0", ok=True, lines=tuple(map(str, range(81, 101))))),
    ],
)
@trio_test
async def test_its_end(script: str, end: HookEnd) -> None:
    assert await end_of(script) == end


@trio_test
async def test_it_may_take_30_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert running.TIMEOUT == 30.0
    monkeypatch.setattr(running, "TIMEOUT", 0.05)
    end = await end_of("sleep 1000")
    assert (end.text, end.ok) == ("took longer than 0.05 s and was stopped", False)


@pytest.mark.parametrize(("program", "reason"), [("/nonexistent", "no such file"), ("a\0b", "null byte")])
@trio_test
async def test_a_program_that_cannot_run(program: str, reason: str) -> None:
    end = await run_hook(HookSettings(HookEvent.FAILED, (program,)), OCCURRENCE, None, ChildProcesses(), ())
    assert not end.ok
    assert end.text.startswith("cannot run: ")
    assert reason in end.text


@trio_test
async def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.to_thread, "run_sync", fail)
    end = await run_hook(HookSettings(HookEvent.FAILED, ("true",)), OCCURRENCE, None, ChildProcesses(), ())
    assert not end.ok
    assert end.text.startswith("cannot run: the limit of processes and threads is too low")


@given(st.text(max_size=3000))
def test_the_text_is_one_short_line_that_is_safe(text: str) -> None:
    shown = line(text)
    assert len(shown.encode()) <= LONGEST_TEXT
    assert shown.isprintable() or not any(each in shown for each in "\n\r\x1b\0")
    assert json.loads(standard_input(Occurrence(HookEvent.KEPT, "a", text), None))["text"] == shown
