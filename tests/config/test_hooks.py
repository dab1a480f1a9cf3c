"""The settings of hooks and metrics, and the variables that commands do not get."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import client, load_text, messages, settings_of, task
from tui_popretr.config.choices import HookEvent
from tui_popretr.config.model import HookSettings, MetricsSettings
from tui_popretr.config.problems import Severity

DAY = 86400.0


def hook(attributes: str, command: str = "true") -> str:
    return task(client(), before=f"<hooks><hook {attributes}>{command}</hook></hooks>")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('on="failed"', HookSettings(HookEvent.FAILED, ("true",))),
        (
            'on="FAILED" after="3" every="2h" client="a"',
            HookSettings(HookEvent.FAILED, ("true",), 3.0, 7200.0, ("a",)),
        ),
        ('on="recovered" after="2"', HookSettings(HookEvent.RECOVERED, ("true",), 2.0)),
        ('on="stale"', HookSettings(HookEvent.STALE, ("true",), 7 * DAY)),
        ('on="stale" after="12h" every="0"', HookSettings(HookEvent.STALE, ("true",), DAY / 2, 0.0)),
        ('on="kept"', HookSettings(HookEvent.KEPT, ("true",))),
    ],
)
def test_hooks(tmp_path: Path, attributes: str, expected: HookSettings) -> None:
    assert settings_of(load_text(tmp_path, hook(attributes))).hooks == (expected,)


@pytest.mark.parametrize(
    ("attributes", "command", "error"),
    [
        ("", "true", "attribute on is missing in <hook>"),
        ('on="fail"', "true", "is not one of failed, recovered"),
        ('on="failed"', "", "<hook> contains no command"),
        ('on="failed"', "sh -c 'x", "the quoting of the command is wrong"),
        ('on="failed" after="7d"', "true", "after: '7d' is not a whole number"),
        ('on="stale" after="0"', "true", "the time must be more than 0"),
        ('on="delivered" after="3"', "true", 'after has no meaning with on="delivered"'),
        ('on="kept" every="1h"', "true", 'every has no meaning with on="kept"'),
        ('on="failed" client="b"', "true", "there is no client 'b'"),
        ('on="failed" client="a |"', "true", "an item of the list is empty"),
    ],
)
def test_wrong_hooks(tmp_path: Path, attributes: str, command: str, error: str) -> None:
    (found,) = messages(load_text(tmp_path, hook(attributes, command)), Severity.ERROR)
    assert error in found


def test_a_hook_may_name_a_disabled_client(tmp_path: Path) -> None:
    text = task(client('enabled="N"'), before='<hooks><hook on="failed" client="a">true</hook></hooks>')
    assert len(settings_of(load_text(tmp_path, text)).hooks) == 1


def test_a_hook_has_no_shell(tmp_path: Path) -> None:
    (found,) = messages(load_text(tmp_path, hook('on="failed"', "echo $POPRETR_TEXT")), Severity.WARNING)[:1]
    assert "no shell runs the command" in found


def test_the_key_of_a_hook_is_its_event_after_and_command() -> None:
    one = HookSettings(HookEvent.FAILED, ("true",))
    same = HookSettings(HookEvent.FAILED, ("true",), 1.0, 60.0, ("a",))
    others = [
        HookSettings(HookEvent.LOGIN, ("true",)),
        HookSettings(HookEvent.FAILED, ("false",)),
        HookSettings(HookEvent.FAILED, ("true",), 2.0),
    ]
    assert one.key == same.key
    assert len({each.key for each in [one, *others]}) == 4


def test_metrics(tmp_path: Path) -> None:
    text = task(client(), before='<metrics every="1m">%DIRVAR%/popretr.prom</metrics>')
    assert settings_of(load_text(tmp_path, text)).metrics == MetricsSettings(f"{tmp_path}/var/popretr.prom", 60.0)


@pytest.mark.parametrize("text", ["<metrics/>", "<metrics>-</metrics>"])
def test_no_metrics(tmp_path: Path, text: str) -> None:
    assert settings_of(load_text(tmp_path, task(client(), before=text))).metrics is None


def test_the_variables_that_passwords_come_from(tmp_path: Path) -> None:
    server = '<server address="127.0.0.1"><username>${NAME:me}</username><password>{}</password></server>'
    inside = "".join(
        client(server=server.replace("<password>{}</password>", password)).replace('id="a"', f'id="{index}" {enabled}')
        for index, (password, enabled) in enumerate(
            [
                ('<password env="ONE"/>', ""),
                ("<password>${TWO:x}${THREE}</password>", ""),
                ('<password env="FOUR"/>', 'enabled="N"'),
            ]
        )
    )
    more = "<smtp><sender>a@b.example</sender><password>${FIVE}</password><username>x</username></smtp>"
    inside += client(more=f'{more}<ssl kspath="x" kspass="${{SIX}}"/>')
    environ = dict.fromkeys(("ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX"), "secret")
    found = settings_of(load_text(tmp_path, task(inside), environ=environ))
    assert found.password_variables == set(environ)
