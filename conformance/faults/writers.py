"""Clients that write at once, and the record of what the server acknowledged."""

import hashlib
import json
import random
import threading
import time
import uuid

from server import GONE, Client

SYSTEM = "urn:bhn:faults"
# Entries of a transaction that carry its marker.
MARKED = 6
CONTESTED = 5


def content(resource):
    """What a client sent, without what the server adds."""
    kept = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def patient(key, note):
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": key}],
        "name": [{"family": note, "given": ["Amina"]}],
        "birthDate": "1990-05-17",
    }


def observation(key, value):
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": key}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "valueQuantity": {"value": value, "unit": "kg"},
    }


class Journal:
    """Everything acknowledged, and every answer that should not have come."""

    def __init__(self):
        self.lock = threading.Lock()
        # (type/id, version) -> hash of the content, None for a deletion.
        self.acknowledged = {}
        self.fresh = []
        # marker -> whether the transaction was acknowledged
        self.transactions = {}
        self.conditional = set()
        self.faults = []
        self.unavailable = 0
        self.unanswered = 0

    def add(self, key, version, digest):
        with self.lock:
            known = self.acknowledged.get((key, version), digest)
            if known != digest:
                self.faults.append(f"{key} version {version} was acknowledged for two contents")
            if (key, version) not in self.acknowledged:
                self.fresh.append((key, version))
            self.acknowledged[(key, version)] = digest

    def fault(self, text):
        with self.lock:
            self.faults.append(text)


class Writers:
    """Threads that write until told to stop; `is_down` tells them that no answer is expected."""

    def __init__(self, port, journal, count, seed, patience_s=60):
        self.port, self.journal, self.patience_s = port, journal, patience_s
        self.stopping = threading.Event()
        self.is_server_killed = threading.Event()
        works = [self.create, self.update, self.transact, self.create_conditionally,
                 self.contest, self.delete]
        self.threads = [
            threading.Thread(
                target=self.run, args=(works[n % len(works)], random.Random(f"{seed} {n}")),
                daemon=True,
            )
            for n in range(count)
        ]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(timeout=2 * self.patience_s)
            if thread.is_alive():
                self.journal.fault("a request is not answered in time")

    def run(self, work, dice):
        client = Client(self.port, timeout=self.patience_s)
        while not self.stopping.is_set():
            try:
                work(client, dice)
            except GONE as error:
                with self.journal.lock:
                    self.journal.unanswered += 1
                # Only a server that was killed leaves requests unanswered.
                time.sleep(0.02)
                if not self.is_server_killed.is_set():
                    self.journal.fault(f"no answer though the server was not killed: {error!r}")
        client.close()

    def send(self, client, expected, *request, **headers):
        """The reply where it is one of `expected`; None for 503, which is no promise."""
        reply = client.send(*request, **headers)
        if reply.status in expected:
            return reply
        if reply.status == 503:
            with self.journal.lock:
                self.journal.unavailable += 1
            if not reply.headers.get("Retry-After"):
                self.journal.fault(f"503 without Retry-After: {request[:2]}")
            if not reply.body or reply.body.get("resourceType") != "OperationOutcome":
                self.journal.fault(f"503 without OperationOutcome: {reply.bytes[:200]}")
            time.sleep(0.02)
            return None
        self.journal.fault(f"{reply.status} to {request[:2]}: {reply.bytes[:300]}")
        time.sleep(0.1)
        return None

    def acknowledge(self, reply, kind, resource):
        if reply is not None:
            key = f"{kind}/{reply.body['id']}"
            self.journal.add(key, reply.version(), content(resource))
            if content(reply.body) != content(resource):
                self.journal.fault(f"{key} was answered with other content")

    def create(self, client, dice):
        resource = observation(str(uuid.uuid4()), dice.randrange(1000))
        reply = self.send(client, (201,), "POST", "Observation", resource)
        self.acknowledge(reply, "Observation", resource)

    def update(self, client, dice):
        identity = f"u{threading.get_ident() % 100000}-{dice.randrange(20)}"
        resource = {"id": identity} | patient(identity, str(uuid.uuid4()))
        reply = self.send(client, (200, 201), "PUT", f"Patient/{identity}", resource)
        self.acknowledge(reply, "Patient", resource)

    def contest(self, client, dice):
        identity = f"contested-{dice.randrange(CONTESTED)}"
        resource = {"id": identity} | patient(identity, str(uuid.uuid4()))
        reply = self.send(client, (200, 201), "PUT", f"Patient/{identity}", resource)
        self.acknowledge(reply, "Patient", resource)

    def delete(self, client, dice):
        identity = f"d{threading.get_ident() % 100000}-{dice.randrange(10)}"
        resource = {"id": identity} | patient(identity, str(uuid.uuid4()))
        reply = self.send(client, (200, 201), "PUT", f"Patient/{identity}", resource)
        self.acknowledge(reply, "Patient", resource)
        reply = self.send(client, (200, 204), "DELETE", f"Patient/{identity}")
        if reply is not None and reply.version() is not None:
            self.journal.add(f"Patient/{identity}", reply.version(), None)

    def create_conditionally(self, client, dice):
        key = f"c-{int(time.time() * 4)}-{dice.randrange(3)}"
        self.journal.conditional.add(key)
        resource = patient(key, "conditional")
        criteria = f"identifier={SYSTEM}|{key}"
        reply = self.send(
            client, (200, 201), "POST", "Patient", resource, If_None_Exist=criteria
        )
        if reply is not None and reply.status == 201:
            self.acknowledge(reply, "Patient", resource)

    def transact(self, client, dice):
        marker = f"t-{uuid.uuid4()}"
        contested = f"contested-{dice.randrange(CONTESTED)}"
        resources = [patient(marker, str(n)) for n in range(MARKED)]
        entries = [
            {"fullUrl": f"urn:uuid:{uuid.uuid4()}", "resource": resource,
             "request": {"method": "POST", "url": "Patient"}}
            for resource in resources
        ]
        shared = {"id": contested} | patient(contested, marker)
        entries.append(
            {"resource": shared, "request": {"method": "PUT", "url": f"Patient/{contested}"}}
        )
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        self.journal.transactions.setdefault(marker, False)
        reply = self.send(client, (200,), "POST", "", bundle)
        if reply is None:
            return
        self.journal.transactions[marker] = True
        for entry, resource in zip(reply.body["entry"], resources + [shared]):
            _, kind, identity, _, version = ("/" + entry["response"]["location"]).rsplit("/", 4)
            self.journal.add(f"{kind}/{identity}", int(version), content(resource))
