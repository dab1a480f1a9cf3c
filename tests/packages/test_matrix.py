"""scripts/matrix: an empty Debian whose root can be changed, with terminals, in which the demo runs."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.packages.building import PROJECT
from tests.program.needs import mounting, need
from tests.support.size import NIGHTLY

_MATRIX = PROJECT / "scripts" / "matrix"


def matrix(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [_MATRIX, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.root
@pytest.mark.parametrize(("ci", "code"), [("false", 0), ("true", 1)])
def test_without_root_it_is_left_out_and_under_ci_it_fails(ci: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-s", "13"],
        env={**os.environ, "CI": ci},
        input=_MATRIX.read_text(),  # the project's folder may be closed to other users
        capture_output=True,
        cwd="/",
        user=65534,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "Nothing is run in a Debian 13: that needs root.\n")


@pytest.mark.root
@pytest.mark.skipif(not NIGHTLY, reason="only in make nightly")
@pytest.mark.parametrize("release", ["12", "13"])
def test_the_demo_runs_in_an_empty_debian(release: str) -> None:
    need(mounting, lambda: "" if shutil.which("mmdebstrap") else "mmdebstrap is not installed")
    script = """
        grep -q "^VERSION_ID=.$1" /etc/os-release
        test ! -e .venv
        python3 -c 'import pty; pty.openpty()'
        unshare --mount sh -ec 'mount -t tmpfs none /mnt; cd /mnt; mkdir old; pivot_root . old'
        make demo
        touch /left-behind
    """
    code, output = matrix(release, "bash", "-ec", script, "sh", release)
    assert code == 0, output
    assert "120 messages" in output
    assert matrix(release, "test", "!", "-e", "/left-behind")[0] == 0
    assert matrix(release, "sh", "-c", "exit 7")[0] == 7
