"""What waits in a lane, taken in turns between the maildrops: who has much keeps nobody else waiting."""

from __future__ import annotations

from collections import OrderedDict, deque

from tui_popretr.commit.pending import PendingDelivery


class FairQueue:
    """Parcels in the order in which they are to be taken: of each maildrop first come, first served."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, deque[PendingDelivery]] = OrderedDict()  # by the journal's number; none is empty

    def __bool__(self) -> bool:
        return bool(self._of)

    def append(self, delivery: PendingDelivery) -> None:
        self._of.setdefault(delivery.record.maildrop, deque()).append(delivery)

    def take(self, most: int) -> list[PendingDelivery]:
        """Remove and return up to so many: half of that at most of a maildrop, then of the next.

        Not one of each: a group has to fsync the folders of all who are in it.
        """
        share = -(-most // 2)
        taken: list[PendingDelivery] = []
        while self._of and len(taken) < most:
            maildrop, deliveries = self._of.popitem(last=False)
            taken += (deliveries.popleft() for _ in range(min(share, most - len(taken), len(deliveries))))
            if deliveries:  # behind all the others
                self._of[maildrop] = deliveries
        return taken
