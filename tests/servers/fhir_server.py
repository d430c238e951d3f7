#!/usr/bin/env python3
"""A FHIR R4 REST server to test against: it stores, validates, searches and pages for real.

Independent of the adapter: the models are those of PyPI's fhir.resources, the storage is SQLite. It keeps resources as
the client wrote them (numbers keep their digits) and gives them a version and a time.

    fhir_server.py [--port 0] [--token SECRET] [--slow Type=MILLISECONDS] [--foreign-next Type=URL] [--without Type]
                   [--refuse-patient Type]

It prints "listening on PORT" once it serves. The last four options make it misbehave on purpose.
"""

import argparse
import base64
import json
import re
import sqlite3
import sys
import threading
import time
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from fhir.resources.R4B import get_fhir_model_class

TYPES = """AllergyIntolerance Appointment Binary CarePlan CareTeam ClinicalImpression Condition Consent Device
DeviceUseStatement DiagnosticReport DocumentReference Encounter EpisodeOfCare FamilyMemberHistory Flag Goal Immunization
List Location Medication MedicationRequest MedicationStatement Observation Organization Patient Practitioner Procedure
QuestionnaireResponse RelatedPerson ResearchStudy ResearchSubject RiskAssessment ServiceRequest""".split()

# Search parameters of R4 that hold the person, by the member that holds the reference.
PATIENT_MEMBERS = ("subject", "patient", "individual")

# _include: parameter -> the members that hold the reference.
INCLUDES = {
    "MedicationStatement:medication": ["medicationReference"],
    "MedicationRequest:medication": ["medicationReference"],
    "CareTeam:participant": ["participant", "member"],
    "DeviceUseStatement:device": ["device"],
}

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")
FHIR_JSON = "application/fhir+json; charset=utf-8"


class Refused(Exception):
    """An answer that is an OperationOutcome."""

    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


def keep_digits(body):
    """Parses JSON so that numbers can be written out again as they came."""
    return json.loads(body, parse_float=lambda digits: f"@@number {digits}@@")


def write_out(value):
    return re.sub(r'"@@number ([^"@]+)@@"', r"\1", json.dumps(value, ensure_ascii=False))


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """Resources in SQLite. One connection, one lock: this is a test server."""

    def __init__(self):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.db.executescript(
            """
            CREATE TABLE resource (type TEXT, id TEXT, version INTEGER, updated TEXT, deleted INTEGER, body TEXT,
                                   PRIMARY KEY (type, id));
            CREATE TABLE person (type TEXT, id TEXT, patient TEXT);
            CREATE INDEX person_by_patient ON person (type, patient);
            CREATE TABLE identifier (type TEXT, id TEXT, system TEXT, value TEXT);
            CREATE INDEX identifier_by_value ON identifier (type, value, system);
            """
        )

    def read(self, kind, key):
        with self.lock:
            row = self.db.execute(
                "SELECT body, deleted, version FROM resource WHERE type = ? AND id = ?", (kind, key)
            ).fetchone()
        if row is None:
            raise Refused(404, "not-found", f"no {kind} of this id")
        if row[1]:
            raise Refused(410, "deleted", f"this {kind} was deleted")
        return row[0], row[2]

    def write(self, kind, key, text):
        resource = keep_digits(text)
        validate(kind, text)
        with self.lock:
            row = self.db.execute("SELECT version FROM resource WHERE type = ? AND id = ?", (kind, key)).fetchone()
            version = row[0] + 1 if row else 1
            updated = now()
            resource["id"] = key
            resource["meta"] = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": updated}
            self._keep(kind, key, version, updated, write_out(resource))
            self._index(kind, key, resource)
        return version, row is None

    def write_unchecked(self, kind, key, text):
        """Stores a text as it is: what a server with a fault would hold."""
        with self.lock:
            self._keep(kind, key, 1, now(), text)
            for patient in set(re.findall(r'"Patient/([A-Za-z0-9\-.]+)"', text)):
                self.db.execute("INSERT INTO person VALUES (?, ?, ?)", (kind, key, patient))

    def delete(self, kind, key):
        self.read(kind, key)
        with self.lock:
            self.db.execute(
                "UPDATE resource SET deleted = 1, version = version + 1 WHERE type = ? AND id = ?", (kind, key)
            )
            self._unindex(kind, key)

    def search(self, kind, query):
        """All matches in a stable order, as (id, body)."""
        where, values = ["r.type = ?", "r.deleted = 0"], [kind]
        for name, value in query:
            if name == "patient":
                where.append("EXISTS (SELECT 1 FROM person p WHERE p.type = r.type AND p.id = r.id AND p.patient = ?)")
                values.append(value.removeprefix("Patient/"))
            elif name == "_id":
                keys = value.split(",")
                where.append(f"r.id IN ({','.join('?' * len(keys))})")
                values.extend(keys)
            elif name == "identifier":
                system, value = split_token(value)
                where.append(
                    "EXISTS (SELECT 1 FROM identifier i WHERE i.type = r.type AND i.id = r.id AND i.value = ?"
                    " AND (? IS NULL OR i.system = ?))"
                )
                values.extend([value, system, system])
            elif name == "_lastUpdated":
                prefix = value[:2] if value[:2] in ("eq", "gt", "ge", "lt", "le") else "eq"
                operator = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}[prefix]
                where.append(f"r.updated {operator} ?")
                values.append(value.removeprefix(prefix))
        sql = f"SELECT r.id, r.body FROM resource r WHERE {' AND '.join(where)} ORDER BY r.id"
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def _keep(self, kind, key, version, updated, body):
        self._unindex(kind, key)
        self.db.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?, ?, 0, ?)", (kind, key, version, updated, body))

    def _unindex(self, kind, key):
        self.db.execute("DELETE FROM person WHERE type = ? AND id = ?", (kind, key))
        self.db.execute("DELETE FROM identifier WHERE type = ? AND id = ?", (kind, key))

    def _index(self, kind, key, resource):
        people = [resource.get(member, {}) for member in PATIENT_MEMBERS]
        if kind == "Appointment":
            people += [participant.get("actor", {}) for participant in resource.get("participant", [])]
        for person in people:
            match = re.search(r"(?:^|/)Patient/([A-Za-z0-9\-.]+)", person.get("reference", ""))
            if match:
                self.db.execute("INSERT INTO person VALUES (?, ?, ?)", (kind, key, match.group(1)))
        identifiers = resource.get("identifier", [])
        for one in identifiers if isinstance(identifiers, list) else [identifiers]:
            self.db.execute(
                "INSERT INTO identifier VALUES (?, ?, ?, ?)", (kind, key, one.get("system"), one.get("value"))
            )


