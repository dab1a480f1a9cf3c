"""What is loaded for `--headless --once`: it runs from cron, perhaps every minute, and has to start quickly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.program.process import client, environment, mail, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tui_popretr.popserver.certificates import ca_path, server_context

#: Never for retrieving mail: the dashboard, and what would cost more time to load than a session takes.
UNWANTED = {
    "textual",
    "rich",
    "asyncio",
    "multiprocessing",
    "concurrent",
    "email",
    "http",
    "cryptography",
    "scramp",
    "h11",
    "oauthlib",
    "dns",
    "idna.uts46data",  # trio loads the package, without these tables
    "smtplib",
    "platformdirs",
    "prometheus_client",
    "difflib",
    "doctest",
    "unittest",
    "pytest",
    "importlib.metadata",
    "shtab",
    "tui_popretr.control",
    "tui_popretr.popserver",
    "tui_popretr.ui",
    "tui_popretr.demo",
}

SCRIPT = """
import sys
from tui_popretr.cli.main import main
code = main(sys.argv[1:])
print(*sys.modules)
sys.exit(code)
"""


def loaded(*arguments: str) -> set[str]:
    """The modules, and the packages they are in, that are loaded when the program has done its work."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()[-1].split()
    return {".".join(name.split(".")[:length]) for name in names for length in range(1, name.count(".") + 2)}


def test_a_single_run_loads_no_dashboard_and_nothing_heavy(tmp_path: Path) -> None:
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    with running_server([box], tls=server_context()) as server:
        more = f'<ssl tspath="{ca_path()}"/><maildir>m</maildir>'
        path = write_configuration(tmp_path / "c.xml", client("isp", server.tls_address, more=more))
        modules = loaded("--headless", "--once", path)
    assert len(box.deleted) == 1
    assert "trio" in modules
    assert modules & UNWANTED == set()


def test_checking_loads_no_engine(tmp_path: Path) -> None:
    modules = loaded("check", write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1")))
    assert modules & (UNWANTED | {"trio", "sqlite3", "idna"}) == set()


def test_importing_loads_no_engine(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("me@127.0.0.1 u1\n")
    path = write_configuration(tmp_path / "c.xml", client("isp", "127.0.0.1", attributes='newonly="Y"'))
    modules = loaded("import-seen", path, "--client", "isp", "--from", "fetchmail", str(tmp_path / "ids"))
    assert "sqlite3" in modules
    assert modules & (UNWANTED | {"trio", "idna"}) == set()


def test_version_loads_next_to_nothing() -> None:
    assert loaded("--version") & (UNWANTED | {"trio", "sqlite3", "ssl", "xml", "tui_popretr.config"}) == set()


#: What the first screen does not show: it is loaded when it is wanted.
LATER = {
    "tui_popretr.ui.screens",
    "tui_popretr.ui.widgets.history",
    "tui_popretr.ui.widgets.log",
    "tui_popretr.ui.widgets.messages",
}


def test_sessions_need_not_wait_for_what_draws() -> None:
    modules = "import sys, tui_popretr.cli.run, tui_popretr.ui.shell.run; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, env=environment(), check=True
    )
    assert not {"textual", "rich", "asyncio"} & set(done.stdout.split())


def test_the_dashboard_loads_only_its_first_screen() -> None:
    modules = "import sys, tui_popretr.ui.shell.app, tui_popretr.ui.shell.terminal; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, env=environment(), check=True
    )
    assert not LATER & set(done.stdout.split())
