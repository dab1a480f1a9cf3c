"""Token files: content, permissions, damage, locks, and a kill at every step."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.process import environment
from tests.support.passwords import MARK, discreet
from tui_popretr.errors import ExitCode, PopretrError, TokenFileDamaged, TokenFileFromFuture, TokenFileUnusable
from tui_popretr.oauth.store import Tokens, TokenStore
from tui_popretr.secret import Secret

KEY: Final = "google-me-0123"
OLD: Final = Tokens(Secret(f"{MARK}-a1"), Secret(f"{MARK}-r1"), 2000.5, ("mail", "x"), "me@example.test", 1000)
NEW: Final = Tokens(Secret(f"{MARK}-a2"), None, None, (), "", 3000.25)


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(str(tmp_path / "var" / "oauth"))


def put(store: TokenStore, content: bytes) -> Path:
    path = Path(store.path(KEY))
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("tokens", [OLD, NEW], ids=["all", "least"])
def test_what_is_saved_is_loaded(store: TokenStore, tokens: Tokens) -> None:
    assert store.load(KEY) is None
    store.save(KEY, tokens)
    assert store.load(KEY) == tokens
    assert store.load("another") is None
    assert os.listdir(store.folder) == [f"{KEY}.json"]


def test_saving_replaces(store: TokenStore) -> None:
    store.save(KEY, OLD)
    store.save(KEY, NEW)
    assert store.load(KEY) == NEW


def test_forgetting(store: TokenStore) -> None:
    store.save(KEY, OLD)
    store.forget(KEY)
    store.forget(KEY)
    assert store.load(KEY) is None


def test_all_is_private(store: TokenStore) -> None:
    before = os.umask(0)
    try:
        store.save(KEY, OLD)
        with store.locked(KEY):
            pass
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in Path(store.folder).iterdir()}
    assert modes == {f"{KEY}.json": 0o600, f"{KEY}.lock": 0o600}
    assert stat.S_IMODE(os.stat(store.folder).st_mode) == 0o700


def test_what_others_can_read_is_made_private(store: TokenStore) -> None:
    store.save(KEY, OLD)
    os.chmod(store.folder, 0o755)
    os.chmod(store.path(KEY), 0o644)
    assert store.load(KEY) == OLD
    assert stat.S_IMODE(os.stat(store.path(KEY)).st_mode) == 0o600
    store.save(KEY, OLD)
    assert stat.S_IMODE(os.stat(store.folder).st_mode) == 0o700


def test_a_link_in_place_of_the_unfinished_file_is_not_followed(store: TokenStore, tmp_path: Path) -> None:
    store.save(KEY, OLD)
    (tmp_path / "precious").write_text("mine")
    os.symlink(tmp_path / "precious", os.path.join(store.folder, f".{KEY}.tmp"))
    store.save(KEY, NEW)
    assert (tmp_path / "precious").read_text() == "mine"
    assert store.load(KEY) == NEW


GOOD: Final[dict[str, Any]] = {
    "version": 1,
    "access": "a",
    "refresh": None,
    "expires": None,
    "scopes": [],
    "account": "",
    "obtained": 1,
}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"{",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b" " * 2_000_000,
        *(
            json.dumps(GOOD | change).encode()
            for change in (
                {"version": "1"},
                {"access": None},
                {"access": ""},
                {"access": "a b\n"},
                {"access": "\ud800"},
                {"refresh": 1},
                {"scopes": "mail"},
                {"scopes": [1]},
                {"account": None},
                {"obtained": None},
                {"obtained": 10**400},
                {"expires": float("nan")},
                {"expires": "soon"},
                {"expires": 9e11},
                {"expires": -1e11},
                {"obtained": True},
            )
        ),
    ],
    ids=range(23),
)
def test_a_damaged_file_is_set_aside(store: TokenStore, content: bytes) -> None:
    path = put(store, content)
    with pytest.raises(TokenFileDamaged) as caught:
        store.load(KEY)
    assert str(caught.value) == f"the token file {path} was damaged and is now {path.with_suffix('.damaged')}"
    assert caught.value.exit_code is ExitCode.LOGIN
    assert path.with_suffix(".damaged").read_bytes() == content
    assert store.load(KEY) is None
    store.save(KEY, NEW)
    assert store.load(KEY) == NEW


def test_the_least_content_is_not_damaged(store: TokenStore) -> None:
    put(store, json.dumps(GOOD | {"added later": 1}).encode())
    assert store.load(KEY) == Tokens(Secret("a"), None, None, (), "", 1)


@given(content=st.binary(max_size=200))
def test_any_content(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    store = TokenStore(str(tmp_path_factory.mktemp("any")))
    put(store, content)
    with pytest.raises(TokenFileDamaged):
        store.load(KEY)


def test_a_damaged_file_stays_while_another_renews(store: TokenStore) -> None:
    path = put(store, b"{")
    with store.locked(KEY), pytest.raises(TokenFileDamaged):
        store.load(KEY)
    assert path.exists()
    with store.locked(KEY), pytest.raises(TokenFileDamaged):
        store.load(KEY, locked=True)
    assert not path.exists()


def test_a_file_of_a_newer_version_stays(store: TokenStore) -> None:
    path = put(store, json.dumps(GOOD | {"version": 2}).encode())
    with pytest.raises(TokenFileFromFuture) as caught:
        store.load(KEY)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert path.exists()


def test_what_belongs_to_another_user(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(KEY, OLD)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.raises(TokenFileUnusable, match="belongs to another user"):
        store.load(KEY)
    with pytest.raises(TokenFileUnusable, match="belongs to another user"):
        store.save(KEY, NEW)
    monkeypatch.undo()
    assert store.load(KEY) == OLD


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_cannot_be_read(store: TokenStore, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    store.save(KEY, OLD)

    def failing(*arguments: object, **others: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(TokenFileUnusable, match=f"the token file .*/{KEY}.json cannot be read: ") as caught:
        store.load(KEY)
    monkeypatch.undo()
    assert caught.value.exit_code is ExitCode.IO_ERROR


def test_a_pipe_is_no_token_file(store: TokenStore) -> None:
    put(store, b"").unlink()
    os.mkfifo(store.path(KEY))
    with pytest.raises(TokenFileUnusable, match="cannot be read"):
        store.load(KEY)


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_full_disk_leaves_the_old_tokens(store: TokenStore, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    store.save(KEY, OLD)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call == "write":
        monkeypatch.setattr(json, "dumps", lambda fields: f"{MARK}" * 100_000)
        import resource

        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    else:
        monkeypatch.setattr(os, call, full)
    try:
        with pytest.raises(TokenFileUnusable, match="cannot be written: ") as caught:
            store.save(KEY, NEW)
    finally:
        if call == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, before)
    monkeypatch.undo()
    discreet(str(caught.value), caught.value.advice)
    assert store.load(KEY) == OLD
    assert os.listdir(store.folder) == [f"{KEY}.json"]


def test_the_lock(store: TokenStore) -> None:
    with store.locked(KEY), store.locked("another"), pytest.raises(BlockingIOError), store.locked(KEY):
        pass
    with store.locked(KEY):
        pass


def test_the_lock_ends_with_its_process(store: TokenStore) -> None:
    code = (
        "import sys, time\nfrom tui_popretr.oauth.store import TokenStore\n"
        "with TokenStore(sys.argv[1]).locked(sys.argv[2]):\n print(flush=True)\n time.sleep(600)"
    )
    command = [sys.executable, "-c", code, store.folder, KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BlockingIOError), store.locked(KEY):
            pass
        process.kill()
        process.wait()
        with store.locked(KEY):
            pass


def test_without_locks_of_the_file_system(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def none(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr(fcntl, "fcntl", none)
    with store.locked(KEY):
        store.save(KEY, OLD)
    assert store.load(KEY) == OLD


# --- kill -9 --------------------------------------------------------------------------------------------------------

_CHILD: Final = """
import os, signal, sys
from tui_popretr.oauth import store as module
from tui_popretr.secret import Secret
folder, action, key, access, fatal = *sys.argv[1:5], int(sys.argv[5])
tokens = module.Tokens(Secret(access), None, None, (), "", 3000.25)
calls = 0
def counted(name, call):
    def counting(*arguments, **others):
        global calls
        calls += 1
        if calls == fatal:
            if name == "write":
                os_write(arguments[0].fileno(), arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **others)
    return counting
