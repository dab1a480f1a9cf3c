"""Retrieving over one connection: a window of commands in flight, deliveries to the committer, DELEs after the commit.

Terms:

- A *job* is what the plan says of one message: Fetch (RETR) or Verify (was it delivered before? Then DELE).
- A command is *in flight* from when it is sent to when its reply is complete. Replies come in order (RFC 2449 §6.8).
- The *window* limits what is in flight (window.py).
- A delivery is *pending* from when it is submitted to the committer to when it is durable and in the journal.
- A message is *held* if the next line of the server has to show whether it is whole (reception.py).

**Three tasks.** Two share the connection, so that neither can block the other. The writer keeps the window full: first
DELEs, then RETR and TOP. It waits on an event that the other tasks set. The reader turns replies into drafts and
submits them (reception.py). The third receives the outcomes of the deliveries, which add DELEs (deliveries.py).

**DELE** is sent only for a message that is durable and recorded, and not after an error of the journal: what is in the
journal must be read again first. QUIT is sent together with the last DELEs, if there is PIPELINING.

**NOOP** is sent if a message is held and no other command is left: a status line in reply shows that the message had
ended. If the connection ends instead, the message is delivered as unproven.

**States.** A retrieval goes only forwards in this table. At the end the pending deliveries are waited for. If the
connection is idle then, quit() follows.

| state      | what happens                                                               | why                  |
|------------|----------------------------------------------------------------------------|----------------------|
| RETRIEVING | the tasks work until the plan is done, or retrieval gives up (deliveries.py) |                      |
| STOPPING   | no further RETR; DRAIN_TIMEOUT seconds for replies in flight               | stop()               |
| BROKEN     | nothing is sent or read; run() raises the error                            | the connection broke |
| ABANDONED  | the same, and a held message is discarded                                  | abandon()            |
"""

from __future__ import annotations

from enum import IntEnum

import trio

from tui_popretr import faultpoints
from tui_popretr.errors import ConnectionCut, PopretrError
from tui_popretr.faultpoints import Step
from tui_popretr.journal.records import Doubt, deletion_key
from tui_popretr.pop3 import BodyChunk, BodyEnd, Event, Quit, Reply
from tui_popretr.session.breaks import Cause, ConnectionBrokeError, Suspect
from tui_popretr.session.connection import Pop3Connection
from tui_popretr.session.deliveries import Deliveries
from tui_popretr.session.matching import KnownMessages
from tui_popretr.session.pipelining import broke_by_pipelining
from tui_popretr.session.plan import Fetch, Listed, Plan, Verify
from tui_popretr.session.reception import Reception
from tui_popretr.session.report import SessionReport
from tui_popretr.session.storage import DeliveryContext
from tui_popretr.session.window import MAX_COMMANDS, Delete, Probe, Sending, Window

#: Seconds that stop() leaves for replies in flight.
DRAIN_TIMEOUT = 8.0
#: Seconds between two reports of progress.
PROGRESS_INTERVAL = 0.25


class State(IntEnum):
    """What a retrieval is doing; the docstring of this module has the transitions."""

    RETRIEVING = 0
    STOPPING = 1
    BROKEN = 2
    ABANDONED = 3


