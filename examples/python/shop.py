"""A shop in Python: pays over HTTP and over NATS, reads its answers durably, and checks a receipt.

../README.md says what it needs: `pip install -r requirements.txt` and the variables below.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import nats
from nats.errors import TimeoutError

URL = os.environ["QUITTANCE_URL"]
CLIENT_ID = os.environ["QUITTANCE_CLIENT_ID"]
SECRET = os.environ["QUITTANCE_CLIENT_SECRET"]


def send(path, body=None, headers=None):
    """The JSON that the bank answers. What went wrong is a problem document: its title and detail are for people."""
    request = urllib.request.Request(URL + path, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code} {error.read().decode()}")


def token(audience):
    """For HTTP (`quittance`) or for messages (`quittance-log`). It lives five minutes."""
    pair = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "audience": audience})
    return send("/auth/oauth2/token", form.encode(), {"Authorization": f"Basic {pair}"})["access_token"]


def payment(reference):
    """Make the id once for each order and keep it with the order: sent again under the same id, it pays once."""
    return {
        "payment_id": str(uuid.uuid4()),
        "debtor_account": os.environ["QUITTANCE_DEBTOR"],
        "creditor_account": os.environ["QUITTANCE_CREDITOR"],
        "amount": "1.50",
        "currency": "EUR",
        "reference": reference,
    }


def pay_over_http(order, http):
    headers = {"Authorization": f"Bearer {http}", "Content-Type": "application/json", "Prefer": "wait=20"}
    return send("/payment/payments", json.dumps(order).encode(), headers)


async def pay_over_nats(nc, order):
    """Returns the number of the stored request. If no answer comes, send the same again: it pays once."""
    headers = {"Authorization": f"Bearer {token('quittance-log')}", "ce-id": order["payment_id"]}
    subject = f"request.payment.v1.{CLIENT_ID}"
    for _ in range(3):
        try:
            ack = await nc.request(subject, json.dumps(order).encode(), timeout=10, headers=headers)
            break
        except TimeoutError:
            continue
    else:
        sys.exit("the bank does not answer")
    ack = json.loads(ack.data)
    if "error" in ack:
        sys.exit(f"refused: {ack['error']}")
    return ack["seq"]


async def answers(nc, handle):
    """Hands over each answer until `handle` says that it was the last, or nothing comes for 10 s: then it returns False.

    The durable consumer keeps what nobody has acknowledged.
    """
    inbox = await nc.jetstream(domain="quittance").pull_subscribe_bind(CLIENT_ID, stream="SETTLEMENTS")
    done = set()  # In your database, written in the transaction that ships the order.
    while True:
        try:
            messages = await inbox.fetch(100, timeout=10)
        except TimeoutError:
            return False
        for message in messages:
            answer = json.loads(message.data)
            # The same message may come again, and so may the same payment, as a duplicate.
            key = (answer.get("payment_id"), answer.get("status"))
            is_last = key not in done and handle(answer)
            done.add(key)
            await message.ack_sync()  # After the work is done, never before.
            if is_last:
                return True


async def main():
    http = token("quittance")
    paid = pay_over_http(payment("Order 1"), http)
    print(f"over HTTP: {paid['status']}, as request {paid['request_seq']}")

    nc = await nats.connect(
        os.environ["QUITTANCE_NATS"],
        user=os.environ["QUITTANCE_NATS_USER"],
        password=os.environ["QUITTANCE_NATS_PASSWORD"],
        inbox_prefix=f"_INBOX_{CLIENT_ID}".encode(),
    )
    seq = await pay_over_nats(nc, payment("Order 2"))

    def handle(answer):
        print(f"answer {answer['request_seq']}: {answer.get('status')}")
        return answer["request_seq"] == seq

    if not await answers(nc, handle):
        sys.exit(f"no answer to request {seq} yet; it will come")
    await nc.close()

    receipt = send(f"/bank/transactions/{seq}/receipt", headers={"Authorization": f"Bearer {http}"})
    Path("receipt.json").write_text(json.dumps(receipt))
    # Give it the bank's published key too; without, the receipt's own is believed.
    checker = Path(__file__).with_name("check_receipt.py")
    checked = subprocess.run([sys.executable, checker, "receipt.json"])
    sys.exit(checked.returncode)


asyncio.run(main())
