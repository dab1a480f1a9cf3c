"""Log files that gzip has compressed, opened like others: their text is in a temporary file while they are read."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import BinaryIO, Final

from tui_popretr.fs.reading import open_regular

#: The end of the name of a compressed file.
SUFFIX: Final = ".gz"
#: Octets of text of a compressed file that are read, at most: a small file may hold terabytes.
LIMIT: Final = 256 * 1024 * 1024
#: Files whose text is kept, for the next chunk of them.
_KEPT: Final = 2
_BLOCK: Final = 1024 * 1024

_Key = tuple[str, int, int, int]
_texts: OrderedDict[_Key, BinaryIO] = OrderedDict()
_lock = threading.Lock()


@contextlib.contextmanager
def open_log(path: str) -> Iterator[BinaryIO]:
    """Open a log file for reading with os.pread(). Raises OSError.

    A compressed file that is damaged or cut short ends where it cannot be read any more.
    """
    with open_regular(path) as file:
        if not path.endswith(SUFFIX):
            yield file
            return
        with open(_text_of(path, file), "rb") as text:
            yield text


def current_name(path: str, files: list[str]) -> str:
    """Return the name that a file has now among `files`: it may have been compressed since."""
    return f"{path}{SUFFIX}" if path not in files and f"{path}{SUFFIX}" in files else path


def _text_of(path: str, file: BinaryIO) -> int:
    """Return a new descriptor of the text of a compressed file."""
    status = os.fstat(file.fileno())
    key = path, status.st_ino, status.st_size, status.st_mtime_ns
    with _lock:
        text = _texts.get(key)
        if text is None:
            _texts[key] = text = _decompress(file)
        _texts.move_to_end(key)
        while len(_texts) > _KEPT:
            _texts.popitem(last=False)[1].close()
        return os.dup(text.fileno())


def _decompress(file: BinaryIO) -> BinaryIO:
    text = tempfile.TemporaryFile()  # noqa: SIM115 - it is kept
    left = LIMIT
    with contextlib.suppress(EOFError, zlib.error, gzip.BadGzipFile), gzip.GzipFile(fileobj=file) as packed:
        while left > 0 and (block := packed.read1(min(_BLOCK, left))):
            text.write(block)
            left -= len(block)
    text.flush()
    return text
