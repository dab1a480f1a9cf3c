"""Kills processes at random moments: at steps, between them, and after a number of octets received or sent."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Final

from tests.crash.cases import Server
from tests.crash.scene import Scene
from tests.crash.steps import OF_EACH, OF_RECOVERY, OF_THE_END, OF_TROUBLE, is_in
from tests.program.relay import RelayThread
from tests.program.steps import ANY, Orders
from tui_popretr.faultpoints import Step

#: A process is killed within this number of messages, so that some are left for the next one.
_AT_MOST: Final = 200
#: With fewer messages to retrieve, more mail arrives.
_TOO_FEW: Final = 20
#: Typically, for each message: steps, octets received, octets sent.
_STEPS, _OCTETS, _COMMANDS = 7, 25_000, 12
#: Octets sent before the first message is retrieved or deleted.
_LOGIN: Final = 50


class Killer:
    """Kills the processes of a scene. The same `chance` gives the same moments."""

    def __init__(self, scene: Scene, relay: RelayThread, chance: random.Random) -> None:
        self._scene = scene
        self._relay = relay
        self._chance = chance
        steps = [step for step in Step if is_in(step, scene.case)]
        self._steps = [step for step in steps if step not in OF_TROUBLE | OF_RECOVERY]
        self._of_recovery = [step for step in steps if step in OF_RECOVERY]

    def kill(self, kills: int) -> None:
        """Kill `kills` processes, or fewer if the scene is done before."""
        scene, chance = self._scene, self._chance
        for _ in range(3 * kills):
            if scene.kills == kills or scene.done:
                return
            outstanding = scene.lost().total()
            if outstanding < _TOO_FEW:
                scene.add(_AT_MOST)
            if scene.interrupted() and chance.random() < 0.5:
                self._in_recovery()
            else:
                messages = chance.randrange(1, max(2, min(_AT_MOST, outstanding)))
                chance.choice([self._in_step, self._in_step, self._anywhere, self._received, self._sent])(messages)
        raise AssertionError(f"killed only {scene.kills} times")

    def _in_recovery(self) -> None:
        if self._chance.random() < 0.5:
            self._at_step(self._chance.choice(self._of_recovery).name, 1)
        else:
            self._at_step(ANY, self._chance.randrange(1, 8))  # recovery comes first

    def _in_step(self, messages: int) -> None:
        step = self._chance.choice(self._steps)
        if step in OF_THE_END:
            nth = 1
        elif step in OF_EACH:
            nth = messages
        else:  # groups are small where one message comes at a time
            nth = messages % (40 if self._scene.case.server is Server.ONE_BY_ONE else 4) + 1
        self._at_step(step.name, nth)

    def _anywhere(self, messages: int) -> None:
        self._at_step(ANY, messages * _STEPS)

    def _at_step(self, step: str, nth: int) -> None:
        """Kill at a step or up to 20 ms after it, with or without pauses of its threads."""
        chance = self._chance
        shake = chance.randrange(1000) if chance.random() < 0.3 else None
        after = chance.random() ** 2 * 0.02 if chance.random() < 0.5 else None
        self._scene.killed(Orders(step, nth, shake), after=after)

    def _received(self, messages: int) -> None:
        self._by_relay(down=self._chance.randrange(messages * _OCTETS))

    def _sent(self, messages: int) -> None:
        self._by_relay(up=self._chance.randrange(_LOGIN, _LOGIN + messages * _COMMANDS))

    def _by_relay(self, *, down: float = inf, up: float = inf) -> None:
        def arrange(kill: Callable[[], None]) -> None:
            self._relay.call(partial(self._relay.relay.arm, kill, down=down, up=up))

        self._scene.killed_by(arrange, f"{up} octets sent" if down == inf else f"{down} octets received")
