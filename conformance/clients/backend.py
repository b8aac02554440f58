"""fhirpy and fhirclient as SMART backend services.

    python backend.py BASE CLIENT_ID FOLDER_OF_KEYS
"""

import json
import pathlib
import sys
import time
import uuid

import jwt
import requests
from fhirclient import server as smart_server
from fhirclient.models.patient import Patient
from fhirpy import SyncFHIRClient

base, client_id, folder = sys.argv[1:]
key = json.loads((pathlib.Path(folder) / "private.jwk.json").read_text())
smart = requests.get(f"{base}/.well-known/smart-configuration", timeout=10).json()


def token():
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": smart["token_endpoint"],
        "exp": now + 240,
        "iat": now,
        "jti": str(uuid.uuid4()),
    }
    assertion = jwt.encode(
        claims, jwt.PyJWK(key).key, algorithm=key["alg"], headers={"kid": key["kid"]}
    )
    reply = requests.post(
        smart["token_endpoint"],
        data={
            "grant_type": "client_credentials",
            "scope": "system/Patient.cruds",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
        timeout=10,
    )
    assert reply.status_code == 200, reply.text
    return reply.json()["access_token"]


bearer = f"Bearer {token()}"
family = f"Py{uuid.uuid4().hex[:8]}"

client = SyncFHIRClient(base, authorization=bearer)
patient = client.resource("Patient", name=[{"family": family}], gender="female")
patient.save()
found = client.resources("Patient").search(family=family).fetch()
assert [one.id for one in found] == [patient.id]
patient["birthDate"] = "1990-01-02"
patient.save()
print("fhirpy: signed in, created, searched, updated")


class Bearer:
    """What fhirclient's FHIRServer asks of the one that authorizes."""

    ready = True
    state = {}

    def signed_headers(self, headers):
        return {**(headers or {}), "Authorization": bearer}

    def can_sign_headers(self):
        return True


server = smart_server.FHIRServer(None, base_uri=base + "/")
server.auth = Bearer()
read = Patient.read(patient.id, server)
assert read.name[0].family == family
matches = Patient.where({"family": family}).perform_resources(server)
assert [one.id for one in matches] == [patient.id]
print("fhirclient: read, searched")
