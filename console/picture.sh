#!/usr/bin/env bash
# Makes the picture in README.md anew, from a bank of its own in a real browser. Needs what `.ci/browser` installs.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pictures=$(mktemp -d)
trap 'rm -rf "$pictures"' EXIT
QUITTANCE_BROWSER=required QUITTANCE_SCREENSHOTS=$pictures \
    cargo test --package cli --test console a_clerk_opens_an_account_deposits_and_watches_the_payment_settle
cp "$pictures/payment.png" console/picture.png
