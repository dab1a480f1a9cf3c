"""Journals as earlier versions of the program made them: what is in the users' files when they upgrade."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

#: When its messages were retrieved: long ago.
NOW: Final = 1_780_000_000

_TABLES: Final = """
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
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    maildrop INTEGER NOT NULL REFERENCES maildrop (id),
    uid TEXT,
    octets INTEGER NOT NULL,
    digest BLOB NOT NULL,
    whole INTEGER NOT NULL,
    message_id TEXT,
    date TEXT,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    owed INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    tmp TEXT,
    final TEXT,
    audit TEXT,
    time INTEGER NOT NULL,
    absent INTEGER
);
CREATE INDEX message_by_uid ON message (maildrop, uid);
CREATE INDEX message_unfinished ON message (maildrop) WHERE state = 1;
CREATE TABLE trouble (
    maildrop INTEGER NOT NULL REFERENCES maildrop (id),
    uid TEXT NOT NULL,
    octets INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    last INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (maildrop, uid)
) WITHOUT ROWID;
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
_ACCEPTED_1: Final = "CREATE TABLE accepted (message INTEGER NOT NULL, address TEXT NOT NULL);"
_ACCEPTED: Final = """
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
_MANNERS: Final = """
CREATE TABLE manners (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    time REAL NOT NULL,
    PRIMARY KEY (host, port)
) WITHOUT ROWID;
"""
#: What version 4 added: messages that are kept or skipped, rejections, and the clock of deleteafter.
_CHANGES_4: Final = """
ALTER TABLE maildrop ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE maildrop ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE maildrop ADD COLUMN boottime REAL NOT NULL DEFAULT 0;
ALTER TABLE maildrop ADD COLUMN wall REAL NOT NULL DEFAULT 0;
ALTER TABLE accepted ADD COLUMN utf8 INTEGER NOT NULL DEFAULT 0;
CREATE TABLE capa (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    utf8 INTEGER NOT NULL,
    mechanisms TEXT NOT NULL,
    time REAL NOT NULL,
    broke REAL NOT NULL,
    PRIMARY KEY (host, port)
) WITHOUT ROWID;
DROP TABLE message;
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
DROP TABLE trouble;
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
#: What version 5 added: standings, and when hooks have run.
_CHANGES_5: Final = """
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
#: What each version had.
TABLES: Final = {1: _TABLES + _ACCEPTED_1, 2: _TABLES + _ACCEPTED, 3: _TABLES + _ACCEPTED + _MANNERS}
TABLES[4] = TABLES[3] + _CHANGES_4
TABLES[5] = TABLES[4] + _CHANGES_5
# Version 6 added the marks of IMAP and Gmail.
TABLES[6] = TABLES[5] + "ALTER TABLE message ADD COLUMN mark TEXT;"

_COLUMNS: Final = (
    "id, maildrop, uid, octets, digest, whole, message_id, date, state, owed, settled, tmp, final, audit, time, absent"
)
_TROUBLE: Final = f"""
INSERT INTO trouble VALUES (1, 'bad', 9, 2, {NOW}, 'cut');
INSERT INTO trouble VALUES (1, 'size 9', 9, 3, {NOW}, 'refused');
"""
_TROUBLE_4: Final = f"""
INSERT INTO trouble VALUES (1, 'uid:bad', 9, 2, 0, {NOW}, 'cut');
INSERT INTO trouble VALUES (1, 'size:9', 9, 3, 0, {NOW}, 'refused');
UPDATE message SET born = -604800.0;
"""
_ROWS: Final = f"""
INSERT INTO journal VALUES ('0123abcd', 7);
INSERT INTO maildrop (id, host, port, user, destination) VALUES (1, 'pop.example.test', 110, 'me', 'maildir:/mail/me');
INSERT INTO message ({_COLUMNS}) VALUES (1, 1, 'seen', 0, x'', 0, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, {NOW}, NULL);
INSERT INTO message ({_COLUMNS}) VALUES
    (2, 1, 'coming', 102, x'02', 0, 'm2@x', 'today', 1, 1, 0, '/tmp/2', '/new/2', 'audit 2', {NOW}, NULL);
INSERT INTO message ({_COLUMNS}) VALUES
    (3, 1, 'here', 103, x'03', 0, 'm3@x', NULL, 2, 1, 0, NULL, '/new/3', NULL, {NOW}, NULL);
INSERT INTO message ({_COLUMNS}) VALUES
    (4, 1, NULL, 104, x'04', 1, NULL, NULL, 2, 0, 1, NULL, '/new/4', NULL, {NOW}, NULL);
INSERT INTO message ({_COLUMNS}) VALUES
    (5, 1, 'gone', 105, x'05', 0, 'm5@x', NULL, 3, 0, 1, NULL, '/new/5', NULL, {NOW}, {NOW});
INSERT INTO session VALUES (1, 'home', {NOW}, {NOW}, 0, 1, 103, '');
INSERT INTO session VALUES (2, 'work', {NOW}, {NOW} + 9, 77, 0, 0, 'refused');
INSERT INTO session VALUES (3, 'home', {NOW} + 100, {NOW} + 200, 69, 0, 0, 'unreachable');
INSERT INTO session VALUES (4, 'home', {NOW} + 300, {NOW} + 300, 0, 0, 0, 'stopped');
INSERT INTO session VALUES (5, 'home', {NOW} + 400, {NOW} + 500, 75, 2, 7, 'cut');
"""
#: What version 5 made of the sessions when it upgraded an earlier journal.
_STANDINGS_5: Final = f"""
INSERT INTO standing VALUES ('home', 2, {NOW}, {NOW} + 500, 0, {NOW});
INSERT INTO standing VALUES ('work', 1, NULL, NULL, 0, {NOW});
"""


def make(path: str, version: int) -> None:
    """Make the journal of an earlier version, with messages in every state, failures and a session."""
    Path(path).parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES[version] + _ROWS + (_TROUBLE if version < 4 else _TROUBLE_4))
        connection.executescript(_STANDINGS_5 if version >= 5 else "")
        connection.execute("PRAGMA application_id = 1349480530")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA journal_mode = WAL")
