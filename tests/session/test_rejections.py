"""When a message that its destination refuses for good is to be saved."""

from __future__ import annotations

import pytest

from tui_popretr.journal.records import MessageFailure, uid_key
from tui_popretr.session.plan import Fetch, Listed, Policy, make_plan

NOW = 1_795_000_000
LISTED = Listed(1, "u1", 1000)


def planned(failures: int, rejections: int) -> Fetch:
    trouble = MessageFailure(uid_key("u1"), 1000, failures, rejections, NOW - 30 * 24 * 3600, "554 spam")
    (job,) = make_plan([LISTED], (), {uid_key("u1"): trouble}, Policy(), NOW, NOW).work
    assert isinstance(job, Fetch)
    return job


@pytest.mark.parametrize(
    ("failures", "rejections", "saved"), [(1, 0, False), (1, 1, False), (5, 1, False), (2, 2, True), (9, 7, True)]
)
def test_only_refusals_for_good_count_towards_saving(failures: int, rejections: int, saved: bool) -> None:
    job = planned(failures, rejections)
    assert (job.rejections, job.refusal) == (rejections, "")
    saving = job.to_save("554 spam")
    assert (saving is not None) is saved
    assert saving is None or (saving.listed, saving.refusal) == (LISTED, "554 spam")


def test_a_new_message_is_never_saved_at_its_first_refusal() -> None:
    (job,) = make_plan([LISTED], (), {}, Policy(), NOW, NOW).work
    assert isinstance(job, Fetch)
    assert job.to_save("554 spam") is None
