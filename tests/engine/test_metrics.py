"""Metrics: their text, which Prometheus's own promtool checks, and the file that the task keeps."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock, trio_test

from tests.program.needs import need
from tests.support.passwords import discreet
from tests.support.running import Fleet
from tui_popretr import __version__
from tui_popretr.commands import Reload
from tui_popretr.config.model import MetricsSettings
from tui_popretr.control.daemon import EngineDaemon
from tui_popretr.engine import metrics
from tui_popretr.engine.metrics import RESULTS, MetricsTask, metrics_text, write
from tui_popretr.engine.service import Engine
from tui_popretr.errors import ExitCode
from tui_popretr.facts import Noted

DOCUMENT = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
AT = datetime(2026, 11, 30, tzinfo=UTC)


def promtool() -> str:
    return "" if shutil.which("promtool") else "promtool is not installed (Debian, Ubuntu: apt-get install prometheus)"


def check(*arguments: str, text: str = "") -> str:
    """Run promtool; it must accept what it gets. Return its output."""
    need(promtool)
    done = subprocess.run(["promtool", "check", *arguments], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def client(name: str = "isp", **changes: Any) -> dict[str, Any]:
    """A client as in the status."""
    known = {
        "id": name,
        "state": "waiting",
        "messages": 3,
        "octets": 5000,
        "kept": 1,
        "sessions": {"0": 7, "77": 2},
        "certificate_expires": AT.isoformat(),
        "failures_in_a_row": 2,
        "last_success": AT.isoformat(),
        "last_message": AT.isoformat(),
    }
    return {**known, **changes}


def values(text: str) -> dict[str, float]:
    """The samples of a text, by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sessions(result: str) -> str:
    """The key of a client's sessions in values()."""
    return f"popretr_client_sessions_total[('client', 'isp'), ('result', '{result}')]"


def test_the_metrics_of_a_client() -> None:
    one = "[('client', 'isp')]"
    seconds = AT.timestamp()
    assert values(metrics_text([client()])) == {
        "popretr_up": 1.0,
        f"popretr_build_info[('version', '{__version__}')]": 1.0,
        f"popretr_client_last_success_timestamp_seconds{one}": seconds,
        f"popretr_client_last_message_timestamp_seconds{one}": seconds,
        **{sessions(result): 0.0 for result in RESULTS.values()},
        sessions("ok"): 7.0,
        sessions("login"): 2.0,
        f"popretr_client_messages_total{one}": 3.0,
        f"popretr_client_octets_total{one}": 5000.0,
        f"popretr_client_failures_in_a_row{one}": 2.0,
        f"popretr_client_kept_messages{one}": 1.0,
        f"popretr_client_certificate_expiry_timestamp_seconds{one}": seconds,
    }


def test_what_is_unknown_is_absent() -> None:
    unknown = client(last_success=None, last_message=None, certificate_expires=None, sessions={})
    names = {key for key in values(metrics_text([unknown])) if "timestamp" in key}
    assert names == set()
    del unknown["sessions"], unknown["certificate_expires"]  # by an earlier version of the program
    found = values(metrics_text([unknown]))
    assert [found[sessions(result)] for result in RESULTS.values()] == [0.0] * 9


def test_disabled_clients_and_the_end() -> None:
    found = values(metrics_text([client(state="disabled")], up=False))
    assert found == {"popretr_up": 0.0, f"popretr_build_info[('version', '{__version__}')]": 1.0}


def test_each_exit_code_of_a_session_has_a_result() -> None:
    assert set(RESULTS) == set(ExitCode) - {ExitCode.USAGE}


def test_strange_ids_are_escaped() -> None:
    strange = 'a"b\\c\nd é'
    found = values(metrics_text([client(strange)]))
    assert any(repr(strange) in key for key in found)


def test_no_metrics_of_this_process() -> None:
    assert "process_" not in metrics_text([])
    assert "python_" not in metrics_text([])


def test_the_document_has_every_metric_and_result() -> None:
    documented = set(re.findall(r"^\| `(popretr_\w+)`", DOCUMENT, re.MULTILINE))
    assert documented == {key.partition("[")[0] for key in values(metrics_text([client()]))}
    assert all(f"`{result}`" in DOCUMENT for result in RESULTS.values())


