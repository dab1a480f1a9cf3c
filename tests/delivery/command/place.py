"""Where a command delivers to, looked at from outside, for the crash tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shlex import quote
from xml.sax.saxutils import quoteattr

from tests.program.site import without_received
from tests.support.waiting import wait_for

_SCRIPT = """\
#!/bin/sh
# Saves a message in the folder $1, and does before what its other files ask for.
cd "$1" || exit 78
asked() { [ -e "$1" ] && mv "$1" "$2"; }
if asked refuse refused; then echo not now; exit 75; fi
if asked kill-before killed-before; then kill -KILL $PPID; fi
cat >unfinished.$$ && mv unfinished.$$ message.$$.$(date +%N) || exit 75
if asked kill-after killed-after; then kill -KILL $PPID; fi
"""


class CommandPlace:
    """A folder into which a command saves messages. `top` is that of the site."""

    can_tell = False

    def __init__(self, top: Path) -> None:
        self._folder = top / "saved"
        self._folder.mkdir(parents=True)
        self._spool = top / "var" / "tmp"
        self._program = top / "save"
        self._program.write_text(_SCRIPT)
        self._program.chmod(0o700)

    @property
    def inside(self) -> str:
        return f"<mda command={quoteattr(f'{quote(str(self._program))} {quote(str(self._folder))}')}/>"

    def as_stored(self, message: bytes) -> list[bytes]:
        return [message.replace(b"\r\n", b"\n")]

    def look(self) -> Counter[bytes]:
        return Counter(without_received(path.read_bytes()) for path in self._folder.glob("message.*"))

    def unfinished(self) -> list[Path]:
        wait_for(lambda: not list(self._folder.glob("unfinished.*")), "the end of a command whose sender was killed")
        return list(self._spool.glob("*"))

    def obstruct(self) -> None:
        self.ask("refuse")

    def mend(self) -> None:
        """It was for one message."""

    def ask(self, what: str) -> None:
        """Have the next run of the command do something: refuse, kill-before, kill-after."""
        (self._folder / what).touch()

    def done(self, what: str) -> bool:
        """Whether it has been done."""
        return (self._folder / what).exists()
