"""The final report on a message: the receipt if all recipients have accepted it, else an error."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from typing import Final

from tui_popretr.delivery.smtp.refusals import Phase, common_refusal
from tui_popretr.delivery.smtp.rounds import Envelope, RecipientOutcome, Rounds
from tui_popretr.errors import DeliveryFailed, PartlyAccepted, SmtpTemporaryFailure
from tui_popretr.smtp import Reply

#: Recipients of a message that an error names.
_NAMED: Final = 10
#: Characters of the audit line's Reply field.
_RECEIPT: Final = 512


def receipt_or_error(name: str, envelope: Envelope, rounds: Rounds) -> str:
    """Return the receipt. Raises PartlyAccepted or another DeliveryFailed unless all have accepted.

    `name` is the server's.
    """
    outcome, left = rounds.outcome, rounds.left
    accepted, refused = outcome.accepted, outcome.refused
    if len(accepted) == len(envelope.recipients):
        return _receipt(accepted.values())
    parts = [f"{each}: {refused[each]}" for each in envelope.recipients if each in refused]
    if outcome.problem is not None:
        parts.append(f"{outcome.problem}, so {_listed(outcome.doubtful)} may have it nevertheless and get it twice")
    if outcome.failure is not None:
        parts.append(str(outcome.failure))
    if left:
        parts.append(f"it was not sent to {_listed(left)}")
    if accepted:
        text = f"{_listed(accepted)} accepted it, others did not: {_listed(parts, '; ')}"
        certain = not (left or outcome.problem or outcome.failure or any(reply.passing for reply in refused.values()))
        for_good = certain and _refused_by_all(text, outcome).refused_for_good
        raise PartlyAccepted(f"{name}: {text}", tuple(accepted), for_good=for_good)
    if outcome.problem is not None:
        raise type(outcome.problem)(_listed(parts, "; "), advice=outcome.problem.advice)
    deferred = any(reply.passing for reply in refused.values())
    if (failure := outcome.failure) is not None:
        kind = SmtpTemporaryFailure if failure.refused_for_good and deferred else type(failure)
        raise kind(_listed(parts, "; "), advice=failure.advice)
    text = f"{name} refused it for {_listed(parts, '; for ')}"
    raise SmtpTemporaryFailure(text) if deferred or left else _refused_by_all(text, outcome)


def _refused_by_all(text: str, outcome: RecipientOutcome) -> DeliveryFailed:
    """Return the error if each recipient is refused for good."""
    replies = (
        (reply, Phase.CONTENT if each in outcome.judged else Phase.RCPT) for each, reply in outcome.refused.items()
    )
    return common_refusal(text, replies, outcome.circumstances)


def _receipt(replies: Iterable[Reply]) -> str:
    """Return the replies as a field of the audit line. The semicolon, which ends a field, is escaped."""
    said = " | ".join(dict.fromkeys(map(str, replies)))
    return "; Reply=" + said[:_RECEIPT].replace(";", "\\x3b")


def _listed(items: Collection[str], between: str = ", ") -> str:
    more = len(items) - _NAMED
    return between.join(itertools.islice(items, _NAMED)) + (f" and {more} more" if more > 0 else "")
