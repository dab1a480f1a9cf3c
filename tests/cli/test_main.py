"""From whatever goes wrong to words and an exit code; and what the process is."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from tests.program.process import environment, run_program
from tui_popretr import __version__
from tui_popretr.cli import main as command_line
from tui_popretr.cli.main import main
from tui_popretr.errors import JournalLocked, ServerUnreachable


def outcome(problem: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command that ends with `problem`."""

    def perform(arguments: Namespace) -> int:
        raise problem

    monkeypatch.setattr(command_line, "_load", lambda name: perform)
    return main(["info"])


def test_an_error_is_told_with_its_advice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(JournalLocked("the journal is in use"), monkeypatch) == 75
    assert capsys.readouterr().err == (
        "tui-popretr: the journal is in use\n"
        "tui-popretr: another tui-popretr runs with this configuration; stop it first\n"
    )


def test_an_error_without_advice_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(ServerUnreachable("nobody there", advice=""), monkeypatch) == 69
    assert capsys.readouterr().err == "tui-popretr: nobody there\n"


@pytest.mark.parametrize(
    "problem", [KeyboardInterrupt(), BaseExceptionGroup("", [BaseExceptionGroup("", [KeyboardInterrupt()])])]
)
def test_an_interrupt_is_told_in_a_word(
    problem: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(problem, monkeypatch) == 130
    assert capsys.readouterr() == ("", "tui-popretr: interrupted\n")


@pytest.mark.parametrize(
    "problem", [RuntimeError("boom"), BaseExceptionGroup("", [KeyboardInterrupt(), RuntimeError("boom")])]
)
def test_a_defect_of_ours_is_shown_whole(
    problem: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(problem, monkeypatch) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "boom" in told
    assert told.endswith("tui-popretr: please report this, with the lines above\n")


def test_usage_errors_are_64(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == 64
    assert capsys.readouterr().err.startswith("tui-popretr: ")


def test_help_and_version_are_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tui-popretr {__version__}\n"
    assert main(["--help"]) == 0
    assert "examples:" in capsys.readouterr().out


def test_output_that_finds_no_room_is_told() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tui_popretr", "info"], stdout=full, stderr=subprocess.PIPE, env=environment()
        )
    assert done.returncode == 74
    assert done.stderr == b"tui-popretr: cannot write the output: no space left on device\n"


def test_output_that_nobody_reads_is_no_defect() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tui_popretr", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == b""
    assert process.wait() == 141


def test_closed_streams_do_no_harm() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m tui_popretr info >&- 2>&-"], env=environment(), check=False
    )
    assert done.returncode == 0


def test_names_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    done = run_program("info", str(tmp_path / "日本.xml"), environ={"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"})
    assert done.code == 0, done.err
    assert "\\u65e5\\u672c.xml" in done.out


def test_the_process_is_private_and_has_room() -> None:
    script = (
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))\n"
        "cores = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (cores, cores))\n"
        "os.umask(0o022)\n"
        "from tui_popretr.cli import main\n"
        "def show():\n"
        "    print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_NOFILE),"
        " resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)\n"
        "    return 5\n"
        "main.main = show\n"
        "from tui_popretr.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (5, "0o77 (512, 512) 0\n", "")


def test_info_tells_paths_and_versions(tmp_path: Path) -> None:
    path = tmp_path / "c.xml"
    path.write_text(
        '<pop3download><audit rot="daily">%DIRLOG%/a-%DT%.log</audit><clients/></pop3download>', encoding="utf-8"
    )
    done = run_program("info", str(path))
    assert (done.code, done.err) == (0, "")
    told = dict(line.split(":", 1) for line in done.out.splitlines())
    told = {name: value.strip() for name, value in told.items()}
    assert told["tui-popretr"] == __version__
    assert told["configuration"] == str(path)
    assert told["var"] == str(tmp_path / "var")
    assert told["journal"] == str(tmp_path / "var/popretr.sqlite")
    assert told["control"] == str(tmp_path / "var/control.sock")
    assert told["logs"] == str(tmp_path / "var/logs")
    assert told["audit"] == str(tmp_path / "var/logs/a-%DT%.log")
    assert {"python", "trio", "textual", "openssl", "trusted", "sqlite", "platform"} <= told.keys()
    assert not (tmp_path / "var").exists()


def test_info_of_a_configuration_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_text("<nonsense/>", encoding="utf-8")
    done = run_program("info", str(tmp_path / "c.xml"))
    assert done.code == 0
    assert "(cannot be used; tui-popretr check says why)" in done.out
    assert "sqlite:" in done.out
