"""A message that waits to be sent: in memory, and beyond that in a file without a name."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import IO

from tui_popretr import faultpoints
from tui_popretr.delivery.errors import delivery_failed
from tui_popretr.errors import DeliveryFailed
from tui_popretr.faultpoints import Step

_PIECE = 64 * 1024


class Spool:
    """Can be read any number of times. For one thread at a time.

    The file has no name in any folder (or loses it at once), so it does not outlive the process.
    """

    __slots__ = ("_chunks", "_file", "_folder", "octets", "pending")

    def __init__(self, folder: str) -> None:
        """`folder` is made on first use, mode 0700."""
        #: All octets, and those that are only in memory.
        self.octets = self.pending = 0
        self._folder = folder
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None

    @property
    def in_file(self) -> bool:
        """Whether pieces() reads a file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Add octets, in memory only."""
        self._chunks.append(data)
        self.pending += len(data)
        self.octets += len(data)

    def spill(self) -> None:
        """Move the octets in memory to the file. Blocking. Raises DeliveryFailed."""
        try:
            if self._file is None:
                os.makedirs(self._folder, 0o700, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - until close()
            data = memoryview(b"".join(self._chunks))
            self._chunks, self.pending = [], 0
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise delivery_failed(error, "keep a message, until it is handed over, in", self._folder) from error
        faultpoints.reached(Step.SPILLED)

    def pieces(self) -> Iterator[bytes]:
        """Yield the message in pieces. Blocking. Raises DeliveryFailed."""
        if self._file is not None:
            offset, end = 0, self.octets - self.pending
            while offset < end:
                piece = self._read(min(_PIECE, end - offset), offset)
                offset += len(piece)
                yield piece
        if self._chunks:
            yield b"".join(self._chunks)

    def file(self) -> IO[bytes]:
        """Return a file with the message, positioned at the start and usable until close().

        write() must not be called any more. Blocking. Raises DeliveryFailed.
        """
        if self._file is None or self._chunks:
            self.spill()
        assert self._file is not None
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Discard the message. May be called again."""
        self._chunks, self.pending, self.octets = [], 0, 0
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _read(self, size: int, offset: int) -> bytes:
        assert self._file is not None
        try:
            piece = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise delivery_failed(error, "read a message again from", self._folder) from error
        if not piece:
            raise DeliveryFailed(f"a message that was kept in {self._folder} is not whole any more")
        return piece
