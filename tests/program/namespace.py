"""File systems that only a test and its processes see, in a mount namespace of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Namespace:
    """A mount namespace. It and its mounts last until `holder` ends, at the latest with this process."""

    holder: int

    @property
    def wrapper(self) -> list[str]:
        """The start of a command line whose rest runs in here."""
        return ["nsenter", f"--target={self.holder}", "--mount"]

    def run(self, *command: str) -> None:
        """Run a command in here to its end; it must succeed."""
        done = subprocess.run([*self.wrapper, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def seen(self, path: Path) -> Path:
        """Return the path by which processes outside see a path of this namespace."""
        return Path(f"/proc/{self.holder}/root{path}")


@contextmanager
def new_namespace() -> Iterator[Namespace]:
    """Make a namespace that starts with the mounts of this one."""
    command = ["unshare", "--mount", "sh", "-c", "echo ready; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
            yield Namespace(holder.pid)
        finally:
            holder.kill()


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system in a namespace. `path` is where the program sees it, `seen` where the test does."""

    namespace: Namespace
    path: Path

    @property
    def seen(self) -> Path:
        return self.namespace.seen(self.path)

    def remount(self, options: str) -> None:
        """Change how it is mounted: `ro`, `size=16m`."""
        self.namespace.run("mount", "-o", f"remount,{options}", str(self.path))

    def fill(self, leave: int = 0) -> None:
        """Fill it with a file, except for `leave` octets."""
        filler = self.seen / "filler"
        page = b"x" * 4096
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(page) == len(page):
                    pass
            except OSError:
                file.truncate(file.tell() - leave)

    def relieve(self) -> None:
        """Remove the file that fill() wrote."""
        (self.seen / "filler").unlink()


def new_disk(namespace: Namespace, path: Path, size: str) -> Disk:
    """Create a folder and mount a file system of `size` octets (`64k`, `1m`) there."""
    path.mkdir()
    namespace.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(path))
    return Disk(namespace, path)
