"""Prints what the examples need to know of a demo bank, for a shell: who the shop is, and where the bank is.

    eval "$(cargo quittance status --json | python3 examples/environment.py)"

With a bank of your own, set these eight variables yourself.
"""

import json
import shlex
import sys

bank = json.load(sys.stdin)
demo = bank["demo"]
debtor, creditor = (customer["account"] for customer in demo["customers"])
variables = {
    "QUITTANCE_URL": bank["gateway"],
    "QUITTANCE_NATS": bank["nats"],
    "QUITTANCE_CLIENT_ID": demo["service_account"]["client_id"],
    "QUITTANCE_CLIENT_SECRET": demo["service_account"]["client_secret"],
    "QUITTANCE_NATS_USER": demo["producer"]["user"],
    "QUITTANCE_NATS_PASSWORD": demo["producer"]["password"],
    "QUITTANCE_DEBTOR": debtor,
    "QUITTANCE_CREDITOR": creditor,
}
for name, value in variables.items():
    print(f"export {name}={shlex.quote(value)}")
