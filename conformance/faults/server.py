"""The server under test: started, killed, started again; and a small FHIR client."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

FHIR_JSON = "application/fhir+json"
# What a client sees of a server that is gone.
GONE = (ConnectionError, http.client.HTTPException, socket.timeout, OSError)


class Reply:
    """One answer, its body parsed where it is JSON."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.bytes = status, headers, body
        try:
            self.body = json.loads(body) if body else None
        except ValueError:
            self.body = None

    def version(self):
        match = re.fullmatch(r'W/"(\d+)"', self.headers.get("ETag") or "")
        return int(match.group(1)) if match else None


class Client:
    """One connection, opened again where it broke."""

    def __init__(self, port, timeout=60):
        self.port, self.timeout, self.connection = port, timeout, None

    def send(self, method, path, resource=None, **headers):
        """Raises one of GONE where no answer came."""
        body = None if resource is None else json.dumps(resource).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            headers.setdefault("Content-Type", FHIR_JSON)
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=self.timeout
            )
        try:
            target = "/fhir" if path == "" else f"/fhir/{path}"
            self.connection.request(method, target, body, headers)
            answer = self.connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        except GONE:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Server:
    """The real binary on a private data folder."""

    def __init__(self, binary, data=None, environment=None):
        self.binary = Path(binary).resolve()
        self.folder = None
        if data is None:
            self.folder = tempfile.mkdtemp(prefix="bhn-faults-")
            # The cluster's own user passes through where this runs as root.
            os.chmod(self.folder, 0o711)
            data = Path(self.folder) / "data"
        self.data = Path(data)
        self.log_path = self.data.parent / "server.log"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BHN_", "PG")) and name != "DATABASE_URL"
        } | (environment or {})
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self):
        """Returns the seconds until it serves."""
        started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--log", "info",
                 "--listen", f"127.0.0.1:{self.port}", "--insecure-no-auth"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.environment,
            )
        for line in self.process.stdout:
            if b"serves FHIR" in line:
                return time.monotonic() - started
        raise AssertionError(f"the server did not start; {self.log_path} says why")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        return status

    def postmaster(self):
        """None where there is none to be found now."""
        try:
            first = (self.data / "postgres" / "postmaster.pid").read_text().splitlines()[0]
            return int(first)
        except (OSError, ValueError, IndexError):
            return None

    def postgres(self):
        """The postmaster and its children, told by the folder that they work in."""
        home = os.path.realpath(self.data / "postgres")
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.readlink(f"/proc/{entry}/cwd") == home:
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def signal_postgres(self, number, only=None):
        """`only`: these processes. Returns how many were there."""
        sent = 0
        for process in only if only is not None else self.postgres():
            try:
                os.kill(process, number)
                sent += 1
            except (ProcessLookupError, TypeError):
                pass
        return sent

    def check(self):
        """The store's own check, where this server has it; None where it has not."""
        known = subprocess.run([self.binary, "check", "--help"], capture_output=True)
        if known.returncode != 0:
            return None
        done = subprocess.run(
            [self.binary, "check", "--data", self.data], capture_output=True, text=True,
            env=self.environment,
        )
        return done.returncode, (done.stdout + done.stderr)[-2000:]

    def remove(self):
        """Ends what is left and deletes the folder."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.signal_postgres(signal.SIGKILL)
        if self.folder is not None:
            subprocess.run(["rm", "-rf", "--", self.folder], check=False)
