"""`check` describes the control socket, the hooks and the metrics in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import client, load_text, settings_of, task
from tui_popretr.config.describe_program import describe_program


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ('on="failed"', "Hook on failed: Runs tell after 1 failed session, at most once in 1 day."),
        (
            'on="failed" after="3" every="2h" client="a"',
            "Hook on failed: Runs tell after 3 failed sessions in a row of a, at most once in 2 hours.",
        ),
        ('on="failed" every="0"', "Hook on failed: Runs tell after 1 failed session, each time."),
        (
            'on="recovered" after="2"',
            "Hook on recovered: Runs tell when a session succeeds after 2 failed sessions in a row.",
        ),
        ('on="delivered" client="a"', "Hook on delivered: Runs tell after each session of a that delivered messages."),
        ('on="login"', "Hook on login: Runs tell when a login is rejected, at most once in 1 day."),
        (
            'on="certificate" every="0"',
            "Hook on certificate: Runs tell when the server certificate expires in fewer than 14 days, each time.",
        ),
        ('on="stale"', "Hook on stale: Runs tell after 7 days without mail, at most once in 1 day."),
        ('on="kept"', "Hook on kept: Runs tell after each session with messages that arrived cut short."),
    ],
)
def test_hooks(tmp_path: Path, attributes: str, sentence: str) -> None:
    text = task(client(), before=f"<hooks><hook {attributes}>tell --token=hunter2</hook></hooks>")
    assert describe_program(settings_of(load_text(tmp_path, text)))[1:] == [sentence]


def test_the_control_socket_and_metrics(tmp_path: Path) -> None:
    text = task(client(), before='<control>x.sock</control><metrics every="1m">x.prom</metrics>')
    assert describe_program(settings_of(load_text(tmp_path, text))) == [
        f"Control socket: {tmp_path}/x.sock",
        f"Metrics: Written to {tmp_path}/x.prom every minute.",
    ]


@pytest.mark.parametrize("before", ["<control>-</control>", f"<dirpaths><var>{'x' * 107}</var></dirpaths>"])
def test_no_control_socket(tmp_path: Path, before: str) -> None:
    settings = load_text(tmp_path, task(client(), before=before)).settings
    assert settings is not None
    (line,) = describe_program(settings)
    assert line == "Control socket: None, so attach, status and other commands cannot reach the daemon."
