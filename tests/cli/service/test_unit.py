"""The texts of units: quoting, users, folders; and systemd's checks of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.unit import SAMPLE, SERVICE, text
from tests.cli.service.systemd import THRESHOLD, analyze, systemd
from tests.program.needs import need
from tui_popretr.cli.service.places import outermost
from tui_popretr.cli.service.unit import Service, service_text, timer_text

TRUE = str(Path("/bin/true").resolve())
DOCUMENTS = [
    (Path(__file__).parents[3] / "docs" / name).read_text(encoding="utf-8") for name in ("systemd.md", "metrics.md")
]
DROP_INS = re.findall(r"^```ini\n(.*?)^```", "\n".join(DOCUMENTS), re.MULTILINE | re.DOTALL)

SYSTEM = replace(SERVICE, program=(TRUE,), passwords=())
ALICE = replace(SYSTEM, folders=("/home/alice/Maildir", "/srv/popretr"), user="daemon", commands=True)
ROOT = replace(SYSTEM, folders=("/srv/popretr",))
GIVES = replace(SYSTEM, gives_files=True)
USER = replace(ROOT, system=False)
UNITS = {
    "dynamic": SYSTEM,
    "credentials": replace(SYSTEM, passwords=("/etc/tui-popretr/a 1", "/etc/tui-popretr/b")),
    "user of a system service": ALICE,
    "root": ROOT,
    "metrics": replace(SYSTEM, metrics="/var/lib/prometheus/node exporter", commands=True),
    "metrics, user": replace(USER, metrics="/srv/metrics"),
    "temporary": replace(ROOT, folders=("/tmp/popretr",)),
    "user": USER,
    "odd names": replace(ROOT, folders=("/srv/a b", "/srv/100%", '/srv/"$x"\\'), arguments=("/etc/my $HOME %h.xml",)),
    "once": replace(SYSTEM, every=300.0),
    "once, user": replace(USER, every=300.0),
}


def lines(service: Service) -> list[str]:
    return service_text(service).splitlines()


@pytest.mark.parametrize("name", UNITS)
def test_systemd_verifies_the_units(name: str, tmp_path: Path) -> None:
    need(systemd)
    service = UNITS[name]
    unit = tmp_path / "tui-popretr.service"
    unit.write_text(service_text(service))
    files = [str(unit)]
    if service.every is not None:
        timer = tmp_path / "tui-popretr.timer"
        timer.write_text(timer_text(service))
        files.append(str(timer))
    assert analyze(tmp_path, *(() if service.system else ("--user",)), "verify", *files) == ""


@pytest.mark.parametrize("name", [name for name, service in UNITS.items() if service.system])
def test_the_exposure_is_below_two(name: str, tmp_path: Path) -> None:
    need(systemd)
    unit = tmp_path / "tui-popretr.service"
    unit.write_text(service_text(UNITS[name]))
    analyze(tmp_path, "security", "--offline=yes", f"--threshold={THRESHOLD}", str(unit))


def test_a_mistake_is_noticed(tmp_path: Path) -> None:
    need(systemd)
    unit = tmp_path / "tui-popretr.service"
    unit.write_text(service_text(SYSTEM).replace("Type=notify", "Type=notified"))
    assert "notified" in analyze(tmp_path, "verify", str(unit))


@pytest.mark.parametrize("number", range(len(DROP_INS)))
def test_the_documented_drop_ins_are_valid(number: int, tmp_path: Path) -> None:
    need(systemd)
    unit = tmp_path / "tui-popretr.service"
    unit.write_text(service_text(SYSTEM))
    folder = tmp_path / "tui-popretr.service.d"
    folder.mkdir()
    drop_in = re.sub("(?m)^(User|Group)=.*", r"\1=daemon", DROP_INS[number])
    (folder / "local.conf").write_text(drop_in)
    assert analyze(tmp_path, "verify", str(unit)) == ""
    (folder / "local.conf").write_text(drop_in.replace("=", "X=", 1))
    assert "local.conf" in analyze(tmp_path, "verify", str(unit))


def test_the_sample_is_what_the_command_prints() -> None:
    assert SAMPLE.read_text(encoding="utf-8") == text(), "run: make manpage"


def test_the_kind_of_service() -> None:
    assert "Type=notify" in lines(SYSTEM)
    assert "ExecReload=kill -HUP $MAINPID" in lines(SYSTEM)
    assert "WatchdogSec=120" in lines(SYSTEM)
    once = lines(replace(SYSTEM, every=300.0))
    assert "Type=oneshot" in once
    assert f"ExecStart={TRUE} run /etc/tui-popretr/tui-popretr.xml --headless --once" in once
    assert not [line for line in once if line.startswith(("Restart", "Watchdog", "WantedBy", "ExecReload"))]
    assert "OnUnitInactiveSec=300s" in timer_text(replace(SYSTEM, every=300.0))


def test_a_dynamic_user_owns_its_folder() -> None:
    unit = lines(SERVICE)
    assert "DynamicUser=yes" in unit
    assert "StateDirectory=tui-popretr" in unit
    assert "ProtectHome=yes" in unit
    assert "LoadCredential=isp.password:/etc/tui-popretr/isp.password" in unit


def test_folders_elsewhere_belong_to_a_user() -> None:
    unit = lines(ALICE)
    assert "User=daemon" in unit
    assert "ReadWritePaths=/home/alice/Maildir /srv/popretr" in unit
    assert "ProtectHome=read-only" in unit
    assert "DynamicUser=yes" not in unit
    assert "#LoadCredential=isp.password:/etc/tui-popretr/isp.password" in unit


def test_the_folder_of_the_metrics_belongs_to_another_user() -> None:
    """A dynamic user stays one, and a missing folder does not keep the service from starting."""
    unit = lines(replace(SYSTEM, metrics="/var/lib/prometheus/node-exporter"))
    assert "DynamicUser=yes" in unit
    assert "ReadWritePaths=-/var/lib/prometheus/node-exporter" in unit
    assert "ReadWritePaths=/srv/popretr -/srv/metrics" in lines(replace(ROOT, metrics="/srv/metrics"))


def test_giving_files_away_keeps_the_capabilities() -> None:
    unit = lines(GIVES)
    assert "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER" in unit
    assert "SystemCallFilter=~@resources" in unit
    assert "PrivateUsers=yes" not in unit
    assert "DynamicUser=yes" not in unit


def test_a_users_service_needs_no_namespaces() -> None:
    unit = lines(USER)
    assert "WantedBy=default.target" in unit
    assert "UMask=0077" in unit
    assert "as root" not in "".join(unit)
    active = [line.partition("=")[0] for line in unit if not line.startswith("#")]
    assert not [name for name in active if name.startswith(("Protect", "Private", "ReadWrite", "User", "Dynamic"))]


def test_odd_names_are_quoted() -> None:
    unit = lines(UNITS["odd names"])
    assert f'ExecStart={TRUE} run "/etc/my $$HOME %%h.xml" --headless' in unit
    assert 'ReadWritePaths="/srv/a b" /srv/100%% "/srv/\\"$x\\"\\\\"' in unit


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/a", "/a/b", "/a"], ("/a",)),
        (["/a-b", "/a", "/a/c"], ("/a", "/a-b")),
        (["/b/c", "/b d"], ("/b d", "/b/c")),
        (["/", "/a"], ("/",)),
    ],
)
def test_only_the_outermost_folders_are_named(paths: list[str], expected: tuple[str, ...]) -> None:
    assert sorted(outermost(paths)) == sorted(expected)


@pytest.mark.parametrize(("system", "command"), [(True, "systemctl edit mail"), (False, "systemctl --user edit mail")])
def test_the_unit_names_the_command_that_edits_it(system: bool, command: str) -> None:
    service = replace(USER, name="mail", system=system)
    assert service_text(service).partition("\n")[0].endswith(f": {command}")


def test_lines_to_enable_belong_in_a_drop_in() -> None:
    unit = lines(USER)
    for beginning in ("#LoadCredential=", "#PrivateUsers="):
        (number,) = [number for number, each in enumerate(unit) if each.startswith(beginning)]
        assert unit[number - 1].endswith("into the [Service] section of a drop-in:")