os_write = os.write
for name in ("mkdir", "open", "unlink", "rename", "fsync", "close"):
    setattr(os, name, counted(name, getattr(os, name)))
class File:
    def __init__(self, *arguments): self.file = open(*arguments)
    def __enter__(self): return self
    def __exit__(self, *problem): self.file.close()
    def write(self, data): counted("write", lambda file, data: file.write(data))(self.file, data)
    def flush(self): self.file.flush()
module.open = File
store = module.TokenStore(folder)
with store.locked(key):
    if action == "save":
        store.save(key, tokens)
    elif action == "forget":
        store.forget(key)
    else:
        store.load(key, locked=True)
"""


def killed_at(folder: Path, action: str, step: int) -> bool:
    """Whether a process that does this was killed in place of its step."""
    command = [sys.executable, "-c", _CHILD, str(folder), action, KEY, NEW.access.reveal(), str(step)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    discreet(done.stdout, done.stderr)
    if action != "damaged" or done.returncode < 0:
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
def test_a_kill_at_each_step_of_saving(tmp_path: Path, before: Tokens | None) -> None:
    seen, step = set(), 1
    while True:
        store = TokenStore(str(tmp_path / str(step) / "oauth"))
        if before:
            store.save(KEY, before)
        killed = killed_at(Path(store.folder), "save", step)
        found = store.load(KEY)
        assert found in (before, NEW)
        seen.add(found == NEW)
        with store.locked(KEY):  # the next process goes on
            store.save(KEY, OLD)
        assert store.load(KEY) == OLD
        assert f".{KEY}.tmp" not in os.listdir(store.folder)
        if not killed:
            break
        step += 1
    assert found == NEW
    assert seen == {True, False}
    assert step > 6


@pytest.mark.parametrize("action", ["forget", "damaged"])
def test_a_kill_at_each_step_of_removing(tmp_path: Path, action: str) -> None:
    step, killed = 1, True
    while killed:
        store = TokenStore(str(tmp_path / str(step) / "oauth"))
        if action == "damaged":
            put(store, b"{")
        else:
            store.save(KEY, OLD)
        killed = killed_at(Path(store.folder), action, step)
        if action == "damaged":
            names = set(os.listdir(store.folder)) - {f"{KEY}.lock"}
            assert names in ({f"{KEY}.json"}, {f"{KEY}.damaged"})
        else:
            assert store.load(KEY) in (OLD, None)
        step += 1
    assert not os.path.exists(store.path(KEY))
    assert step > 4


def test_errors_are_errors_of_the_program() -> None:
    assert all(issubclass(each, PopretrError) for each in (TokenFileDamaged, TokenFileFromFuture, TokenFileUnusable))
