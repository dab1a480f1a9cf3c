"""Ways to cut bytes into pieces, for machines that are fed with them."""

from __future__ import annotations

from collections.abc import Iterator


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield the data whole, byte by byte, and in every way cut in two."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
