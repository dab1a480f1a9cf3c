"""The queue of a lane, fair between maildrops: a maildrop with many messages does not delay the others."""

from __future__ import annotations

from collections import OrderedDict, deque

from tui_popretr.commit.pending import PendingDelivery


class FairQueue:
    """Pending deliveries; within a maildrop first come, first served."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, deque[PendingDelivery]] = OrderedDict()  # by the maildrop's id; no deque is empty

    def __bool__(self) -> bool:
        return bool(self._of)

    def append(self, delivery: PendingDelivery) -> None:
        self._of.setdefault(delivery.record.maildrop, deque()).append(delivery)

    def take(self, most: int) -> list[PendingDelivery]:
        """Remove and return at most `most` messages, at most half of them from one maildrop.

        Few maildrops in a group are better than many: the folders of each have to be fsynced.
        """
        share = -(-most // 2)
        taken: list[PendingDelivery] = []
        while self._of and len(taken) < most:
            maildrop, deliveries = self._of.popitem(last=False)
            taken += (deliveries.popleft() for _ in range(min(share, most - len(taken), len(deliveries))))
            if deliveries:  # after all others
                self._of[maildrop] = deliveries
        return taken
