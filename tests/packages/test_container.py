"""The image of the Containerfile retrieves mail and reports its health. Needs root and some minutes: nightly only.

Buildah builds it from a Debian of scripts/matrix, and runs its commands in a chroot, which works where containers
cannot be nested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages.building import PROJECT
from tests.program.needs import need
from tests.program.process import client, mail, write_configuration
from tests.support.passwords import PASSWORD
from tests.support.popserver import ServedMaildrop
from tests.support.popserver_thread import running_server
from tests.support.size import NIGHTLY
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.root, pytest.mark.skipif(not NIGHTLY, reason="only in make nightly")]

_BASE = Path("/var/cache/tui-popretr-tests/debian-trixie")
_IMAGE = "localhost/tui-popretr"
#: The user of the image.
_USER = 1000
#: One that is not in its /etc/passwd.
_ANOTHER_USER = 4321


class Image:
    """The built image, and a container of it."""

    def __init__(self, storage: Path) -> None:
        self._buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run")]
        self._environ = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        base = self._run("from", "scratch")
        self._run("copy", "--quiet", base, str(_BASE), "/")
        # The authorities and the package index of this machine.
        for file in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"):
            if Path(file).exists():
                self._run("copy", "--quiet", base, file, file)
        self._run("commit", "--quiet", base, "localhost/base")
        self._run(
            *("build", "--format", "docker", "--pull-never", "--network", "host"),
            *("--build-arg", "BASE=localhost/base", "--tag", _IMAGE, str(PROJECT)),
        )
        (described,) = [json.loads(self._run("inspect", "--type", "image", _IMAGE))]
        self.configuration = described["Docker"]["config"]
        self._container = self._run("from", "--pull-never", _IMAGE)
        # `buildah run` would mount copies of the image's volumes over those that it is given.
        removed = [f"{volume}-" for volume in self.configuration["Volumes"]]
        self._run("config", *(part for volume in removed for part in ("--volume", volume)), self._container)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._buildah, *arguments],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def command(self, *command: str, folder: Path | None = None, user: int = _USER) -> list[str]:
        """Return a command line that runs `command` in the container, with config and data of `folder` in it."""
        options = ["--user", f"{user}:{user}"] if user != _USER else []
        if folder:
            options += ["--volume", f"{folder}/config:/config:ro", "--volume", f"{folder}/data:/data"]
        return [*self._buildah, "run", *options, self._container, "--", *command]

    def run(self, *command: str, folder: Path | None = None, user: int = _USER) -> tuple[int, str]:
        """Run `command` to its end; return its exit code and output."""
        done = subprocess.run(
            self.command(*command, folder=folder, user=user),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def start(self, folder: Path, user: int) -> subprocess.Popen[bytes]:
        """Start what the image starts."""
        command = [*self.configuration["Entrypoint"], *self.configuration["Cmd"]]
        with (folder / "log").open("wb") as opened:
            return subprocess.Popen(
                self.command(*command, folder=folder, user=user),
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=opened,
            )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    need(
        lambda: "" if shutil.which("buildah") else "buildah is not installed (Debian, Ubuntu: apt-get install buildah)"
    )
    done = subprocess.run([PROJECT / "scripts" / "matrix", "13", "true"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    storage = tmp_path_factory.mktemp("storage")
    yield Image(storage)
    subprocess.run(["buildah", "--root", storage / "root", "--runroot", storage / "run", "rm", "--all"], check=True)
    shutil.rmtree(storage)


def test_its_user_has_no_rights_outside_of_its_folders(image: Image) -> None:
    code, output = image.run("sh", "-c", "id -u; touch /config/a /data/a && touch /opt/tui-popretr/a /etc/a")
    assert code != 0
    lines = output.splitlines()
    assert lines[0] == str(_USER)
    assert sum("Permission denied" in line for line in lines) == 2


def test_it_has_no_pip_and_knows_pkcs12(image: Image) -> None:
    assert image.run("/opt/tui-popretr/bin/python3", "-c", "import cryptography")[0] == 0
    assert image.run("/opt/tui-popretr/bin/python3", "-c", "import pip")[0] == 1


def test_the_demo_runs(image: Image) -> None:
    code, output = image.run(*image.configuration["Entrypoint"], "demo", "--headless")
    assert code == 0
    assert "120 messages" in output


@pytest.mark.parametrize(
    ("user", "password", "health"), [(_USER, PASSWORD, 0), (_USER, "wrong", 77), (_ANOTHER_USER, PASSWORD, 0)]
)
def test_it_retrieves_and_reports_its_health(
    user: int, password: str, health: int, image: Image, tmp_path: Path
) -> None:
    config, data = tmp_path / "config", tmp_path / "data"
    (config / "tui-popretr").mkdir(parents=True)
    data.mkdir()
    box = ServedMaildrop("me", PASSWORD)
    box.add(mail())
    kind, *check = image.configuration["Healthcheck"]["Test"]
    assert kind == "CMD"
    with running_server([box]) as server:
        account = client("isp", server.address, password=password, more="<maildir>~/Maildir</maildir>")
        write_configuration(config / "tui-popretr/tui-popretr.xml", account, before="<delay_start>0</delay_start>")
        for path in (data, *config.rglob("*")):
            os.chown(path, user, user)
        process = image.start(tmp_path, user)
        try:
            server.wait_for_line(b"DELE" if health == 0 else b"USER")
            wait_for(lambda: image.run(*check, folder=tmp_path, user=user)[0] == health, "the health")
            assert image.run("tui-popretr", "shutdown", folder=tmp_path, user=user)[0] == 0
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    found = [path.read_bytes() for path in data.glob("Maildir/new/*")]
    assert len(found) == (1 if health == 0 else 0)
