"""What waits in a lane, taken in turns between the maildrops: who has much keeps nobody else waiting."""

from __future__ import annotations

from collections import OrderedDict, deque

from tui_popretr.commit.pending import Parcel


class Turns:
    """Parcels in the order in which they are to be taken: of each maildrop first come, first served."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, deque[Parcel]] = OrderedDict()  # by the journal's number; none is empty

    def __bool__(self) -> bool:
        return bool(self._of)

    def append(self, parcel: Parcel) -> None:
        self._of.setdefault(parcel.record.maildrop, deque()).append(parcel)

    def take(self, most: int) -> list[Parcel]:
        """Remove and return up to so many: half of that at most of a maildrop, then of the next.

        Not one of each: a group has to fsync the folders of all who are in it.
        """
        share = -(-most // 2)
        taken: list[Parcel] = []
        while self._of and len(taken) < most:
            maildrop, parcels = self._of.popitem(last=False)
            taken += (parcels.popleft() for _ in range(min(share, most - len(taken), len(parcels))))
            if parcels:  # behind all the others
                self._of[maildrop] = parcels
        return taken
