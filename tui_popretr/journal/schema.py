"""The journal's file: its tables, how it is made, and the checks before it is used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Final

from tui_popretr.errors import JournalFromFuture
from tui_popretr.fs.folders import fsync_parent
from tui_popretr.journal.errors import damaged
from tui_popretr.journal.records import EARLIEST, LONGEST_STEP
from tui_popretr.journal.totals_schema import FILL_TOTALS, TOTALS_TABLES

APPLICATION_ID: Final = 0x506F7052  # "PopR"
VERSION: Final = 7

#: Octets. Files up to this size are checked completely at every opening (about 50 ms), larger ones by sample.
FULL_CHECK_LIMIT: Final = 8 * 1024 * 1024

_MAGIC = b"SQLite format 3\x00"
_APPLICATION_ID_AT = slice(68, 72)  # in the file's header, https://www.sqlite.org/fileformat2.html §1.3

# state = 1 is MessageState.DELIVERING. The partial index finds the unfinished records without a scan. A query uses it
# only if its condition is written as here.
_TABLES = """
CREATE TABLE journal (
    id TEXT NOT NULL,
    last_message INTEGER NOT NULL
);
CREATE TABLE maildrop (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    user TEXT NOT NULL,
    destination TEXT NOT NULL,
    UNIQUE (host, port, user, destination)
);
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    client TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    code INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    octets INTEGER NOT NULL,
    error TEXT NOT NULL
);
CREATE INDEX session_by_client ON session (client, id);
CREATE INDEX session_by_end ON session (end);
"""
# `owed` and `settled` are Record.delete_pending and Record.quit_confirmed. `doubt` is records.Doubt.
_MESSAGE = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    maildrop INTEGER NOT NULL REFERENCES maildrop (id),
    uid TEXT,
    octets INTEGER NOT NULL,
    digest BLOB NOT NULL,
    whole INTEGER NOT NULL,
    message_id TEXT,
    date TEXT,
    utf8 INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    owed INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    doubt INTEGER NOT NULL DEFAULT 0,
    born REAL NOT NULL DEFAULT 0,
    tmp TEXT,
    final TEXT,
    audit TEXT,
    time INTEGER NOT NULL,
    absent INTEGER
);
CREATE INDEX message_by_uid ON message (maildrop, uid);
CREATE INDEX message_unfinished ON message (maildrop) WHERE state = 1;
"""
# Failures, by the keys of records.uid_key(), size_key() and deletion_key().
_TROUBLE = """
CREATE TABLE trouble (
    maildrop INTEGER NOT NULL REFERENCES maildrop (id),
    key TEXT NOT NULL,
    octets INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    rejections INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (maildrop, key)
) WITHOUT ROWID;
"""
# Recipients that have accepted a message, until it is delivered to all.
_ACCEPTED = """
CREATE TABLE accepted (
    maildrop INTEGER NOT NULL REFERENCES maildrop (id),
    uid TEXT,
    digest BLOB NOT NULL,
    whole INTEGER NOT NULL,
    message_id TEXT,
    date TEXT,
    address TEXT NOT NULL,
    time INTEGER NOT NULL
);
CREATE INDEX accepted_by_maildrop ON accepted (maildrop);
"""
_ACCEPTED_UTF8 = "ALTER TABLE accepted ADD COLUMN utf8 INTEGER NOT NULL DEFAULT 0;"
# What the receiver of a remote delivery is asked for (Record.mark).
_MARK = "ALTER TABLE message ADD COLUMN mark TEXT;"
# Servers whose PIPELINING failed.
_MANNERS = """
CREATE TABLE manners (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (host, port)
) WITHOUT ROWID;
"""
# Answers to CAPA. `time`: of the last answer, 0 for none; `broke`: when CAPA broke the connection, 0 for never.
_CAPA = """
CREATE TABLE capa (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    utf8 INTEGER NOT NULL,
    mechanisms TEXT NOT NULL,
    time REAL NOT NULL,
    broke REAL NOT NULL,
    PRIMARY KEY (host, port)
) WITHOUT ROWID;
"""
# records.StandingRow and records.HookTime
_STANDING = """
CREATE TABLE standing (
    client TEXT PRIMARY KEY NOT NULL,
    failures INTEGER NOT NULL,
    success INTEGER,
    message INTEGER,
    kept INTEGER NOT NULL,
    since INTEGER
) WITHOUT ROWID;
CREATE TABLE hook (
    client TEXT NOT NULL,
    hook TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (client, hook)
) WITHOUT ROWID;
"""
# records.MaildropClock
_CLOCK = """
ALTER TABLE maildrop ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE maildrop ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE maildrop ADD COLUMN boottime REAL NOT NULL DEFAULT 0;
ALTER TABLE maildrop ADD COLUMN wall REAL NOT NULL DEFAULT 0;
"""
_ALL_TABLES: Final = (
    f"{_TABLES}{_CLOCK}{_MESSAGE}{_MARK}{_TROUBLE}{_ACCEPTED}{_ACCEPTED_UTF8}{_MANNERS}{_CAPA}{_STANDING}"
    f"{TOTALS_TABLES}"
)

