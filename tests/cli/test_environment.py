"""Where the program is started: homes, users, time zones, locales and limits of the system. All in real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program.process import client, environment, mail, run_program, write_configuration
from tests.support.passwords import PASSWORD, discreet
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import RunningServer, running_server
from tests.support.waiting import PATIENCE


def maildrop(messages: int = 1) -> ServedMaildrop:
    box = ServedMaildrop("me", PASSWORD)
    for number in range(messages):
        box.add(mail(f"m{number}"))
    return box


def as_user(number: int, before: str = "") -> str:
    """Python that goes on as a user without an entry in the user database; it may still read root's files."""
    options = ["--reuid", str(number), "--regid", str(number), "--clear-groups"]
    options += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return f"{before}\nos.execvp('setpriv', ['setpriv', *{options}, *sys.argv[1:]])"


# --- homes ------------------------------------------------------------------------------------------------------------

#: HOME (None: not set), whether the user is in the user database, and whether `~` has a meaning then.
HOMES = [
    ("/absolute", True, True),
    ("/absolute", False, True),
    (None, True, True),
    ("", True, True),
    ("relative", True, True),
    (".", True, True),
    ("~", True, True),
    (None, False, False),
    ("", False, False),
    ("relative", False, False),
    ("~", False, False),
]
ROOT = pytest.mark.root
homes = pytest.mark.parametrize(
    ("home", "known", "works"), [pytest.param(*each, marks=[] if each[1] else [ROOT]) for each in HOMES]
)


def with_home(home: str | None, known: bool) -> str:
    change = "os.environ.pop('HOME', None)" if home is None else f"os.environ['HOME'] = {home!r}"
    return change if known else as_user(54321, change)


@homes
def test_a_path_in_the_home_folder(tmp_path: Path, home: str | None, known: bool, works: bool) -> None:
    text = client("isp", "127.0.0.1:1", more="<maildir>~/Mail</maildir>")
    path = write_configuration(tmp_path / "c.xml", text)
    done = run_program("check", path, before=with_home(home, known), cwd=tmp_path)
    assert "Traceback" not in done.err
    if works:
        assert done.code == 0, done.err
        assert "delivers it to the Maildir /" in done.out
        assert ("/absolute/Mail" in done.out) == (home == "/absolute")
    else:
        assert done.code == 78
        assert f"{path}:2:" in done.err
        assert "error: <maildir>: '~' has no meaning here: HOME is" in done.err
        assert "user id 54321" in done.err


@homes
@pytest.mark.parametrize(("arguments", "code"), [(("info",), 0), (("check",), 78), (("--headless", "--once"), 78)])
def test_commands_without_a_configuration(
    tmp_path: Path, home: str | None, known: bool, works: bool, arguments: tuple[str, ...], code: int
) -> None:
    done = run_program(*arguments, before=with_home(home, known), cwd=tmp_path)
    assert "Traceback" not in done.err
    assert done.code == code, done.err
    assert ("HOME is" in done.out + done.err) == (not works)


@homes
def test_a_run_needs_no_home(tmp_path: Path, home: str | None, known: bool, works: bool) -> None:
    box = maildrop()
    tmp_path.chmod(0o777)
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        done = run_program(path, "--headless", "--once", before=with_home(home, known), cwd=tmp_path)
    assert done.code == 0, done.err
    assert box.messages == []


@pytest.fixture
def folder_of_all() -> Iterator[Path]:
    """A folder that any user may write into: access(2) grants nothing for capabilities."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


@homes
def test_init_writes_no_tilde(folder_of_all: Path, home: str | None, known: bool, works: bool) -> None:
    tmp_path = folder_of_all
    (tmp_path / "word").write_text("word\n")
    words = ["--user", "me@example.net", "--address", "pop.example.net", "--maildir", "~/Maildir", "--offline"]
    words += ["--no-login", "--password-file", str(tmp_path / "word"), "--keep", "c.xml"]
    done = run_program("init", *words, before=with_home(home, known), cwd=tmp_path)
    assert "Traceback" not in done.err
    assert done.code == (0 if works else 78), done.err
    assert ("HOME is" in done.err) == (not works)
    assert (tmp_path / "c.xml").exists() == works
    assert not (tmp_path / "~").exists()


@homes
def test_memories_in_the_home_folder(tmp_path: Path, home: str | None, known: bool, works: bool) -> None:
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1:1", attributes='newonly="Y"'))
    words = ["import-seen", path, "--client", "isp", "--from", "fetchmail"]
    done = run_program(*words, before=with_home(home, known), cwd=tmp_path)
    assert "Traceback" not in done.err
    assert done.code == (64 if works else 78), done.err
    assert ("HOME is" in done.err) == (not works)


# --- time zones -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["", "UTC+99:99", "XYZ-24", ":/etc/passwd", "No/Where", "Asia/Kolkata"])
def test_time_zones(tmp_path: Path, zone: str) -> None:
    box = maildrop()
    logs = '<audit rot="daily">%DIRLOG%/%DT%.log</audit>'
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address), before=logs)
        done = run_program(path, "--headless", "--once", environ={"TZ": zone})
    assert done.code == 0, done.err
    assert box.messages == []


# --- locales ----------------------------------------------------------------------------------------------------------

LOCALES = {"en_US.ISO-8859-1": ("en_US", "ISO-8859-1"), "ja_JP.EUC-JP": ("ja_JP", "EUC-JP")}


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with locales that are not UTF-8."""
    if shutil.which("localedef") is None or not os.path.exists("/usr/share/i18n/charmaps/EUC-JP.gz"):
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("there are no locales to make (scripts/test-servers installs them)")
        pytest.skip("there are no locales to make (scripts/test-servers installs them)")
    folder = tmp_path_factory.mktemp("locales")
    for name, (language, charmap) in LOCALES.items():
        subprocess.run(["localedef", "-i", language, "-f", charmap, folder / name], check=True, capture_output=True)
    return folder


