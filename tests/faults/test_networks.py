"""Networks that are cut, names that cannot be resolved, servers that are restarted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.nameserver import Mood, name_server
from tests.faults.network import cut, mend
from tests.faults.scene import HIT, OTHER, Scene, mails
from tests.program.namespace import Namespace
from tests.program.relay import Gate, gate_to
from tests.support.dovecot import Dovecot
from tests.support.passwords import PASSWORD
from tests.support.waiting import wait_for

needs_network = pytest.mark.usefixtures("network")


# --- the network ----------------------------------------------------------------------------------------------------


@needs_network
def test_a_cut_longer_than_the_timeout(scene: Scene, gate: Gate) -> None:
    scene.configure_both(address=gate.address, timeout="3s", freq="1s")
    scene.send(HIT, mails(HIT, 20, 20_000))
    gate.shut(after=195_000)
    with scene.running() as process:
        gate.reached()
        wait_for(lambda: scene.deleting(HIT) == 9, "what has come so far")
        cut(gate.port)
        gate.open()
        scene.send(OTHER, mails(OTHER, 5))
        process.wait_for_all("other: 5 messages")
        scene.assert_all(OTHER)
        process.wait_for_all(f"hit: failed: cannot connect to 127.0.0.1 port {gate.port}: network is unreachable")
        said = process.said
        assert "the server has made no progress for 3 s; connecting once more to go on after it" in said, said
        assert "(check the address and port, and whether the server is up)" in process.said
        scene.assert_kept(HIT)
        assert scene.unfinished(HIT) == []
        mend(gate.port)
        wait_for(lambda: scene.left(HIT) == 0, "the rest")
        process.stop()
    scene.assert_all()


@needs_network
def test_a_short_cut(scene: Scene, gate: Gate) -> None:
    """TCP repeats the packets, and the session goes on."""
    scene.configure_both(address=gate.address)
    scene.send(HIT, mails(HIT, 20, 20_000))
    scene.send(OTHER, mails(OTHER, 5))
    gate.shut(after=195_000)
    with scene.running("--once") as process:
        gate.reached()
        cut(gate.port)
        gate.open()
        process.wait_for_all("other: 5 messages")
        mend(gate.port)
        done = process.finish()
    assert done.code == 0, done.err
    scene.assert_all()


@needs_network
def test_no_network(scene: Scene, gate: Gate) -> None:
    scene.configure_both(address=gate.address)
    for name in (HIT, OTHER):
        scene.send(name, mails(name, 5))
    cut(gate.port)
    done = scene.once()
    assert done.code == 69, done.err
    assert f"hit: failed: cannot connect to 127.0.0.1 port {gate.port}: network is unreachable (check" in done.err
    scene.assert_all(OTHER)

    mend(gate.port)
    assert scene.once().code == 0
    scene.assert_all()


# --- names ----------------------------------------------------------------------------------------------------------


@needs_network
def test_names_cannot_be_resolved(scene: Scene, namespace: Namespace, tmp_path: Path) -> None:
    """The resolver is silent, then fails, then works again; the other client does not wait for it."""
    resolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
    for name, text in (("resolv.conf", resolver), ("nsswitch.conf", "hosts: dns\n")):
        (tmp_path / name).write_text(text)
        if Path("/etc", name).exists():  # where there is none, this is what the C library assumes
            namespace.run("mount", "--bind", str(tmp_path / name), f"/etc/{name}")
    scene.configure_both(address=f"pop.example.test:{scene.server.port}", freq="1s")
    unknown = "hit: failed: no address for pop.example.test: temporary failure in name resolution"
    advice = "(check the spelling of the host name and this machine's DNS)"
    with name_server() as server:
        server.mood = Mood.SILENT
        scene.send(HIT, mails(HIT, 5))
        with scene.running(wrapper=namespace.wrapper) as process:
            wait_for(lambda: server.asked, "a question")
            scene.send(OTHER, mails(OTHER, 5))
            process.wait_for_all("other: 5 messages")
            scene.assert_all(OTHER)
            process.wait_for_all(f"{unknown} {advice}")
            server.mood = Mood.FAILING
            process.wait_for_all(unknown, count=process.said.count(unknown) + 2)
            server.mood = Mood.WELL
            process.wait_for_all("hit: 5 messages")
            process.stop()
        scene.assert_all()
        server.mood = Mood.FAILING
        done = scene.once(wrapper=namespace.wrapper)
        assert done.code == 69, done.err


# --- the server -----------------------------------------------------------------------------------------------------


def test_the_server_is_restarted_in_mid_session(scene: Scene, dovecot: Dovecot) -> None:
    user = "faults-restart"
    messages = mails(HIT, 60, 100_000)
    dovecot.add_user(user, PASSWORD)
    dovecot.fill(user, (message.replace(b"\r\n", b"\n") for message in messages))
    for message in messages:
        scene.expect(HIT, message)
    scene.send(OTHER, mails(OTHER, 5))
    with gate_to(dovecot.host, dovecot.port) as gate:
        scene.configure_both(address=gate.address, freq="1s", user=user)
        gate.shut(after=3_000_000)
        with scene.running() as process:
            gate.reached()
            dovecot.stop()
            gate.cut()
            broken = "the server closed the connection in the middle of its answer to RETR"
            process.wait_for_all(f"WARNING hit: {broken}", "; connecting once more to go on after it")
            process.wait_for_all("hit: failed: the server closed the connection before its greeting")
            scene.send(OTHER, mails("other.more", 5))
            process.wait_for_all("other: 5 messages", count=2)
            scene.assert_all(OTHER)
            dovecot.start()
            wait_for(lambda: dovecot.count(user) == 0, "the rest")
            process.stop()
    assert scene.arrived(HIT) == Counter(message.replace(b"\r\n", b"\n") for message in messages)
    assert scene.unfinished(HIT) == []
