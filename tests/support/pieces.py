"""Ways to cut bytes into pieces, for machines that are fed with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data whole, byte by byte, and in every way cut in two."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


def steps(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut the data into pieces of these sizes, used in turn; 0 is a larger step, to get somewhere."""
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        size = sizes[len(pieces) % len(sizes)] or 40
        pieces.append(data[at : at + size])
        at += size
    return pieces
