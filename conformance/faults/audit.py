"""The audit of a server that is killed: what clients received is in it, once. SECURITY.md, TE-40."""

import argparse
import json
import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from server import GONE, Client, Server

PROCESSES = 2
CLIENTS = 6
PATIENT = {"resourceType": "Patient", "active": True, "gender": "female"}


def ask(worker, port, ids, shared):
    """Asks until told to stop, with several clients; writes down what was received."""
    stop, received, folder = shared
    lines, lock = [], threading.Lock()

    def one(number):
        client, serial = Client(port), 0
        while not stop.is_set():
            serial += 1
            request = f"request-{worker}-{number}-{serial:08}"
            create = serial % 9 == 0
            path = "Patient" if create else [
                f"Patient/{ids[serial % len(ids)]}",
                f"Patient/{ids[serial % len(ids)]}/_history/1",
                "Patient?gender=female&_count=3",
                "Patient/none",
            ][serial % 4]
            try:
                reply = client.send(
                    "POST" if create else "GET", path, PATIENT if create else None,
                    X_Request_Id=request,
                )
            except GONE:
                time.sleep(0.05)
                continue
            # 503 says that nothing was done: where the audit cannot be written, it is not in it.
            if reply.status == 503:
                continue
            with lock:
                lines.append(f"{request} {reply.status}\n")
                with received.get_lock():
                    received.value += 1

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Path(folder, f"received-{worker}").write_text("".join(lines))


def kill(server, dice):
    """Every fourth time with its database, as at a loss of power without one of the disk."""
    server.process.kill()
    if dice.random() < 0.25:
        server.signal_postgres(signal.SIGKILL)
    server.process.wait()
    server.process.stdout.close()
    server.start()


def events(server):
    """Of each request the statuses of its events, and what was created by how many of them."""
    command = [server.binary, "audit", "export", "--data", server.data]
    done = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=server.environment)
    statuses, created, seen = {}, {}, set()
    for line in done.stdout:
        event = json.loads(line)
        place = event["id"].rsplit(".", 1)[0]
        if place in seen:
            continue
        seen.add(place)
        entities = event.get("entity", [])
        named = [e for e in entities if e["type"].get("code") == "XrequestId"]
        request = named[0]["what"]["identifier"]["value"] if named else ""
        status = event.get("outcomeDesc", "HTTP 0").split(" ")[1].rstrip(":;")
        statuses.setdefault(request, []).append(int(status))
        if event["action"] == "C" and event["outcome"] == "0":
            keys = [e["what"]["reference"] for e in entities if "/_history/" in
                    e.get("what", {}).get("reference", "")]
            for key in keys:
                created[key] = created.get(key, 0) + 1
    assert done.wait() == 0, "audit export failed"
    return statuses, created


def check(server, folder):
    """What is wrong, as lines; and how many answers were compared."""
    wrong, compared = [], 0
    verified = subprocess.run(
        [server.binary, "audit", "verify", "--data", server.data],
        capture_output=True, text=True, env=server.environment,
    )
    if verified.returncode != 0:
        wrong.append(f"audit verify: {verified.stdout[-1500:]}{verified.stderr[-500:]}")
    print(verified.stdout.strip().splitlines()[-1:], flush=True)
    statuses, created = events(server)
    for file in Path(folder).glob("received-*"):
        for line in file.read_text().splitlines():
            request, status = line.split(" ")
            compared += 1
            if statuses.get(request) != [int(status)]:
                wrong.append(f"{request}: received {status}, the audit has {statuses.get(request)}")
    twice = [key for key, times in created.items() if times != 1]
    wrong += [f"{key} was created by {created[key]} events" for key in twice]
    return wrong, compared, len(created)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--durability", default="journal", choices=["journal", "strict", "database"])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    environment = {"BHN_AUDIT": "true", "BHN_AUDIT_DURABILITY": options.durability}
    server = Server(options.binary, environment=environment)
    began = time.monotonic()
    try:
        server.start()
        client = Client(server.port)
        ids = [client.send("POST", "Patient", PATIENT).body["id"] for _ in range(20)]
        client.close()
        stop, received = multiprocessing.Event(), multiprocessing.Value("q", 0)
        shared = (stop, received, server.folder)
        workers = [
            multiprocessing.Process(target=ask, args=(number, server.port, ids, shared))
            for number in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        for number in range(1, options.kills + 1):
            goal = options.requests * number // (options.kills + 1)
            while received.value < goal:
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.4))
            kill(server, dice)
            if number % 10 == 0:
                print(f"{number} kills, {received.value} answers", flush=True)
        while received.value < options.requests:
            time.sleep(0.05)
        stop.set()
        for worker in workers:
            worker.join()
        assert server.stop() == 0, "the server did not end well"
        server.start()
        count = Client(server.port).send("GET", "Patient?_summary=count").body["total"]
        assert server.stop() == 0, "the server did not end well"
        wrong, compared, created = check(server, server.folder)
        if created != count:
            wrong.append(f"{count} resources, and {created} of them were created by the audit")
        for line in wrong[:20]:
            print(line)
        seconds = time.monotonic() - began
        print(
            f"{compared} answers, {options.kills} kills, {created} writes, {len(wrong)} "
            f"differences, {seconds:.0f} s"
        )
        return 1 if wrong or not compared else 0
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