def run_in_locale(locales: Path, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "tui_popretr", *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=environment({"LC_ALL": name, "LOCPATH": str(locales), **more}),
        timeout=PATIENCE,
        check=False,
    )
    discreet(done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))
    return done


def clients_with_names(server: RunningServer, folder: Path) -> list[str]:
    """Names in a Maildir, a folder, a command's arguments, a file of a password and its command."""
    asking = f"<password command=\"sh -c 'cat $0' {folder}/日本/w\"/>"
    file = f'<password file="{folder}/日本/w"/>'
    plain = f"<password>{PASSWORD}</password>"
    mda = f"<mda command=\"sh -c 'cat >$0/mda; env >$0/env' {folder}/日本\"/>"
    return [
        client("für", server.address, user="a", more="<maildir>日本/Müll/%U%</maildir>").replace(plain, asking),
        client("b日", server.address, user="b", more="<downloads_directory>日本/folder</downloads_directory>").replace(
            plain, file
        ),
        client("c", server.address, user="c", more=mda),
    ]


@pytest.mark.parametrize("name", [*LOCALES, "C", "POSIX", "C.UTF-8", "not-there"])
def test_locales(locales: Path, tmp_path: Path, name: str) -> None:
    boxes = [ServedMaildrop(user, PASSWORD) for user in "abc"]
    for box in boxes:
        box.add(mail())
    there = tmp_path / "日本"
    there.mkdir()
    (there / "w").write_text(f"{PASSWORD}\n")
    (there / "w").chmod(0o600)
    logs = "<audit>日本/audit.log</audit>"
    with running_server(boxes) as server:
        path = write_configuration(tmp_path / "c.xml", *clients_with_names(server, tmp_path), before=logs)
        checked = run_in_locale(locales, name, "check", path)
        assert checked.returncode == 0, checked.stderr
        assert b"warning: client" not in checked.stderr
        done = run_in_locale(locales, name, path, "--headless", "--once")
    assert done.returncode == 0, done.stderr
    assert [box.messages for box in boxes] == [[], [], []]
    assert len(list((there / "Müll/für/new").iterdir())) == 1
    assert len(list((there / "folder").glob("*.eml"))) == 1
    assert (there / "mda").exists()
    assert (there / "audit.log").read_text("utf-8").count("日本") == 2
    assert "PYTHONIOENCODING" not in (there / "env").read_text("utf-8")
    charmap = LOCALES.get(name, ("", "utf-8"))[1]
    assert "日本".encode(charmap, "backslashreplace") in checked.stdout


def test_an_encoding_that_the_user_has_chosen_for_output_stays(locales: Path, tmp_path: Path) -> None:
    path = write_configuration(tmp_path / "c.xml", client("c", "127.0.0.1:1", more="<maildir>日本</maildir>"))
    done = run_in_locale(locales, "en_US.ISO-8859-1", "check", path, PYTHONIOENCODING="utf-8")
    assert "/日本." in done.stdout.decode()


@pytest.mark.parametrize("option", ["utf8=0", "utf8=1"])
def test_an_interpreter_option_restarts_it_at_most_once(locales: Path, tmp_path: Path, option: str) -> None:
    path = write_configuration(tmp_path / "c.xml", client("c", "127.0.0.1:1"))
    done = subprocess.run(
        [sys.executable, "-X", option, "-m", "tui_popretr", "check", path],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env=environment({"LC_ALL": "en_US.ISO-8859-1", "LOCPATH": str(locales)}),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [5, 6, 8, 10, 14, 18, 22, 26, 30, 40])
def test_few_descriptors(tmp_path: Path, limit: int) -> None:
    box = maildrop(3)
    before = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))"
    logs = "<audit>%DIRLOG%/a.log</audit><transcript>%DIRLOG%/t.log</transcript><trace>%DIRLOG%/trace.log</trace>"
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address), before=logs)
        done = run_program(path, "--headless", "--once", before=before)
    assert "Traceback" not in done.err
    if limit < 27:
        assert done.code == 75, done.err
        assert f"the limit of open files, {limit}, is too low" in done.err
        assert len(box.messages) == 3
    else:
        assert done.code == 0, done.err
        assert box.messages == []


@pytest.mark.root
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 9, 10, 12, 20])
def test_few_threads(tmp_path: Path, limit: int) -> None:
    box = maildrop(3)
    user = 54400 + limit  # the limit counts what the user has elsewhere
    before = as_user(user, f"resource.setrlimit(resource.RLIMIT_NPROC, ({limit}, {limit}))")
    with running_server([box]) as server:
        path = write_configuration(tmp_path / "c.xml", client("isp", server.address))
        done = run_program(path, "--headless", "--once", before=before)
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    if limit < 9:
        assert done.code == 75, done.err
        assert "the limit of processes and threads is too low" in done.err
        assert "ulimit -u" in done.err
        assert len(box.messages) == 3
    else:
        assert done.code == 0, done.err
        assert box.messages == []