# SQLite cannot change a check or a primary key, so the tables are created again. In version 3 a key with a space was a
# size, because no UID of that version had one. The age of a message counts up to one step of the clock
# if the wall clock was set at its retrieval.
_COPIED = (
    "id, maildrop, uid, octets, digest, whole, message_id, date, state, owed, settled, tmp, final, audit, time, absent"
)
_TO_VERSION_4 = f"""
ALTER TABLE message RENAME TO message_3;
DROP INDEX message_by_uid;
DROP INDEX message_unfinished;
{_MESSAGE}
INSERT INTO message ({_COPIED}) SELECT {_COPIED} FROM message_3;
UPDATE message SET born = -max(0, min(strftime('%s', 'now') - time, {LONGEST_STEP})) WHERE time >= {EARLIEST};
{_CLOCK}
DROP TABLE message_3;
ALTER TABLE trouble RENAME TO trouble_3;
{_TROUBLE}
INSERT INTO trouble (maildrop, key, octets, failures, last, reason)
    SELECT maildrop, iif(uid LIKE 'size %', 'size:' || substr(uid, 6), 'uid:' || uid), octets, failures, last, reason
    FROM trouble_3;
DROP TABLE trouble_3;
{_ACCEPTED_UTF8}
{_CAPA}
"""  # noqa: S608 constants
# Standings follow from the past sessions that are kept. A session that was stopped (code 0, with an error) neither
# failed nor succeeded.
_TO_VERSION_5 = f"""
{_STANDING}
INSERT INTO standing (client, failures, success, message, kept, since)
    SELECT session.client, sum(code <> 0 AND session.id > coalesce(good.id, 0)),
        max(iif(code = 0 AND error = '', end, NULL)), max(iif(messages > 0, end, NULL)), 0, min(start)
    FROM session LEFT JOIN
        (SELECT client, max(id) AS id FROM session WHERE code = 0 AND error = '' GROUP BY client) AS good
        ON good.client = session.client
    GROUP BY session.client;
"""  # noqa: S608 constants
#: By version: the script that makes a journal of the next version.
_UPGRADES: Final = {
    1: f"DROP TABLE accepted; {_ACCEPTED}",
    2: _MANNERS,
    3: _TO_VERSION_4,
    4: _TO_VERSION_5,
    5: _MARK,
    6: TOTALS_TABLES + FILL_TOTALS,
}
#: By table: the version that introduced it.
_SINCE: Final = {
    "accepted": 1,
    "capa": 4,
    "delivery": 7,
    "hook": 5,
    "journal": 1,
    "maildrop": 1,
    "manners": 3,
    "message": 1,
    "session": 1,
    "standing": 5,
    "tally": 7,
    "trouble": 1,
}


def create(path: str) -> None:
    """Make an empty journal at `path`, which must not exist. It is durable when it appears there.

    Raises OSError, sqlite3.Error, and JournalDamaged if a write-ahead log shows that there was a journal.
    """
    for suffix in ("-wal", "-shm", "-journal"):
        if os.path.exists(path + suffix):
            raise damaged(path, f"is gone, but {path}{suffix} is still there")
    unfinished = path + ".new"
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished + suffix)
    descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with contextlib.closing(sqlite3.connect(unfinished, isolation_level=None)) as connection:
            use_no_shared_memory(connection)
            # The file is fsynced as a whole before it is renamed.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.executescript(f"BEGIN; {_ALL_TABLES} COMMIT;")
            connection.execute("INSERT INTO journal VALUES (?, 0)", (os.urandom(4).hex(),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fsync_parent(os.path.dirname(path))
    os.rename(unfinished, path)
    fsync_parent(path)


def use_no_shared_memory(connection: sqlite3.Connection) -> None:
    """Keep the index of the write-ahead log in memory, and the file locked. Must be called before the first read.

    Some file systems cannot map files into shared memory, and no other process uses the file. This process must not
    open it elsewhere: closing any descriptor of the file would release SQLite's lock.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def check_before_opening(path: str) -> None:
    """Check the file without SQLite, which may write to what it opens. Raises JournalDamaged, OSError.

    Opening it for writing detects a file that is read-only. SQLite would fail only at the first message.
    """
    with open(path, "r+b") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise damaged(path, "is empty" if not header else "is damaged: it is not an SQLite database")
    if int.from_bytes(header[_APPLICATION_ID_AT], "big") != APPLICATION_ID:
        raise damaged(path, "is an SQLite database of another program, or damaged")


def check_opened(connection: sqlite3.Connection, path: str) -> None:
    """Check version, tables and content. Raises JournalFromFuture, JournalDamaged, sqlite3.Error.

    The cost is bounded: large files are not read completely.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise JournalFromFuture(f"the journal {path} has version {version}; this program knows up to {VERSION}")
    if version < 1:
        raise damaged(path, "is damaged: it has no version")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    expected = {name for name, since in _SINCE.items() if since <= version}
    if not tables.issuperset(expected):
        raise damaged(path, f"is damaged: it lacks the table {min(expected - tables)}")
    if os.path.getsize(path) <= FULL_CHECK_LIMIT:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, f"is damaged: {str(verdict).splitlines()[0]}")
    else:
        for table in expected:
            connection.execute(f"SELECT * FROM {table} LIMIT 100").fetchall()  # noqa: S608 a constant
    if len(connection.execute("SELECT * FROM journal").fetchall()) != 1:
        raise damaged(path, "is damaged: it has no identity")


def upgrade(connection: sqlite3.Connection) -> None:
    """Upgrade the journal of an earlier version. Each step is one transaction. Raises sqlite3.Error."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for before in range(version, VERSION):
        script = f"BEGIN IMMEDIATE; {_UPGRADES[before]} PRAGMA user_version = {before + 1}; COMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                connection.rollback()
            raise
