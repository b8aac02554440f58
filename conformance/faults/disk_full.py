"""The disk of the database full under load, and free again."""

import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

from faults import answers_again, verify
from server import GONE, Client, Server
from writers import Journal, Writers

DISK = "400m"
FULL_FOR_S = 6


def small_disk():
    folder = tempfile.mkdtemp(prefix="bhn-disk-")
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0711", "none", folder], check=True
    )
    return folder


def fill(path):
    """Takes all that is left."""
    piece = b"\0" * (1 << 20)
    with open(path, "ab", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1 << 6):
            try:
                while True:
                    ballast.write(piece[:size])
            except OSError:
                pass


def psql():
    """The client of the server's own installation, or None."""
    found = shutil.which("psql") or next(glob.iglob("/usr/lib/postgresql/*/bin/psql"), None)
    return found


def switch_wal(server):
    """Asks for a new file of the write-ahead log, for which there is no room either: the worst
    that a full disk does, PostgreSQL ends itself."""
    command = [psql(), "-h", server.data / "socket", "-U", "postgres", "-Atc",
               "select pg_switch_wal()"]
    subprocess.run(command, capture_output=True, timeout=30, env={"PGCONNECT_TIMEOUT": "2"})


def run(server, folder, number):
    journal = Journal()
    writers = Writers(server.port, journal, 12, number)
    time.sleep(1.5)
    before = len(journal.acknowledged)
    ballast = os.path.join(folder, "ballast")
    reads, started = {}, time.monotonic()
    client = Client(server.port)
    while time.monotonic() - started < FULL_FOR_S:
        # Also what a restart of the database frees.
        fill(ballast)
        key = next(iter(journal.acknowledged))[0]
        try:
            status = client.send("GET", f"{key}/_history/1").status
        except GONE as error:
            status = repr(error)
        reads[status] = reads.get(status, 0) + 1
        if number % 2 == 0 and psql():
            switch_wal(server)
        time.sleep(0.05)
    refused, during = journal.unavailable, len(journal.acknowledged)
    os.remove(ballast)
    recovered_s = answers_again(server)
    time.sleep(1.5)
    writers.stop()
    after = len(journal.acknowledged)
    count, faults = verify(server, journal, everything=True)
    faults += journal.faults
    if refused == 0:
        faults.append("the disk was never full")
    if after <= during:
        faults.append("nothing was written after the disk was freed")
    faults += [f"a read is answered {status}" for status in reads if status not in (200, 503)]
    print(f"round {number}: {before} writes before, {refused} refused while full, reads {reads}, "
          f"back after {recovered_s:.2f} s, {count} acknowledged in all, {len(faults)} faults")
    for fault in faults[:10]:
        print(f"  {fault}")
    return not faults


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--rounds", type=int, default=4)
    options = arguments.parse_args()
    folder, passed = small_disk(), 0
    server = Server(options.binary, data=os.path.join(folder, "data"))
    server.log_path = os.path.join(tempfile.gettempdir(), f"bhn-disk-full-{os.getpid()}.log")
    try:
        server.start()
        for number in range(1, options.rounds + 1):
            passed += run(server, folder, number)
        print(f"disk full {passed}/{options.rounds}")
    finally:
        server.remove()
        if passed == options.rounds:
            os.remove(server.log_path)
        subprocess.run(["umount", "-l", folder], check=False)
        os.rmdir(folder)
    sys.exit(0 if passed == options.rounds else 1)


if __name__ == "__main__":
    main()
