"""The counts of a session, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tui_popretr.errors import RESTS, RETRIED, DeliveryFailed, ExitCode, MessagesSkipped, PopretrError, worst
from tui_popretr.facts import SessionResult
from tui_popretr.wording import plural


@dataclass(slots=True)
class SessionCounters:
    """The counts of a session so far."""

    messages: int = 0  # delivered
    octets: int = 0
    deleted: int = 0
    skipped: int = 0  # left on the server by a rule
    failed: int = 0  # left on the server by an error
    kept: int = 0  # delivered, but cut short, and therefore never deleted
    undeleted: int = 0  # delivered, but their deletion failed
    resting: int = 0  # those of `failed` and `undeleted` that are not tried at the next run
    _worst: PopretrError | None = None  # of the failures
    _undeleted: PopretrError | None = None  # of the first failed deletion

    def deliver(self, octets: int) -> None:
        """Count a message that is durable."""
        self.messages += 1
        self.octets += octets

    def fail(self, problem: PopretrError, *, rests: bool = False) -> None:
        """Count a message that stays on the server because of `problem`; `rests`: it is not tried at the next run."""
        self.failed += 1
        self.resting += rests
        known = self._worst
        if known is None or worst([known.exit_code, problem.exit_code]) is not known.exit_code:
            self._worst = problem

    def fail_deletion(self, problem: PopretrError, *, rests: bool = False) -> None:
        """Count a delivered message that stays on the server because of `problem`."""
        self.undeleted += 1
        self.resting += rests
        self._undeleted = self._undeleted or problem

    def result(self, problem: PopretrError | None, started: datetime, ended: datetime) -> SessionResult:
        """Return the result; `problem` is the error that ended the session early."""
        problem = problem or self._left_behind()
        return SessionResult(
            code=problem.exit_code if problem else ExitCode.OK,
            error=str(problem) if problem else "",
            advice=problem.advice if problem else "",
            started=started,
            ended=ended,
            messages=self.messages,
            octets=self.octets,
            deleted=self.deleted,
            skipped=self.skipped,
            failed=self.failed,
            kept=self.kept,
        )

    def _left_behind(self) -> PopretrError | None:
        """Return the error for messages that failed in a session that otherwise succeeded."""
        if self._worst is None:
            if self._undeleted is None:
                return None
            undeleted = plural(self.undeleted, "message")
            return MessagesSkipped(
                f"{undeleted} could not be deleted from the server: {self._undeleted}", advice=self._advice
            )
        what = plural(self.failed, "message")
        if isinstance(self._worst, DeliveryFailed):  # the destination has to be repaired, so its exit code counts
            return type(self._worst)(f"{what} could not be stored: {self._worst}", advice=self._worst.advice)
        return MessagesSkipped(f"{what} could not be retrieved: {self._worst}", advice=self._advice)

    @property
    def _advice(self) -> str:
        """When what failed is tried again."""
        if not self.resting:
            return RETRIED
        return RESTS if self.resting == self.failed + self.undeleted else f"{RETRIED}; {RESTS}"
