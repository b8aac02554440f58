"""A database that goes silent: its machine or the network is lost, so that connections stay
open and nothing more comes over them, while new ones reach its successor."""

import argparse
import os
import selectors
import socket
import sys
import threading
import time
from pathlib import Path

from faults import verify
from server import GONE, Client, Server
from writers import Journal, Writers

# A request that is under way may take this long to be refused.
ANSWERED_WITHIN_S = 35
BUNDLE_ANSWERED_WITHIN_S = 125
RECOVERED_WITHIN_S = 45


class Proxy:
    """Between server and database. `silence` keeps every connection open and passes nothing
    on; connections made after `heal` work, the silent ones stay silent."""

    def __init__(self, target):
        self.target, self.is_silent, self.pairs = str(target), False, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            database = socket.socket(socket.AF_UNIX)
            database.connect(self.target)
            pair = {"silent": self.is_silent}
            self.pairs.append(pair)
            threading.Thread(
                target=self.carry, args=(client, database, pair), daemon=True
            ).start()

    def carry(self, client, database, pair):
        selector = selectors.DefaultSelector()
        selector.register(client, selectors.EVENT_READ, database)
        selector.register(database, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                while pair["silent"]:
                    time.sleep(1)
                try:
                    piece = key.fileobj.recv(1 << 16)
                    if pair["silent"]:
                        continue
                    if not piece:
                        raise OSError
                    key.data.sendall(piece)
                except OSError:
                    client.close()
                    database.close()
                    return

    def silence(self):
        self.is_silent = True
        for pair in self.pairs:
            pair["silent"] = True

    def heal(self):
        self.is_silent = False


def run(server, proxy):
    journal, faults = Journal(), []
    writers = Writers(server.port, journal, 12, "partition", BUNDLE_ANSWERED_WITHIN_S)
    time.sleep(2)
    proxy.silence()
    silent_at = time.monotonic()
    slowest, refused = 0, 0
    while time.monotonic() - silent_at < 5:
        started = time.monotonic()
        try:
            status = Client(server.port, timeout=ANSWERED_WITHIN_S).send("GET", "Patient/x").status
            refused += status == 503
        except GONE as error:
            faults.append(f"a read gets no answer: {error!r}")
        slowest = max(slowest, time.monotonic() - started)
    proxy.heal()
    healed_at, good = time.monotonic(), 0
    while good < 20 and time.monotonic() - healed_at < 3 * RECOVERED_WITHIN_S:
        try:
            status = Client(server.port).send("GET", "Patient/x").status
            good = good + 1 if status == 404 else 0
        except GONE as error:
            faults.append(f"a read gets no answer: {error!r}")
    recovered_s = time.monotonic() - healed_at
    if recovered_s > RECOVERED_WITHIN_S:
        faults.append(f"recovered only after {recovered_s:.0f} s")
    before = len(journal.acknowledged)
    time.sleep(3)
    if len(journal.acknowledged) == before:
        faults.append("nothing is written after the database is back")
    writers.stop()
    count, broken = verify(server, journal, everything=True)
    faults += broken + journal.faults
    print(f"partition: {refused} refused, slowest answer {slowest:.1f} s, back after "
          f"{recovered_s:.1f} s, {count} acknowledged writes, {len(faults)} faults")
    for fault in faults[:10]:
        print(f"  {fault}")
    return not faults


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    options = arguments.parse_args()
    cluster = Server(options.binary)
    is_well = False
    try:
        cluster.start()
        proxy = Proxy(Path(os.path.realpath(cluster.data / "socket")) / ".s.PGSQL.5432")
        url = f"postgres://bhn_fhir@127.0.0.1:{proxy.port}/bhn_fhir?sslmode=disable"
        server = Server(options.binary, data=Path(cluster.folder) / "unused",
                        environment={"DATABASE_URL": url})
        server.start()
        try:
            is_well = run(server, proxy)
        finally:
            server.kill()
        print(f"partition {int(is_well)}/1")
    finally:
        cluster.remove()
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
