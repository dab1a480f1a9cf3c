"""How client list, tabs and details share a terminal of a given size. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

#: From this width on, client list and tabs are side by side.
BESIDE: Final = 140
#: Below this height, or this width, one of them is shown at a time.
STACKED_HEIGHT: Final = 18
STACKED_WIDTH: Final = 60
#: From this size on, panes have frames, and a line at the top names the program.
FRAMED_WIDTH: Final = 100
FRAMED_HEIGHT: Final = 30
#: The lines that a frame takes, and the least that the details of a client need below the list.
FRAME: Final = 2
_DETAILS: Final = 8


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


def framed(width: int, height: int) -> bool:
    """Return whether a terminal of this size has room for frames."""
    return width >= FRAMED_WIDTH and height >= FRAMED_HEIGHT


def list_height(clients: int, height: int) -> int:
    """Return the lines of a client list above the tabs: as many as it needs, but less than half of `height`."""
    return max(3, min(clients + 1, height * 9 // 20))


def short_list_height(clients: int, height: int) -> int | None:
    """Return the lines of a client list above the details of a client; None if these have no room in `height`."""
    return clients + 1 if height - clients - 1 >= _DETAILS else None
