"""`service` as a process: what it prints and writes, and what it refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.service.systemd import THRESHOLD, analyze, systemd
from tests.program.needs import need
from tests.program.process import Done, client, run_program, write_configuration


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    log = f"<audit rot='daily'>{tmp_path}/logs/Y%Y%/audit-%DT%.log</audit>"
    smtp = f"<smtp><sender>a@b.test</sender><rejected>{tmp_path}/rejected</rejected></smtp>"
    return write_configuration(
        tmp_path / "mail.xml",
        client("a", "127.0.0.1"),
        client("b", "127.0.0.1", attributes='freq="10m"', more=f"<maildir>{tmp_path}/Maildir</maildir>"),
        client("c", "127.0.0.1", attributes='freq="20m"', more=smtp),
        before=log,
    )


def service(home: Path, *arguments: str) -> Done:
    return run_program("service", *arguments, environ={"HOME": str(home)})


def test_paths_are_those_of_the_configuration(configuration: str, tmp_path: Path) -> None:
    done = service(tmp_path, configuration, "--system")
    assert done.code == 0
    folders = [f"{tmp_path}/{name}" for name in ("Maildir", "logs", "rejected", "var")]
    assert f"ReadWritePaths={' '.join(folders)}" in done.out.splitlines()
    (start,) = [line for line in done.out.splitlines() if line.startswith("ExecStart=")]
    program, _, rest = start.removeprefix("ExecStart=").partition(" ")
    assert os.access(program, os.X_OK)
    assert rest.removeprefix("-m tui_popretr ") == f"run {configuration} --headless"
    assert f"install -d -m 700 {tmp_path}/var" in done.err


def test_a_link_is_followed(configuration: str, tmp_path: Path) -> None:
    (tmp_path / "link.xml").symlink_to(configuration)
    done = service(tmp_path, str(tmp_path / "link.xml"), "--user")
    assert f" run {configuration} --headless\n" in done.out


def test_root_gets_a_system_service(configuration: str, tmp_path: Path) -> None:
    target = "multi-user" if os.geteuid() == 0 else "default"
    assert f"WantedBy={target}.target" in service(tmp_path, configuration).out


def test_the_timer_runs_as_often_as_the_busiest_client(configuration: str, tmp_path: Path) -> None:
    done = service(tmp_path, configuration, "--user", "--timer")
    assert done.code == 0
    assert "--headless --once\n" in done.out
    assert "OnUnitInactiveSec=300s\n" in done.out
    assert f"# {tmp_path}/.config/systemd/user/tui-popretr-mail.timer\n" in done.out


def test_units_are_written_where_systemd_looks(configuration: str, tmp_path: Path) -> None:
    printed = service(tmp_path, configuration, "--user").out
    done = service(tmp_path, configuration, "--user", "--write")
    unit = tmp_path / ".config/systemd/user/tui-popretr-mail.service"
    assert done.code == 0
    assert unit.read_text() == printed
    assert f"written: {unit}\n" in done.out
    assert "systemctl --user enable --now tui-popretr-mail\n" in done.out
    assert "\n  loginctl enable-linger  " in done.out
    assert "sudo loginctl enable-linger $USER" in done.out
    assert f"unchanged: {unit}\n" in service(tmp_path, configuration, "--user", "--write").out


def test_a_unit_that_differs_is_not_replaced(configuration: str, tmp_path: Path) -> None:
    unit = tmp_path / ".config/systemd/user/tui-popretr-mail.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/bin/mine\n")
    done = service(tmp_path, configuration, "--user", "--timer", "--write")
    assert done.code == 73
    assert f"{unit} exists and differs, so nothing was written" in done.err
    assert "(systemctl --user edit tui-popretr-mail)" in done.err
    assert unit.read_text() == "[Service]\nExecStart=/bin/mine\n"
    assert os.listdir(unit.parent) == [unit.name]


def test_a_wrong_configuration_has_no_unit(tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "mail.xml", "<cleint/>")
    done = service(tmp_path, path)
    assert (done.code, done.out) == (78, "")


def test_the_folders_of_the_user_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "config/tui-popretr"
    folder.mkdir(parents=True)
    write_configuration(folder / "tui-popretr.xml", client("a", "127.0.0.1"))
    variables = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": "/srv/state"}
    done = run_program("service", "--user", environ=variables)
    assert f"Environment=XDG_CONFIG_HOME={tmp_path}/config\n" in done.out
    assert "Environment=XDG_STATE_HOME=/srv/state\n" in done.out
    assert "ReadWritePaths=/srv/state/tui-popretr\n" in done.out


@pytest.mark.parametrize("manager", ["--user", "--system"])
def test_systemd_accepts_units_with_hooks_and_metrics(manager: str, tmp_path: Path) -> None:
    """Of the program as it prints them, with and without a timer."""
    need(systemd)
    hooks = "<hooks><hook on='failed'>true</hook></hooks>"
    path = write_configuration(
        tmp_path / "mail.xml",
        client("a", "127.0.0.1"),
        before=f"{hooks}<metrics>/srv/node exporter/popretr.prom</metrics>",
    )
    for timer in ((), ("--timer",)):
        done = service(tmp_path, path, manager, *timer)
        assert done.code == 0
        texts = re.split(r"(?m)^# /.*\n", done.out)[1:] if timer else [done.out]
        files = [tmp_path / "tui-popretr-mail.service", tmp_path / "tui-popretr-mail.timer"][: len(texts)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        assert '"-/srv/node exporter"' in texts[0]
        scope = ("--user",) if manager == "--user" else ()
        assert analyze(tmp_path, *scope, "verify", *map(str, files)) == ""
        if manager == "--system":
            assert "ProtectHome=read-only" in texts[0]
            analyze(tmp_path, "security", "--offline=yes", f"--threshold={THRESHOLD}", str(files[0]))
            assert "the folders that your hooks may write to are not known" in done.err
            assert "allowed to write the metrics into /srv/node exporter" in done.err


def test_metrics_among_the_written_folders(tmp_path: Path) -> None:
    path = write_configuration(
        tmp_path / "mail.xml", client("a", "127.0.0.1"), before="<metrics>%DIRVAR%/metrics/x.prom</metrics>"
    )
    done = service(tmp_path, path, "--system")
    assert f"ReadWritePaths={tmp_path}/var\n" in done.out
    assert "metrics" not in done.err
