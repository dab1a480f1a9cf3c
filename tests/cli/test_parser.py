"""The grammar of the command line, word by word."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from tui_popretr.cli.parser import COMMANDS, build_parser, normalise
from tui_popretr.errors import ExitCode, UsageError


def parse(line: str) -> Namespace:
    return build_parser().parse_args(normalise(line.split()))


def run(config: str | None = None, **changes: object) -> dict[str, object]:
    return {
        "command": "run",
        "config": config,
        "headless": False,
        "once": False,
        "clients": [],
        "verbose": 0,
        "quiet": 0,
        **changes,
    }


def seen(command: str, config: str | None = None, **changes: object) -> dict[str, object]:
    return {"command": command, "config": config, "clients": [], "verbose": 0, "quiet": 0, **changes}


def imported(config: str | None = None, **changes: object) -> dict[str, object]:
    return seen("import-seen", config, **{"account": None, "dry_run": False, **changes})


def check(config: str | None = None, **changes: object) -> dict[str, object]:
    return {
        "command": "check",
        "config": config,
        "connect": False,
        "clients": [],
        "verbose": 0,
        "quiet": 0,
        **changes,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", run()),
        ("c.xml", run("c.xml")),
        ("run c.xml", run("c.xml")),
        ("run", run()),
        ("--headless", run(headless=True)),
        ("--headless --once c.xml", run("c.xml", headless=True, once=True)),
        ("c.xml --headless --once", run("c.xml", headless=True, once=True)),
        ("run --once c.xml --headless", run("c.xml", headless=True, once=True)),
        ("c.xml --client a --client b", run("c.xml", clients=["a", "b"])),
        ("--client a c.xml", run("c.xml", clients=["a"])),
        ("--client check c.xml", run("c.xml", clients=["check"])),
        ("--client=a", run(clients=["a"])),
        ("-v c.xml", run("c.xml", verbose=1)),
        ("c.xml -vv -q", run("c.xml", verbose=2, quiet=1)),
        ("-v run c.xml -v", run("c.xml", verbose=2)),
        ("--verbose --quiet -qq", run(verbose=1, quiet=3)),
        ("status c.xml --json", {"command": "status", "config": "c.xml", "json": True, "exit_code": False}),
        ("status --exit-code", {"command": "status", "config": None, "exit_code": True}),
        ("poll c.xml --client a --client b", seen("poll", "c.xml", clients=["a", "b"], all=False, wait=False)),
        ("poll --all --wait", seen("poll", all=True, wait=True)),
        ("pause --all", seen("pause", all=True)),
        ("resume --client a", seen("resume", clients=["a"], all=False)),
        ("stop c.xml --all", seen("stop", "c.xml", all=True)),
        ("-q reload c.xml", {"command": "reload", "config": "c.xml", "quiet": 1}),
        ("shutdown", {"command": "shutdown", "config": None}),
        ("tail --client a --json", seen("tail", clients=["a"], json=True)),
        ("./check", run("./check")),
        ("run check", run("check")),
        ("-- c.xml", run("c.xml")),
        ("check c.xml", check("c.xml")),
        ("check", check()),
        ("-q check c.xml --connect", check("c.xml", connect=True, quiet=1)),
        ("check --client a --connect", check(connect=True, clients=["a"])),
        ("mark-seen c.xml --client a --client b", seen("mark-seen", "c.xml", clients=["a", "b"])),
        ("mark-seen", seen("mark-seen")),
        ("import-seen c.xml --client a --from mpop", imported("c.xml", clients=["a"], source=["mpop"])),
        (
            "import-seen c.xml --from getmail x y --dry-run --account me@h",
            imported("c.xml", source=["getmail", "x", "y"], dry_run=True, account="me@h"),
        ),
        ("info", {"command": "info", "config": None, "verbose": 0, "quiet": 0}),
        ("c.xml --naf n.xml --headless", run("c.xml", naf="n.xml", headless=True)),
        ("check --naf n.xml", check(naf="n.xml")),
        ("info --naf n.xml c.xml", {"command": "info", "config": "c.xml", "naf": "n.xml"}),
        ("init", {"command": "init", "config": None, "force": False, "user": None, "keep": False}),
        ("init c.xml --force --delete", {"command": "init", "config": "c.xml", "force": True, "delete": True}),
        ("info c.xml", {"command": "info", "config": "c.xml", "verbose": 0, "quiet": 0}),
    ],
)
def test_a_line_and_what_it_means(line: str, expected: dict[str, object]) -> None:
    parsed = vars(parse(line))
    assert {name: parsed.get(name) for name in expected} == expected


def test_demo_is_a_command() -> None:
    assert parse("demo").command == "demo"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chekc c.xml", "there is no command and no file 'chekc'; did you mean 'check'?"),
        (
            "zzz c.xml",
            f"there is no command and no file 'zzz'; the commands are {', '.join(COMMANDS)}",
        ),
        ("c.xml --onec", "unrecognized arguments: --onec"),
        ("c.xml --head", "unrecognized arguments: --head"),  # abbreviations would break when options are added
        ("c.xml --client", "argument --client: expected one argument"),
        ("c.xml d.xml", "unrecognized arguments: d.xml"),
        ("import-seen c.xml --client a", "the following arguments are required: --from"),
        ("import-seen c.xml --client a --from", "argument --from: expected at least one argument"),
        ("info --connect", "unrecognized arguments: --connect"),
    ],
)
def test_a_line_that_means_nothing(line: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse(line)
    assert str(raised.value) == message
    assert "--help" in raised.value.advice
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_file_may_have_the_name_of_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mail").touch()
    assert parse("mail").config == "mail"


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command, summary in COMMANDS.items():
        with pytest.raises(SystemExit) as ended:
            parse(f"{command} --help")
        assert ended.value.code in (None, 0)
        assert f"usage: tui-popretr {command}" in capsys.readouterr().out
        with pytest.raises(SystemExit):
            parse("--help")
        assert summary in " ".join(capsys.readouterr().out.split())  # lines may be broken