def split_token(text):
    """`system|value` with `\\` before the characters that would end a part."""
    parts = re.split(r"(?<!\\)\|", text)
    parts = [re.sub(r"\\([\\|,$])", r"\1", part) for part in parts]
    return (parts[0], parts[1]) if len(parts) == 2 else (None, parts[0])


def validate(kind, text):
    try:
        model = get_fhir_model_class(kind).model_validate_json(text)
    except Exception as error:  # the library raises several kinds
        raise Refused(422, "invalid", f"this is no valid {kind}: {type(error).__name__}") from error
    if model.__class__.__name__ != kind:
        raise Refused(400, "invalid", "the resource is of another type than the address")


def references(resource, members):
    found = [resource]
    for member in members:
        found = [inner for one in found for inner in as_list(one.get(member)) if isinstance(inner, dict)]
    return [one.get("reference", "") for one in found]


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fhir-test-server"
    sys_version = ""

    def do_GET(self):
        self.answer(self.get)

    def do_PUT(self):
        self.answer(self.put)

    def do_POST(self):
        self.answer(self.post)

    def do_DELETE(self):
        self.answer(self.delete)

    def answer(self, act):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length).decode("utf-8")
        try:
            wanted = self.server.options.token
            if wanted and self.headers.get("Authorization") != f"Bearer {wanted}":
                raise Refused(401, "login", "a bearer token is needed")
            act()
        except Refused as refused:
            issue = {"severity": "error", "code": refused.code, "diagnostics": refused.text}
            self.send(refused.status, json.dumps({"resourceType": "OperationOutcome", "issue": [issue]}))
        except BrokenPipeError:
            pass

    def send(self, status, text, headers=()):
        self.send_bytes(status, FHIR_JSON, text.encode("utf-8"), headers)

    def send_bytes(self, status, media_type, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def parts(self):
        address = urlsplit(self.path)
        if not address.path.startswith("/fhir/"):
            raise Refused(404, "not-found", "the base of this server is /fhir")
        parts = [unquote(part) for part in address.path.removeprefix("/fhir/").split("/") if part]
        if parts and parts[0] != "metadata" and parts[0] not in self.server.types:
            raise Refused(404, "not-supported", f"unknown resource type {parts[0]}")
        if len(parts) > 1 and not ID.match(parts[1]):
            raise Refused(400, "invalid", "this is no id")
        return parts, parse_qsl(address.query, keep_blank_values=True)

    def base(self):
        return f"http://{self.headers.get('Host', 'localhost')}/fhir"

    def get(self):
        parts, query = self.parts()
        if parts == ["metadata"]:
            return self.send(200, json.dumps(self.capabilities()))
        if len(parts) == 1:
            return self.search(parts[0], query)
        if len(parts) == 2:
            return self.read(*parts)
        raise Refused(404, "not-supported", "this server keeps no history")

    def read(self, kind, key):
        body, version = self.server.store.read(kind, key)
        wanted = self.headers.get("Accept", "")
        if kind == "Binary" and "fhir+json" not in wanted and "application/json" not in wanted:
            binary = json.loads(body)
            return self.send_bytes(200, binary["contentType"], base64.b64decode(binary["data"]))
        self.send(200, body, [("ETag", f'W/"{version}"')])

    def search(self, kind, query):
        options = self.server.options
        time.sleep(options.slow.get(kind, 0) / 1000)
        known = {"patient", "_id", "identifier", "_lastUpdated", "_count", "_include", "_offset"}
        for name, value in query:
            if name not in known and "strict" in self.headers.get("Prefer", ""):
                raise Refused(400, "not-supported", f"unknown search parameter {name}")
            if name == "patient" and kind in options.refuse_patient:
                raise Refused(400, "not-supported", "this type cannot be searched by patient")
        given = dict(query)
        count, offset = self.number(given.get("_count", "50")), self.number(given.get("_offset", "0"))
        matches = self.server.store.search(kind, query)
        page = matches[offset : offset + count] if count else []
        entries = [self.entry(kind, key, body, "match") for key, body in page]
        entries += self.included(page, [value for name, value in query if name == "_include"])
        links = [{"relation": "self", "url": f"{self.base()}/{kind}?{self.query(query, offset)}"}]
        if count and offset + count < len(matches):
            url = f"{self.base()}/{kind}?{self.query(query, offset + count)}"
            links.append({"relation": "next", "url": options.foreign_next.get(kind, url)})
        head = json.dumps(
            {"resourceType": "Bundle", "id": str(uuid.uuid4()), "type": "searchset", "total": len(matches), "link": links}
        )
        self.send(200, f'{head[:-1]}, "entry": [{", ".join(entries)}]}}')

    def entry(self, kind, key, body, mode):
        return f'{{"fullUrl": "{self.base()}/{kind}/{key}", "search": {{"mode": "{mode}"}}, "resource": {body}}}'

    def included(self, page, wanted):
        entries, seen = [], set()
        for include in wanted:
            for _, body in page:
                try:
                    targets = references(json.loads(body), INCLUDES.get(include, ["?"]))
                except ValueError:
                    continue
                for target in targets:
                    kind, _, key = target.partition("/")
                    if target in seen or kind not in self.server.types:
                        continue
                    seen.add(target)
                    try:
                        entries.append(self.entry(kind, key, self.server.store.read(kind, key)[0], "include"))
                    except Refused:
                        pass
        return entries

    def query(self, query, offset):
        kept = [(name, value) for name, value in query if name != "_offset"] + [("_offset", str(offset))]
        return "&".join(f"{quote(name)}={quote(value)}" for name, value in kept)

    def number(self, text):
        if not text.isdigit():
            raise Refused(400, "invalid", "_count and _offset are numbers")
        return int(text)

    def put(self):
        parts, _ = self.parts()
        if len(parts) != 2:
            raise Refused(400, "invalid", "PUT needs a type and an id")
        if self.headers.get("X-Unchecked") == "yes":
            self.server.store.write_unchecked(*parts, self.body)
            return self.send(201, "{}")
        self.stored(*parts)

    def post(self):
        parts, _ = self.parts()
        if len(parts) != 1:
            raise Refused(400, "invalid", "POST needs a type")
        self.stored(parts[0], str(uuid.uuid4()))

    def stored(self, kind, key):
        try:
            version, created = self.server.store.write(kind, key, self.body)
        except ValueError as error:
            raise Refused(400, "structure", "the body is no JSON") from error
        body, _ = self.server.store.read(kind, key)
        place = f"{self.base()}/{kind}/{key}/_history/{version}"
        self.send(201 if created else 200, body, [("Location", place), ("ETag", f'W/"{version}"')])

    def delete(self):
        parts, _ = self.parts()
        self.server.store.delete(*parts)
        self.send(200, json.dumps({"resourceType": "OperationOutcome", "issue": []}))

    def capabilities(self):
        interactions = [{"code": code} for code in ("read", "create", "update", "delete", "search-type")]
        resources = [{"type": kind, "interaction": interactions} for kind in self.server.types]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": now(),
            "kind": "instance",
            "software": {"name": "fhir-test-server"},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [{"mode": "server", "resource": resources}],
        }

    def log_message(self, *_):
        pass


def pairs(values, read=str):
    return {kind: read(value) for kind, _, value in (one.partition("=") for one in values)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="")
    parser.add_argument("--slow", action="append", default=[])
    parser.add_argument("--foreign-next", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--refuse-patient", action="append", default=[])
    options = parser.parse_args()
    options.slow, options.foreign_next = pairs(options.slow, int), pairs(options.foreign_next)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.options, server.store = options, Store()
    server.types = [kind for kind in TYPES if kind not in options.without]
    # Ends with whoever started it, even if that was killed: the other end of standard input closes then.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    print(f"listening on {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
