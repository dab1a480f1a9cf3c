"""The tables of JournalTotals: sums by hour and day, the latest deliveries, and how long sessions took."""

from __future__ import annotations

from typing import Final

#: `daily` 0: `begin` is the epoch second at which an hour of local time began. `daily` 1: it is a day of local time, as
#: the number of days since 1970-01-01. The client "" has the sums of all: to add them up takes too long.
TOTALS_TABLES: Final = """
CREATE TABLE tally (
    client TEXT NOT NULL,
    daily INTEGER NOT NULL,
    begin INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    PRIMARY KEY (client, daily, begin)
) WITHOUT ROWID;
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    client TEXT NOT NULL,
    run INTEGER NOT NULL,
    time REAL NOT NULL,
    number INTEGER NOT NULL,
    uid TEXT,
    octets INTEGER NOT NULL,
    destination TEXT NOT NULL,
    path TEXT,
    message_id TEXT,
    sender TEXT,
    name TEXT,
    subject TEXT
);
ALTER TABLE session ADD COLUMN seconds REAL;
"""
# The times that SQLite has dates for.
_DATED: Final = "end BETWEEN 0 AND 253402300799"
_LOCAL: Final = "CAST(strftime('%s', end, 'unixepoch', 'localtime') AS INTEGER)"
_SUMS: Final = "count(*), sum(code <> 0), sum(messages), sum(octets)"
#: Fills the tables of an earlier version: totals follow from the past sessions that are kept.
FILL_TOTALS: Final = "".join(
    f"""
INSERT INTO tally SELECT {client}, 1, {_LOCAL} / 86400, {_SUMS} FROM session
    WHERE {_DATED} AND client <> '' GROUP BY 1, 3;
INSERT INTO tally SELECT {client}, 0, end - {_LOCAL} % 3600, {_SUMS} FROM session
    WHERE {_DATED} AND client <> '' AND end > CAST(strftime('%s', 'now') AS INTEGER) - 172800 GROUP BY 1, 3;
"""  # noqa: S608 constants
    for client in ("client", "''")
)