class Retrieval:
    """Does the work of a plan over one connection."""

    def __init__(
        self,
        connection: Pop3Connection,
        plan: Plan,
        context: DeliveryContext,
        report: SessionReport,
        *,
        pipelining: bool,
        deletions_last: bool = False,
    ) -> None:
        """`deletions_last`: send DELE only after everything is retrieved."""
        self._connection = connection
        self._context = context
        self._report = report
        self._known = known = KnownMessages(plan)
        self._window = Window(plan, known, pipelining=pipelining, deletions_last=deletions_last)
        self._wakeup = trio.Event()
        #: What has become of the messages.
        self.deliveries = Deliveries(context, self._window, report)
        self._reception = Reception(context, known, self._window, self.deliveries, report)
        self._replies = 0  # received
        self._quit_reply: Reply | None = None
        self._scope = trio.CancelScope()
        self._state = State.RETRIEVING
        self._problem: PopretrError | None = None  # of BROKEN and ABANDONED
        self._progress_reported = 0.0

    # --- from outside -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Send no further RETR; leave DRAIN_TIMEOUT seconds for what is in flight."""
        self._window.send_no_more_than(Sending.DELETIONS)
        self.deliveries.stop()
        if self._state is State.RETRIEVING:
            self._state = State.STOPPING
            self._scope.deadline = trio.current_time() + DRAIN_TIMEOUT
            self._wakeup.set()

    def abandon(self, problem: PopretrError) -> None:
        """Give up the connection at once; run() raises `problem`."""
        self._end(State.ABANDONED, problem)
        self._scope.cancel()

    def _end(self, state: State, problem: PopretrError) -> None:
        if state >= self._state:
            self._state, self._problem = state, problem

    def broke(self, problem: PopretrError) -> ConnectionBrokeError | None:
        """Return the error with its cause, after run() has raised `problem`; None if the session cannot go on."""
        if (listed := self._cut_short) is not None:
            return ConnectionBrokeError(problem, Cause.CUT_SHORT, Suspect(listed, listed.failure_key, False))
        # A server that has answered more commands than are ever in flight at once supports PIPELINING.
        if self._replies < MAX_COMMANDS and broke_by_pipelining(self._connection):
            return ConnectionBrokeError(problem, Cause.PIPELINING, self._suspect)
        suspect = self._suspect
        return None if suspect is None else ConnectionBrokeError(problem, Cause.MESSAGE, suspect)

    @property
    def _suspect(self) -> Suspect | None:
        """The message whose reply is being received or is next."""
        head = self._window.head
        # With nothing outstanding, the machine has refused to send the command.
        if head is None or isinstance(head, Probe) or not self._connection.machine.outstanding:
            return None
        key, deletion = head.listed.failure_key, not isinstance(head, Fetch)
        return Suspect(head.listed, deletion_key(key) if deletion else key, deletion)

    @property
    def _cut_short(self) -> Listed | None:
        """The message that the server ended too early, if the rest of it broke the connection."""
        return self._reception.short if self._connection.machine.stray_octets else None

    async def run(self) -> bool:
        """Do the work; return whether the connection is idle, so that quit() can follow.

        Raises the error that broke the connection. In every case no delivery is pending on return.
        """
        with self._context.receive_budget, self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read)
                nursery.start_soon(self._take_outcomes)
                try:
                    await self._write()
                except ConnectionCut:
                    # Earlier replies may still arrive; the reader finds the end, and the message at which it came.
                    await trio.sleep_forever()
                except PopretrError as problem:
                    self._end(State.BROKEN, problem)
                nursery.cancel_scope.cancel()
        if self._state is State.ABANDONED or trio.current_time() >= self._scope.deadline:
            # A server or command that hangs would keep the deliveries pending. If only the POP3 connection broke, the
            # message that is being sent is let through; otherwise it would be delivered twice.
            self._context.stop_sending()
            await self._reception.drop_held()
        await self._reception.release(Doubt.SHORT if self._cut_short else Doubt.UNPROVEN)
        await self._reception.discard()
        while self.deliveries.pending:
            await self.deliveries.take_outcomes()
        if self._problem is not None:
            raise self._problem
        return self._window.head is None

    async def quit(self) -> Reply:
        """Send QUIT, if it was not sent with the last DELEs, and return the reply."""
        if self._window.sending is not Sending.QUIT:
            reply = await self._connection.call(Quit())
            assert isinstance(reply, Reply)
            return reply
        while self._quit_reply is None:
            for event in await self._connection.events():
                await self._handle(event)
        return self._quit_reply

    # --- writer -------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while self._problem is None:
            commands = self._window.next_commands(
                received=self._reception.octets,
                undurable=self.deliveries.undurable,
                under_way=self._under_way,
                held=self._reception.holding,
            )
            if commands:
                await self._connection.send(commands)
            elif self._window.finished(under_way=self._under_way):
                return
            else:
                await self._wakeup.wait()
                self._wakeup = trio.Event()

    @property
    def _under_way(self) -> bool:
        """Whether a message was requested that is neither durable nor abandoned yet."""
        return bool(self.deliveries.pending) or self._reception.under_way

    # --- outcomes -----------------------------------------------------------------------------------------------------

    async def _take_outcomes(self) -> None:
        while True:
            await self.deliveries.take_outcomes()
            self._wakeup.set()

    # --- reader -------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        window = self._window
        try:
            while window.head is not None or window.sending is not Sending.QUIT:  # quit() reads the reply to QUIT
                if window.head is None:
                    self._connection.idle()
                for event in await self._connection.events():
                    await self._handle(event)
                self._report_progress()
                self._wakeup.set()
        except PopretrError as problem:
            self._end(State.BROKEN, self._reception.explain(problem, self._connection.machine.buffered))
            self._scope.cancel()

    async def _handle(self, event: Event) -> None:
        if isinstance(event, BodyChunk):
            await self._reception.feed(event)
            return
        if isinstance(event, BodyEnd):
            self._window.answered()
            await self._reception.end(event)
            return
        if not isinstance(event, Reply):
            return
        self._replies += 1
        await self._reception.status_line()
        job = self._window.head
        if job is None:
            self._quit_reply = event
            return
        if event.more:
            assert isinstance(job, Fetch | Verify)
            self._reception.begin(job)
            return
        self._window.answered()
        if isinstance(job, Delete):
            self.deliveries.deletion_answered(job, event)
            faultpoints.reached(Step.DELE_ANSWERED)
        elif isinstance(job, Verify) and self._known.top_suffices(job):  # TOP is optional
            self._known.compare_on_retr(job)
            self._window.retrieve_next(job)
        elif not isinstance(job, Probe):
            self.deliveries.refused(job, event)

    def _report_progress(self) -> None:
        now = trio.current_time()
        if now - self._progress_reported >= PROGRESS_INTERVAL:
            self._progress_reported = now
            self._report.progressed(self.deliveries.messages, self.deliveries.octets + self._reception.octets)
