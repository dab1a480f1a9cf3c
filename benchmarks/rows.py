"""What is compared with what: each row is one kind of work, done by several clients in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.clients import FETCHMAIL, FETCHMAIL_8, GETMAIL, MPOP, OURS, Client, mpop, ours
from benchmarks.dashboards import daemon, open_dashboard, watched, with_dashboard
from benchmarks.readers import READERS

#: How a client is named that is mpop with as many processes as serve it best.
BEST: Final = "mpop at its best"
#: Of these the best is looked for.
PROCESSES: Final = 8, 16, 32, 64, 128, 200
#: Octets of memory for one mailbox.
_SINGLE: Final = 45_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of work. The first client is the one that is measured, the others are what it is measured against.

    `goals` are the most that its time may be, divided by that of another one; `cpu` and `memory` the most seconds of
    processor time and the most octets, where they are not 0. `milliseconds` is a round trip's time; `best` has mpop,
    with as many processes as serve it best, take part too.
    """

    name: str
    what: str
    corpus: str
    clients: tuple[Client, ...]
    goals: Mapping[str, float] = field(default_factory=dict)
    tls: bool = False
    milliseconds: float = 0.0
    best: bool = False
    cpu: float = 0.0
    memory: int = _SINGLE

    def among(self, names: Sequence[str]) -> Row:
        """The same with fewer to compare with: those whose names begin so."""
        others = tuple(client for client in self.clients[1:] if client.name.startswith((*names, OURS)))
        return replace(self, clients=(self.clients[0], *others), best=self.best and "mpop" in names)

    def encrypted(self, name: str) -> Row:
        """The same with TLS."""
        return replace(self, name=name, what=f"{self.what}, TLS", tls=True)

    def distant(self, milliseconds: float, goals: Mapping[str, float]) -> Row:
        """The same from far away, without the slow ones."""
        return replace(
            self,
            name=f"{self.name}-{milliseconds:.0f}ms",
            what=f"{self.what}, {milliseconds:.0f} ms round trip",
            clients=tuple(client for client in self.clients if client not in (FETCHMAIL, FETCHMAIL_8, GETMAIL)),
            milliseconds=milliseconds,
            goals=goals,
        )


def rows(program: str | None = None) -> dict[str, Row]:
    """Return all of them by name; `program` is ours where it is not the one of this environment."""
    we = ours(program)
    peers = (we, MPOP, FETCHMAIL, GETMAIL)
    small = Row(
        "small",
        "2,000 messages of 4 kB",
        "small",
        peers,
        {"mpop": 0.40, "fetchmail": 1 / 8, "getmail6": 1 / 20},
    )
    mixed = Row(
        "mixed",
        "500 messages, most of about 8 kB, some of 1 to 5 MB",
        "mixed",
        peers,
        {"mpop": 0.80, "fetchmail": 1 / 4, "getmail6": 1 / 4},
    )
    large = Row(
        "large", "20 messages of 25 MB", "large", peers, {"mpop": 1.0, "fetchmail": 1 / 2.5, "getmail6": 1 / 2.5}
    )
    fleet = Row(
        "fleet",
        "200 accounts with 25 messages of 4 kB",
        "fleet",
        (we, mpop(8), FETCHMAIL_8, GETMAIL),
        {"mpop -P 8": 0.85, BEST: 1.0, "fetchmail -P 8": 1 / 8, "getmail6": 1 / 20},
        best=True,
        memory=90_000_000,
    )
    far_fleet = fleet.distant(40, {"mpop -P 8": 0.20, BEST: 1.0})
    all_rows = (
        Row("once-empty", "an empty mailbox", "empty", (we, MPOP), cpu=0.25),
        small,
        small.encrypted("small-tls"),
        small.distant(40, {"mpop": 0.25}),
        small.distant(200, {"mpop": 0.20}),
        *_watched(small, we),
        mixed,
        mixed.encrypted("mixed-tls"),
        large,
        large.encrypted("large-tls"),
        fleet,
        fleet.encrypted("fleet-tls"),
        far_fleet,
        far_fleet.encrypted("fleet-40ms-tls"),
        *_watched(fleet, we),
        Row(
            "fleet-readers",
            f"{fleet.what}, {READERS} readers of the control socket, one of them stopped",
            "fleet",
            (watched(we), daemon(we)),
            {daemon(we).name: 1.05},
            memory=0,
        ),
        Row("growth-2k", "2,000 messages in one mailbox", "growth-a", (we,)),
        Row("growth-20k", "20,000 messages in one mailbox", "growth-b", (we,), memory=0),
        Row("growth-100k", "100,000 messages in one mailbox", "growth-c", (we,), memory=0),
    )
    return {row.name: row for row in all_rows}


def _watched(row: Row, we: Client) -> tuple[Row, Row]:
    """The same with a dashboard beside the same without: the sessions alone, and the whole process."""
    waiting = daemon(we)
    opened = Row(
        f"{row.name}-open",
        f"{row.what}, dashboard open",
        row.corpus,
        (open_dashboard(we), waiting),
        {waiting.name: 1.3},
        memory=0,
    )
    started = Row(
        f"{row.name}-dashboard",
        f"{row.what}, dashboard started",
        row.corpus,
        (with_dashboard(we), we),
        {we.name: 1.3},
        memory=0,
    )
    return opened, started
