"""kill -9 at every step of a login: the token file has the old tokens or the new ones, and the next login works."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import pytest

from tests.cli.login.conftest import Site
from tests.program.process import environment, run_program
from tests.support.waiting import PATIENCE

#: Runs the program in one forked process after the other, each killed one step later, until one is not killed. A step
#: is a connection to a server, or a call on a token file. Prints the end of each process, and the token file it left.
DRIVER: Final = """
import glob, json, os, signal, sys
from pathlib import Path
from tui_popretr.cli.login import command
from tui_popretr.cli.main import main
from tui_popretr.oauth import device, forms

device._SHORTEST = forms.INTERVAL = 0.01
folder, forget = sys.argv[1], sys.argv[2] == "first"
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.chmod"}

def run(left):
    def count(event, arguments):
        nonlocal left
        if event == "socket.connect" or (event in EVENTS and "var/oauth" in str(arguments[0])):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os._exit(main(sys.argv[3:]))

for step in range(1, 100):
    process = os.fork()
    if process == 0:
        run(step)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    left = [Path(path).read_text() for path in glob.glob(folder + "/*.json")]
    print(json.dumps([code, left]), flush=True)
    if code != -signal.SIGKILL:
        break
    if forget:
        for path in [*glob.glob(folder + "/*"), *glob.glob(folder + "/.*")]:
            os.unlink(path)
"""


@dataclass(frozen=True, slots=True)
class Killed:
    """How a login ended, and the access token that it left."""

    code: int
    access: str | None


def logins(site: Site, which: str, *arguments: str) -> list[Killed]:
    """Log in, killed at each step; each token file must be whole."""
    command = ["login", str(site.home / "c.xml"), "--client", "work", *arguments]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(site.home / "var/oauth"), which, *command],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=3 * PATIENCE,
        check=True,
    )
    found = []
    for line in done.stdout.splitlines():
        code, files = json.loads(line)
        assert len(files) < 2
        fields = json.loads(files[0]) if files else {"access": None}
        assert not files or fields.keys() == {
            *("version", "access", "refresh", "expires", "scopes", "account", "obtained")
        }
        found.append(Killed(code, fields["access"]))
    return found


@pytest.mark.parametrize("which", ["first", "again"])
def test_a_kill_at_each_step(site: Site, which: str) -> None:
    site.provider.agrees_on_devices, site.provider.interval = True, 0
    before, arguments = None, ["-q"]
    if which == "again":
        assert run_program("login", str(site.home / "c.xml"), "--client", "work").code == 0
        (file,) = (site.home / "var/oauth").glob("*.json")
        before, arguments = json.loads(file.read_text())["access"], ["--for", "server"]
    found = logins(site, which, *arguments)
    *killed, last = found
    assert len(killed) > 8
    assert {each.code for each in killed} == {-signal.SIGKILL}
    for each in killed:
        if each.access != before:
            assert each.access
            assert site.provider.owner(each.access), "it is a new one, and complete"
    assert {each.access == before for each in killed} == {True, False}
    assert last.code == 0
    assert last.access not in (before, None)
    assert run_program("login", str(site.home / "c.xml"), "--client", "work").code == 0
    assert {name.rpartition(".")[2] for name in site.token_files()} == {"json", "lock"}
