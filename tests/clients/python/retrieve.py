#!/usr/bin/env python3
"""Finds a person and retrieves their record, with nothing of ours but the contract: what a care app in another language does.

Makes the proof, speaks mutual TLS, reads the stream and checks the seal; prints one JSON document: who it is about, what
is missing, where sources differ on who this is, then heading by heading what every source said, the items, and why there
are none. Of an answer that is no whole record it prints why, and nothing else. Ends with 1 when nobody is found or the
answer is incomplete. The record goes to standard output only.
"""

import argparse
import base64
import hashlib
import importlib
import json
import pathlib
import secrets
import sys
import tempfile
import time
import uuid

import grpc
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from google.protobuf.json_format import MessageToDict
from grpc_tools import protoc

CONTRACT = pathlib.Path(__file__).resolve().parents[3] / "proto/wire/proto"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="the broker's HOST:PORT")
    parser.add_argument("--server-name", help="name in the broker's certificate, where it is not the host's")
    parser.add_argument("--ca", required=True, help="PEM of the authority that signed the broker's certificate")
    parser.add_argument("--cert", required=True, help="PEM of this app's certificate")
    parser.add_argument("--key", required=True, help="PEM of that certificate's key")
    parser.add_argument("--app-key", required=True, help="PEM of the key the user's token is bound to (ES256 or EdDSA)")
    parser.add_argument("--token", required=True, help="file with the user's token")
    parser.add_argument("--purpose", default="direct_care", help="purpose of use: that of the token")
    parser.add_argument("--nhs", required=True, help="the person's NHS number")
    parser.add_argument("--born", required=True, help="the person's birth date, YYYY-MM-DD")
    parser.add_argument("--datasets", default="", help="such as allergies,medications; all where none is named")
    parser.add_argument("--deadline-ms", type=int, default=0, help="0 for the broker's own")
    return parser.parse_args()


def compile_contract():
    """Stubs for `severn.v1`, made now from the .proto files."""
    folder = tempfile.TemporaryDirectory(prefix="severn-stubs-")
    files = [str(path) for path in sorted((CONTRACT / "severn/v1").glob("*.proto"))]
    into = [f"--python_out={folder.name}", f"--grpc_python_out={folder.name}"]
    if protoc.main(["protoc", f"-I{CONTRACT}", *into, *files]) != 0:
        sys.exit("the contract does not compile")
    sys.path.insert(0, folder.name)
    names = ("record_broker_pb2", "record_broker_pb2_grpc", "dataset_pb2", "detail_pb2")
    modules = [importlib.import_module(f"severn.v1.{name}") for name in names]
    folder.cleanup()
    return modules


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_key(path):
    key = load_pem_private_key(pathlib.Path(path).read_bytes(), password=None)
    return key, "ES256" if isinstance(key, EllipticCurvePrivateKey) else "EdDSA"


def public_jwk(key):
    """The public half as a JWK (RFC 7517) of the members that its thumbprint is made of."""
    public = key.public_key()
    if isinstance(key, EllipticCurvePrivateKey):
        numbers = public.public_numbers()
        x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return {"crv": "Ed25519", "kty": "OKP", "x": base64url(public.public_bytes_raw())}


