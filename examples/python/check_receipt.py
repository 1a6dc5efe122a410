"""Checks a receipt of Quittance without Quittance: hashes, the way up to the signed root, and the signature.

    pip install cryptography
    python check_receipt.py receipt.json [KEY]

KEY is the public key of the bank's log, as the bank publishes it. Without it the key in the receipt is believed, and its
fingerprint printed so that you can compare it.
"""

import base64
import calendar
import hashlib
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data):
    return hashlib.sha256(data).digest()


def microseconds(text):
    """`2026-11-23T17:20:21.000042Z` in microseconds since 1970, exactly."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000 + int(fraction.ljust(6, "0")[:6])


def root_of(index, size, leaf, proof):
    """The root that a leaf and its proof lead to. RFC 9162, 2.1.3.2."""
    if index >= size:
        raise ValueError("the leaf is beyond the tree")
    number, last, root = index, size - 1, leaf
    for other in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if number % 2 == 1 or number == last:
            root = sha256(b"\x01" + other + root)
            while number % 2 == 0 and number != 0:
                number, last = number >> 1, last >> 1
        else:
            root = sha256(b"\x01" + root + other)
        number, last = number >> 1, last >> 1
    if last != 0:
        raise ValueError("the proof is too short")
    return root


def opened(note, key):
    """The size and the root of a note that this key has signed. c2sp.org/signed-note, c2sp.org/tlog-checkpoint."""
    name, key_id, encoded = key.split("+", 2)
    kind_and_key = base64.b64decode(encoded, validate=True)
    if kind_and_key[0] != 1 or sha256(name.encode() + b"\n" + kind_and_key)[:4].hex() != key_id:
        raise ValueError("this is no key")
    text, signatures = note.split("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signed = line.split(" ")
        signed = base64.b64decode(signed, validate=True)
        if dash == "\u2014" and signer == name and signed[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(kind_and_key[1:]).verify(signed[4:], text.encode())
            origin, size, root = text.splitlines()
            if origin != name:
                raise ValueError("the note is another log's")
            return int(size), base64.b64decode(root, validate=True)
    raise ValueError("the key has not signed this note")


def check(receipt, key):
    """What a receipt proves: its answer, and how many answers the signed log has."""
    if receipt["type"] != "quittance.receipt.v1":
        raise ValueError("this is no receipt of a form that we know")
    if receipt["key"] != key:
        raise ValueError("the receipt was signed with another key")
    leaf, body = receipt["leaf"], receipt["answer"]["body"]
    hashed = {"full": "answer_sha256", "shared": "shared_sha256"}[receipt["answer"]["form"]]
    if sha256(body.encode()).hex() != leaf[hashed]:
        raise ValueError("the answer was changed")
    data = (
        bytes.fromhex(leaf["chain_before"])
        + leaf["request_seq"].to_bytes(8, "big")
        + microseconds(leaf["published_at"]).to_bytes(8, "big", signed=True)
        + bytes.fromhex(leaf["request_sha256"])
        + bytes.fromhex(leaf["answer_sha256"])
        + bytes.fromhex(leaf["shared_sha256"])
    )
    size, root = opened(receipt["checkpoint"], key)
    proof = [bytes.fromhex(text) for text in receipt["proof"]]
    if root_of(leaf["request_seq"] - 1, size, sha256(b"\x00" + data), proof) != root:
        raise ValueError("the answer is not in the signed log")
    return json.loads(body), size


with open(sys.argv[1], encoding="utf-8") as file:
    receipt = json.load(file)
key = sys.argv[2] if len(sys.argv) > 2 else receipt["key"]
try:
    answer, size = check(receipt, key)
except (ValueError, KeyError, TypeError, InvalidSignature) as error:
    sys.exit(f"the receipt proves nothing: {error or 'the signature is wrong'}")
print(json.dumps(answer, indent=2))
print(f"is answer {answer['request_seq']} of the {size} that {key.split('+')[0]} has signed.")
fingerprint = sha256(base64.b64decode(key.split("+", 2)[2])[1:]).hex()
print("The SHA-256 of the key:", " ".join(fingerprint[at : at + 8] for at in range(0, 64, 8)))
