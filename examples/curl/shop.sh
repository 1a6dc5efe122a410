#!/bin/sh
# A shop with curl: gets a token, pays, waits for the outcome, and keeps the receipt in receipt.json.
# ../README.md says what it needs. For the broker see the other examples: curl does not speak NATS.
set -eu

# Where the secret and the token are: arguments of a program can be seen by others.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sends a request and prints the answer's body. What went wrong is a problem document: it goes to standard error.
ask() {
    status=$(curl --silent --show-error --max-time 40 --retry 3 --output "$work/answer" --write-out '%{http_code}' "$@")
    case $status in
        2*) cat "$work/answer" ;;
        *)
            echo "$status $(cat "$work/answer")" >&2
            return 1
            ;;
    esac
}

printf 'user = "%s:%s"\n' "$QUITTANCE_CLIENT_ID" "$QUITTANCE_CLIENT_SECRET" >"$work/client"
ask --config "$work/client" --data grant_type=client_credentials "$QUITTANCE_URL/auth/oauth2/token" >"$work/granted"
sed -n 's/.*"access_token":"\([^"]*\)".*/Authorization: Bearer \1/p' "$work/granted" >"$work/authorization"

# Made once for each order and kept with it. Sent again under this id, it pays once: that is why curl may try again.
payment_id=${PAYMENT_ID:-$(python3 -c 'import uuid; print(uuid.uuid4())')}
cat >"$work/payment" <<END
{"payment_id": "$payment_id", "debtor_account": "$QUITTANCE_DEBTOR", "creditor_account": "$QUITTANCE_CREDITOR",
 "amount": "1.50", "currency": "EUR", "reference": "Order 1"}
END
ask --header "@$work/authorization" --header 'Content-Type: application/json' --header 'Prefer: wait=20' \
    --data "@$work/payment" "$QUITTANCE_URL/payment/payments" >"$work/paid"
seq=$(sed -n 's/^[^}]*"request_seq":\([0-9]*\).*/\1/p' "$work/paid")
status=$(sed -n 's/^[^}]*"status":"\([a-z]*\)".*/\1/p' "$work/paid")
echo "payment $payment_id is $status, as request $seq"
case $status in
    settled) ;;
    # Not decided in 20 s. It is in the log and will be: run this again with the same PAYMENT_ID.
    pending) exit 4 ;;
    *) exit 3 ;;
esac

ask --header "@$work/authorization" "$QUITTANCE_URL/bank/transactions/$seq/receipt" >receipt.json
echo "receipt.json proves it"
