"""The server: a private Dovecot whose maildrops can be put back as they were, as often as one likes."""

from __future__ import annotations

import os
import poplib
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from benchmarks.corpora import Corpus, identify
from tests.support.dovecot import HOST, Dovecot

PASSWORD: Final = "a-benchmark-s"

#: As for a server with many users: processes that wait for them. The mail is in Maildirs that nobody else touches.
_MORE: Final = """
maildir_very_dirty_syncs = yes
service pop3-login {
  process_min_avail = 2
}
service pop3 {
  process_min_avail = 4
}
"""
_BEGUN = re.compile(rb"\bLog(?:in|ged in): user=")  # 2.3, 2.4
_ENDED = re.compile(rb"Logged out .*\bdel=[1-9]")


class Sessions(NamedTuple):
    """How many have logged in, and how many that deleted something have ended."""

    begun: int
    ended: int


class Store(Dovecot):
    """A running one. Mail is best kept where it costs the disk nothing that clients write to: `inside`."""

    def __init__(self, inside: str) -> None:
        super().__init__(inside=inside, more=_MORE)
        self._kept = self._folder / "kept"

    def keep(self, corpus: Corpus) -> dict[str, str]:
        """Make a corpus's messages and put them aside; return what each comes to, by name."""
        contents: dict[str, str] = {}
        for account in corpus.names:
            if not (self._folder / "accounts" / account).exists():
                self.add_user(account, PASSWORD)
            messages = self._kept / account
            messages.mkdir(parents=True, exist_ok=True)
            self._empty(account)
            for message in corpus.of(account):
                self.fill(account, [message])
                name, content = identify(message)
                contents[name] = content
            self.fill(account, [])
            for path in self._files(account):
                os.link(path, messages / path.name)
        return contents

    def forget(self, corpus: Corpus) -> None:
        """Remove what keep() made."""
        for account in corpus.names:
            shutil.rmtree(self._kept / account, ignore_errors=True)
            self._empty(account)

    def reset(self, corpus: Corpus) -> None:
        """Put a corpus's messages into its maildrops, and nothing else; have the server's index ready for them."""
        for account in corpus.names:
            self._empty(account)
            self.fill(account, [])
            target = self._folder / "mail" / account / "cur"
            for path in (self._kept / account).iterdir():
                os.link(path, target / path.name)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._index, corpus.names))

    def left(self, corpus: Corpus) -> int:
        """How many messages are in a corpus's maildrops."""
        return sum(self.count(account) for account in corpus.names)

    def watch_sessions(self) -> Callable[[], Sessions]:
        """Return what tells which sessions there have been since now: the server logs them."""
        path = self._folder / "log"
        at, begun, ended = path.stat().st_size, 0, 0

        def count() -> Sessions:
            nonlocal at, begun, ended
            with path.open("rb") as log:
                log.seek(at)
                # a line may be half written
                whole, end, _ = log.read().rpartition(b"\n")
            at += len(whole) + len(end)
            begun += len(_BEGUN.findall(whole))
            ended += len(_ENDED.findall(whole))
            return Sessions(begun, ended)

        return count

    def _empty(self, account: str) -> None:
        for part in ("mail", "index"):
            shutil.rmtree(self._folder / part / account, ignore_errors=True)

    def _index(self, account: str) -> None:
        server = poplib.POP3(HOST, self.port, timeout=600)
        server.user(account)
        server.pass_(PASSWORD)
        server.uidl()
        server.list()
        server.quit()
