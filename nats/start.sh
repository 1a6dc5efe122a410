#!/bin/sh
# How the broker starts in its container: passwords come as files, nats-server.conf wants variables.
# Arguments go to the server.
set -eu

for user in auth ledger payments audit demo-shop; do
    name=$(echo "NATS_PASSWORD_$user" | tr 'a-z-' 'A-Z_')
    password=$(cat "${SECRETS:-/run/secrets}/nats_$user")
    # In quotes: the server parses a value as it parses its file.
    export "$name=\"$password\""
done

exec nats-server --config "$(dirname "$0")/nats-server.conf" "$@"
