"""How client list and tabs share a terminal of a given size. Pure."""

from __future__ import annotations

from enum import Enum

#: From this width on, client list and tabs are side by side.
BESIDE = 140
#: Below this height, or this width, one of them is shown at a time.
STACKED_HEIGHT = 18
STACKED_WIDTH = 60


class Arrangement(Enum):
    """How client list and tabs share the screen."""

    SINGLE = "single"
    STACKED = "stacked"
    BESIDE = "beside"


def arrangement(width: int, height: int) -> Arrangement:
    """Return the arrangement for a terminal of this size, in cells."""
    if width < STACKED_WIDTH or height < STACKED_HEIGHT:
        return Arrangement.SINGLE
    return Arrangement.BESIDE if width >= BESIDE else Arrangement.STACKED


def list_height(clients: int, height: int) -> int:
    """Return the lines of a client list above the tabs: as many as it needs, but less than half of `height`."""
    return max(3, min(clients + 1, height * 9 // 20))