def test_promtool_accepts_the_metrics() -> None:
    assert check("metrics", text=metrics_text([client(), client("wörk")])) == ""


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    (rules,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    file = tmp_path / "rules.yml"
    file.write_text(rules, encoding="utf-8")
    assert f"SUCCESS: {rules.count('alert:')} rules found" in check("rules", str(file))
    names = set(re.findall(r"popretr_\w+", rules))
    assert names <= {key.partition("[")[0] for key in values(metrics_text([client()]))}


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "popretr.prom"
    before = os.umask(0o077)
    try:
        write(str(path), "one\n")
        inode = path.stat().st_ino
        with path.open() as reader:
            write(str(path), "two\n")
            assert reader.read() == "one\n"
    finally:
        os.umask(before)
    assert path.stat().st_ino != inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["popretr.prom"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "popretr.prom"
    write(str(path), "one\n")
    with pytest.raises(UnicodeEncodeError):
        write(str(path), "\ud800")
    assert path.read_text() == "one\n"
    assert [each.name for each in tmp_path.iterdir()] == ["popretr.prom"]


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "fifo"])
def test_nothing_in_place_of_the_unfinished_file_is_opened(tmp_path: Path, kind: str) -> None:
    precious, unfinished = tmp_path / "precious", tmp_path / ".popretr.prom.tmp"
    precious.write_text("precious")
    match kind:
        case "symbolic link":
            unfinished.symlink_to(precious)
        case "hard link":
            unfinished.hardlink_to(precious)
        case _:
            os.mkfifo(unfinished)
    write(str(tmp_path / "popretr.prom"), "x")
    assert precious.read_text() == "precious"
    assert (tmp_path / "popretr.prom").read_text() == "x"


def add_metrics(engine: Engine) -> None:
    daemon = EngineDaemon(engine)
    engine.companions += [daemon, MetricsTask(engine, daemon.clients)]


@trio_test
async def test_the_file_of_a_running_program(
    fleet: Fleet, tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, float]] = []

    def record(path: str, text: str) -> None:
        discreet(text)
        found.append((Path(path).name, values(text)["popretr_up"]))
        write(path, text)

    monkeypatch.setattr(metrics, "write", record)
    client = fleet.client(frequency=25.0, mails=2)
    one, two = (MetricsSettings(str(tmp_path / name), 15.0) for name in ("one.prom", "two.prom"))
    async with fleet.running(client, metrics=one) as engine:
        add_metrics(engine)
        await trio.sleep(40.0)
        text = (tmp_path / "one.prom").read_text()
        assert values(text)["popretr_client_messages_total[('client', 'a')]"] == 2.0
        fleet.reloaded = fleet.settings(client, metrics=two)
        await fleet.perform(Reload())
        await trio.sleep(1.0)
        fleet.reloaded = fleet.settings(client)
        await fleet.perform(Reload())
        await trio.sleep(100.0)
        fleet.reloaded = fleet.settings(client, metrics=one)
        await fleet.perform(Reload())
        await trio.sleep(1.0)
    assert found == [
        ("one.prom", 1.0),
        ("one.prom", 1.0),
        ("one.prom", 1.0),
        ("one.prom", 0.0),
        ("two.prom", 1.0),
        ("two.prom", 0.0),
        ("one.prom", 1.0),
        ("one.prom", 0.0),
    ]
    check("metrics", text=(tmp_path / "two.prom").read_text())


@trio_test
async def test_a_folder_that_is_missing(fleet: Fleet, tmp_path: Path, autojump_clock: MockClock) -> None:
    settings = MetricsSettings(str(tmp_path / "none" / "x.prom"), 15.0)
    async with fleet.running(fleet.client(frequency=1000.0), metrics=settings) as engine:
        add_metrics(engine)
        await trio.sleep(100.0)
        (tmp_path / "none").mkdir()
        await trio.sleep(20.0)
        assert (tmp_path / "none" / "x.prom").exists()
    lines = [fact.text for fact in fleet.of(Noted) if "metrics" in fact.text]
    assert lines == [f"the metrics cannot be written to {settings.path}: no such file or directory"]