def thumbprint(jwk):
    """The key id by RFC 7638."""
    return base64url(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


def commit(nhs, demographics):
    """A salted commitment to who is meant, so that nobody on the way can swap the person."""
    salt = secrets.token_bytes(16)

    def digest(tag, text):
        return base64url(hashlib.sha256(tag + salt + text.encode()).digest())

    person = {"salt": base64url(salt)}
    if nhs:
        person["nhs"] = digest(b"severn-nhs", "".join(c for c in nhs if c in "0123456789"))
    if demographics and demographics.replaced_nhs_numbers:
        person["replaced"] = [digest(b"severn-nhs", number) for number in demographics.replaced_nhs_numbers]
    family = "".join(c for c in demographics.names[0].family if c.isalpha()).upper() if demographics else ""
    if family and len(demographics.birth_date) == 10:
        person["demographics"] = digest(b"severn-dem", f"{demographics.birth_date}|{family}")
    return person


def make_proof(options, token, query_id, datasets, person):
    """The app's signature over the user's token, query, person, datasets and purpose."""
    key, algorithm = read_key(options.app_key)
    payload = {
        "ath": base64url(hashlib.sha256(token.encode()).digest()), "qid": query_id, "iat": int(time.time()),
        "datasets": datasets, "purpose": options.purpose, "person": person,
    }
    headers = {"typ": "severn-proof+jwt", "kid": thumbprint(public_jwk(key))}
    return jwt.encode(payload, key, algorithm, headers=headers)


def record_digest(sections, ledger):
    """The digest of a record as Seal.digest defines it."""
    digest = hashlib.sha256()
    timeless = type(ledger)()
    timeless.CopyFrom(ledger)
    for row in timeless.rows:
        row.as_of_ms = 0
        row.waited_ms = 0
    for message in [*sections, timeless]:
        # What was sent: this library keeps fields that it does not know, and serialises in the order of their numbers.
        digest.update(hashlib.sha256(message.SerializeToString(deterministic=True)).digest())
    return digest.digest()


def is_meant(options, demographics):
    """Whether this is the person who was asked for: the broker's word is not enough."""
    typed = "".join(c for c in options.nhs if c in "0123456789")
    return typed in (demographics.nhs_number, *demographics.replaced_nhs_numbers) and demographics.birth_date == options.born


def faults(asked, order, parts):
    """Why the answer is not complete; nothing where it is."""
    if order[:1] != ["opened"] or order[-2:] != ["ledger", "seal"] or set(order[1:-2]) - {"section"}:
        return ["the stream is not opened, sections, ledger, seal"]
    (opened,), (ledger,), (seal,), sections = parts["opened"], parts["ledger"], parts["seal"], parts["section"]
    found = []
    if opened.enterprise_id != asked["person"].enterprise_id or not is_meant(asked["options"], opened.golden):
        found.append("it is about another person")
    if {opened.query_id, seal.query_id} != {asked["query_id"]}:
        found.append("it answers another query")
    pairs = {(row.source_id, row.dataset) for row in ledger.rows}
    sources = {row.source_id for row in ledger.rows}
    scope, headings = sorted(asked["numbers"]), sorted(heading.dataset for heading in ledger.headings)
    if not sorted(opened.datasets) == headings == scope or not {section.dataset for section in sections} <= set(scope):
        found.append("it covers other headings than were asked for")
    if len({section.dataset for section in sections}) != len(sections):
        found.append("a section came twice")
    if not len(ledger.rows) == len(pairs) == len(sources) * len(opened.datasets):
        found.append("not every source and heading is accounted for once")
    if (seal.sections, seal.rows) != (len(sections), len(ledger.rows)):
        found.append("the seal counts other sections or rows")
    for name in ("received", "shown", "grouped", "withheld", "rejected"):
        if getattr(seal, name) != sum(getattr(row, name) for row in ledger.rows):
            found.append(f"the seal and the ledger disagree on {name}")
    if seal.received != seal.shown + seal.grouped + seal.withheld + seal.rejected:
        found.append("entries are lost")
    items = [item for section in sections for item in section.items]
    entries = sum(len(item.contributions) for item in items)
    if (seal.shown, seal.shown + seal.grouped) != (len(items), entries):
        found.append("the seal counts other entries than were sent")
    if seal.digest != record_digest(sections, ledger):
        found.append("the digest is of another record")
    return found


def words(error):
    return f"the broker refused or broke off: {error.code().name}: {error.details()}"


def find(stub, broker, options, token):
    proof = make_proof(options, token, str(uuid.uuid4()), [], {"salt": base64url(secrets.token_bytes(16))})
    context = broker.RequestContext(user_token=token, request_proof=proof)
    request = broker.FindPersonRequest(context=context, nhs_number=options.nhs, birth_date=options.born)
    answer = stub.FindPerson(request, timeout=15)
    if answer.resolution != broker.FindPersonResponse.RESOLUTION_ONE:
        name = broker.FindPersonResponse.Resolution.Name(answer.resolution)
        sys.exit(f"no one person is found: {name}")
    if not is_meant(options, answer.candidates[0].golden):
        sys.exit("the broker found another person than was asked for; nothing is shown")
    return answer.candidates[0]


def retrieve(stub, broker, asked, token):
    """What came, part by part: the order of the parts, the parts, and the error that ended them, if one did."""
    options, person = asked["options"], asked["person"]
    meant = commit(person.golden.nhs_number, person.golden)
    proof = make_proof(options, token, asked["query_id"], asked["datasets"], meant)
    context = broker.RequestContext(user_token=token, request_proof=proof)
    request = broker.RetrieveRecordRequest(
        context=context, enterprise_id=person.enterprise_id, deadline_ms=options.deadline_ms
    )
    order, parts = [], {"opened": [], "section": [], "ledger": [], "seal": []}
    try:
        for part in stub.RetrieveRecord(request, timeout=15):
            kind = part.WhichOneof("part") or "unknown"
            order.append(kind)
            parts.setdefault(kind, []).append(getattr(part, kind, None))
    except grpc.RpcError as error:
        return order, parts, words(error)
    return order, parts, None


def plain(message):
    """Every field, also those that say "no" or "none": what is left out could be taken for anything."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def plain_item(item, body_of):
    """An item; what its entries say in detail is opened."""
    shown = plain(item)
    for contribution, entry in zip(shown["contributions"], item.contributions):
        contribution["entry"]["body"] = plain(body_of(entry.entry.body))
    return shown


def record(parts, body_of):
    """The whole record, in the order in which it is to be read: who, what is missing, then heading by heading."""
    ledger, items = parts["ledger"][0], {section.dataset: section.items for section in parts["section"]}

    def under(heading):
        rows = [plain(row) for row in ledger.rows if row.dataset == heading.dataset]
        shown = [plain_item(item, body_of) for item in items.get(heading.dataset, [])]
        return plain(heading) | {"items": shown, "sources": rows}

    return {
        "person": plain(parts["opened"][0].golden),
        "summary": ledger.summary,
        "discrepancies": [plain(discrepancy) for discrepancy in ledger.discrepancies],
        "headings": [under(heading) for heading in ledger.headings],
        "seal": plain(parts["seal"][0]),
    }


def write(document):
    """As ASCII: whatever could drive a terminal or hide in a text is a visible escape, which means the same."""
    print(json.dumps(document, indent=2).replace("\x7f", "\\u007f"))


def main():
    options = arguments()
    broker, services, dataset_words, details = compile_contract()
    token = pathlib.Path(options.token).read_text().strip()
    numbers = {name.removeprefix("DATASET_").lower(): number for name, number in dataset_words.Dataset.items() if number}
    datasets = [word.strip() for word in options.datasets.split(",") if word.strip()] or list(numbers)
    files = [pathlib.Path(path).read_bytes() for path in (options.ca, options.key, options.cert)]
    name = [("grpc.ssl_target_name_override", options.server_name)] if options.server_name else []
    limits = [("grpc.max_receive_message_length", 64 << 20), *name]
    with grpc.secure_channel(options.address, grpc.ssl_channel_credentials(*files), limits) as channel:
        stub = services.RecordBrokerStub(channel)
        try:
            person = find(stub, broker, options, token)
        except grpc.RpcError as error:
            write({"complete": False, "faults": [words(error)]})
            return 1
        asked = {
            "options": options, "person": person, "query_id": str(uuid.uuid4()), "datasets": datasets,
            "numbers": [numbers.get(word) for word in datasets],
        }
        order, parts, error = retrieve(stub, broker, asked, token)
    wrong = [error] if error else faults(asked, order, parts)
    document = {"complete": not wrong, "faults": wrong, "query_id": asked["query_id"]}
    write(document if wrong else document | record(parts, details.EntryBody.FromString))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
