"""Rounds of load, a kill at a random moment, recovery, and a check of all promises."""

import argparse
import random
import signal
import sys
import threading
import time

from server import GONE, Client, Server
from writers import MARKED, SYSTEM, Journal, Writers, content

WRITERS = 12
RECOVERED_WITHIN_S = 60


def kill_server(server, dice):
    server.kill()
    return server.start()


def kill_all(server, dice):
    """Server and database at once, as a loss of power."""
    server.process.kill()
    server.signal_postgres(signal.SIGKILL)
    server.process.wait()
    server.process.stdout.close()
    return server.start()


def kill_twice(server, dice):
    """Again while the database recovers."""
    server.process.kill()
    server.signal_postgres(signal.SIGKILL)
    server.process.wait()
    server.process.stdout.close()
    try:
        started = time.monotonic()
        threading.Timer(dice.uniform(0.05, 0.6), server_killer(server)).start()
        server.start()
        while server.process.poll() is None and time.monotonic() - started < 5:
            time.sleep(0.01)
    except AssertionError:
        pass
    server.kill()
    return server.start()


def server_killer(server):
    def kill():
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.signal_postgres(signal.SIGKILL)

    return kill


def kill_postmaster(server, dice):
    server.signal_postgres(signal.SIGKILL, [server.postmaster()])
    return answers_again(server)


def kill_postgres(server, dice):
    server.signal_postgres(signal.SIGKILL)
    return answers_again(server)


def kill_backend(server, dice):
    """One backend: the postmaster ends the others and recovers by itself."""
    children = [process for process in server.postgres() if process != server.postmaster()]
    if children:
        server.signal_postgres(signal.SIGKILL, [dice.choice(children)])
    return answers_again(server)


# Name, act, and whether the server itself dies.
KILLS = {
    "server": (kill_server, True),
    "all": (kill_all, True),
    "twice": (kill_twice, True),
    "postmaster": (kill_postmaster, False),
    "postgres": (kill_postgres, False),
    "backend": (kill_backend, False),
}


def answers_again(server):
    """The seconds until a write and a search are answered again, without hands."""
    client, started = Client(server.port), time.monotonic()
    # The database may not have noticed yet; two good answers in a row, a moment apart.
    good = 0
    while good < 2:
        time.sleep(0.1)
        try:
            probe = {"resourceType": "Patient", "id": "probe", "active": True,
                     "name": [{"text": str(time.monotonic())}]}
            written = client.send("PUT", "Patient/probe", probe)
            found = client.send("GET", "Patient?_id=probe")
        except GONE as error:
            raise AssertionError(f"the server does not answer: {error!r}") from error
        for reply in (written, found):
            is_well = reply.status in (200, 201)
            assert is_well or reply.status == 503, f"{reply.status} {reply.bytes[:300]}"
            assert is_well or reply.headers.get("Retry-After"), "503 without Retry-After"
        good = good + 1 if written.status < 300 and found.status < 300 else 0
        assert time.monotonic() - started < RECOVERED_WITHIN_S, "the database stays away"
    return time.monotonic() - started


def verify(server, journal, everything=False):
    """Every promise of this round, or of all rounds."""
    client, faults = Client(server.port), []
    wanted = list(journal.acknowledged) if everything else journal.fresh
    journal.fresh = []
    for key, version in wanted:
        digest = journal.acknowledged[(key, version)]
        reply = client.send("GET", f"{key}/_history/{version}")
        if digest is None:
            if reply.status != 410:
                faults.append(f"{key} version {version} is a deletion, answered {reply.status}")
        elif reply.status != 200:
            faults.append(f"LOST: {key} version {version} is answered {reply.status}")
        elif content(reply.body) != digest:
            faults.append(f"CHANGED: {key} version {version}")
    faults += verify_versions(client, sorted({key for key, _ in wanted}), journal)
    faults += verify_transactions(client, journal)
    faults += verify_conditional(client, journal)
    return len(wanted), faults


def verify_versions(client, keys, journal):
    """Contiguous from 1, and none below what was acknowledged."""
    faults = []
    for key in keys:
        path, versions = f"{key}/_history?_count=1000", []
        while path:
            bundle = client.send("GET", path).body
            for entry in bundle.get("entry", []):
                etag = entry["response"]["etag"]
                versions.append(int(etag.strip('W/"')))
            links = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
            path = links[0].split("/fhir/", 1)[1] if links else None
        if versions != list(range(len(versions), 0, -1)):
            faults.append(f"{key} has versions {versions[:20]}")
    return faults


def verify_transactions(client, journal):
    faults = []
    for marker, is_acknowledged in list(journal.transactions.items()):
        reply = client.send("GET", f"Patient?identifier={SYSTEM}|{marker}&_count=50")
        count = len(reply.body.get("entry", []))
        if count not in (0, MARKED) or (is_acknowledged and count != MARKED):
            faults.append(f"HALF: transaction {marker} left {count} of {MARKED}")
    journal.transactions.clear()
    return faults


def verify_conditional(client, journal):
    faults = []
    for key in list(journal.conditional):
        reply = client.send("GET", f"Patient?identifier={SYSTEM}|{key}")
        count = len(reply.body.get("entry", []))
        if count > 1:
            faults.append(f"TWICE: {count} resources of one conditional create {key}")
    journal.conditional.clear()
    return faults


def run_round(server, journal, name, dice):
    act, is_server_killed = KILLS[name]
    writers = Writers(server.port, journal, WRITERS, dice.random())
    time.sleep(dice.uniform(0.3, 2.0))
    if is_server_killed:
        writers.is_server_killed.set()
        writers.stopping.set()
    recovered_s = act(server, dice)
    if not is_server_killed:
        time.sleep(dice.uniform(0.1, 0.5))
    writers.stop()
    count, faults = verify(server, journal)
    faults += journal.faults
    journal.faults = []
    return count, recovered_s, faults


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=None)
    arguments.add_argument("--only", choices=KILLS, help="one kind of kill")
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    dice, journal, failed = random.Random(seed), Journal(), 0
    print(f"seed {seed}", flush=True)
    server = Server(options.binary)
    try:
        server.start()
        for number in range(1, options.rounds + 1):
            name = options.only or dice.choice(list(KILLS))
            count, recovered_s, faults = run_round(server, journal, name, dice)
            failed += bool(faults)
            print(f"round {number}: {name}, {count} acknowledged writes, "
                  f"back after {recovered_s:.2f} s, {len(faults)} faults", flush=True)
            for fault in faults[:10]:
                print(f"  {fault}", flush=True)
        count, faults = verify(server, journal, everything=True)
        server.stop()
        checked = server.check()
        if checked is not None and checked[0] != 0:
            faults.append(f"bhn-fhir check: {checked[1]}")
        for fault in faults[:20]:
            print(f"  {fault}")
        print(f"check: {'not in this server' if checked is None else checked[0]}; "
              f"{journal.unavailable} answers 503, {journal.unanswered} unanswered")
        failed += bool(faults)
        print(f"faults {options.rounds - min(failed, options.rounds)}/{options.rounds}, "
              f"{count} acknowledged writes")
    finally:
        server.remove() if not failed else server_killer(server)()
        if failed:
            print(f"kept: {server.data.parent}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
