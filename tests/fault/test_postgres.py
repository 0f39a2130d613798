"""F10, F11: PostgreSQL stops, freezes or moves, and the network to it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests import postgres
from tests.e2e.service import Service, free_port
from tests.fault.relay import Relay
from tests.fault.tools import needs, needs_root
from tests.fault.traffic import ATTEMPT_S, RECOVERY_S, survived, traffic
from tests.load import Load
from tests.small import small_models

N_CLIENTS = 4
FROZEN_S = 10.0
HELD_S = 8.0
NEAR, FAR = "10.77.{}.1", "10.77.{}.2"
LOSS = (
    "add table inet loss",
    "add chain inet loss in { type filter hook input priority 0; }",
    "add rule inet loss in numgen random mod 10 < 3 drop",
)


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A server of its own, and listening beyond the loopback for whom a namespace is made."""
    running = postgres.a_server(listen_addresses="*")
    yield running
    running.close()


@pytest.fixture
def relay(server: postgres.Server) -> Iterator[Relay]:
    with closing(Relay(("127.0.0.1", server.port))) as made:
        yield made


def a_service(folder: Path, server: postgres.Server, *, host: str, port: int) -> Service:
    url = server.new("ledger").replace(f"127.0.0.1:{server.port}", f"{host}:{port}")
    return Service(folder / "home", small_models(folder), LOANSVC_DATABASE_URL=url)


@pytest.fixture
def service(tmp_path: Path, server: postgres.Server, relay: Relay) -> Iterator[Service]:
    running = a_service(tmp_path, server, host="127.0.0.1", port=relay.port).start()
    yield running
    running.close()


class Faults:
    """What was done to the database under traffic, and how soon it was decided again."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.ended: dict[str, float] = {}

    def over(self, name: str) -> None:
        """That fault has ended; wait as long as recovery may take."""
        self.ended[name] = time.monotonic()
        time.sleep(RECOVERY_S)

    def said(self) -> str:
        """Seconds to the next decision after each."""
        after = {name: self._load.first_answer_after(at) for name, at in self.ended.items()}
        assert max(after.values()) <= RECOVERY_S, after
        return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in after.items())


@pytest.mark.faults("F10", within_s=240)
def test_postgresql_stops_freezes_and_moves(
    service: Service, server: postgres.Server, relay: Relay, measured: Callable[[str], None]
) -> None:
    with traffic(service, n_clients=N_CLIENTS) as load:
        faults = Faults(load)
        time.sleep(2)
        server.stop(signal.SIGQUIT)
        time.sleep(3)
        assert service.get("/healthz", timeout_s=2).status == 200
        server.start()
        faults.over("stopped at once, started")
        frozen = server.processes()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        for pid in frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        faults.over(f"frozen for {FROZEN_S:.0f} s")
        server.stop(signal.SIGINT)
        server.port = free_port()
        server.start()
        relay.to = ("127.0.0.1", server.port)
        faults.over("moved to another port")
    slowest = max(a.seconds for a in load.attempts)
    assert slowest < ATTEMPT_S, "nobody may wait for the database for long"
    measured(f"{survived(service, load)}; decides again: {faults.said()}; slowest answer of any "
             f"kind {slowest:.1f} s")  # fmt: skip


@pytest.mark.faults("F11", within_s=240)
def test_the_network_is_slow_silent_or_cut(
    service: Service, relay: Relay, measured: Callable[[str], None]
) -> None:
    with traffic(service, n_clients=N_CLIENTS) as load:
        faults = Faults(load)
        relay.delay_s = 0.5
        time.sleep(HELD_S)
        relay.delay_s = 0.0
        faults.over("half a second each way")
        relay.holds = True
        time.sleep(HELD_S)
        assert service.get("/healthz", timeout_s=2).status == 200
        relay.cut()
        relay.holds = False
        faults.over("silent")
        for _ in range(20):
            relay.cut()
            time.sleep(0.2)
        faults.over("cut 20 times")
    slowest = max(a.seconds for a in load.attempts)
    measured(f"{survived(service, load)}; decides again: {faults.said()}; slowest answer of any "
             f"kind {slowest:.1f} s")  # fmt: skip


@pytest.fixture
def lossy(server: postgres.Server) -> Iterator[tuple[str, int]]:
    """Host and port of the server behind a network namespace that loses 3 packets of 10."""
    needs_root()
    needs("ip", "nft")
    name, n = f"loansvc{os.getpid()}", os.getpid() % 250
    near, far, link = NEAR.format(n), FAR.format(n), f"l{os.getpid()}"
    inside = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            f"ip link add {link}a type veth peer name {link}b netns {name}",
            f"ip addr add {near}/30 dev {link}a",
            f"ip link set {link}a up",
            f"ip netns exec {name} ip addr add {far}/30 dev {link}b",
            f"ip netns exec {name} ip link set {link}b up",
        ):
            subprocess.run(command.split(), check=True)
        with (server.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {near}/30 scram-sha-256\n")
        server.signal(signal.SIGHUP)
        relay = subprocess.Popen(
            [*inside, sys.executable, "-m", "tests.fault.relay", far, "0", near, str(server.port)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert relay.stdout is not None
        port = int(relay.stdout.readline())
        yield far, port
        relay.kill()
        relay.communicate()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.faults("F11", within_s=120)
def test_three_packets_of_ten_are_lost(
    tmp_path: Path, server: postgres.Server, lossy: tuple[str, int],
    measured: Callable[[str], None],
) -> None:  # fmt: skip
    host, port = lossy
    service = a_service(tmp_path, server, host=host, port=port).start()
    inside = ["ip", "netns", "exec", f"loansvc{os.getpid()}", "nft"]
    try:
        with traffic(service, n_clients=N_CLIENTS) as load:
            faults = Faults(load)
            for rule in LOSS:
                subprocess.run([*inside, rule], check=True)
            time.sleep(HELD_S)
            subprocess.run([*inside, "delete table inet loss"], check=True)
            faults.over("30 % lost")
        measured(f"{survived(service, load)}; decides again: {faults.said()}")
    finally:
        service.close()
