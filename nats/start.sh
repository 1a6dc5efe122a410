#!/bin/sh
# How the broker starts in its container: passwords come as files, nats-server.conf wants variables.
# Arguments go to the server.
set -eu

secrets=${SECRETS:-/run/secrets}
for user in auth ledger payments audit console collector demo-shop; do
    name=$(echo "NATS_PASSWORD_$user" | tr 'a-z-' 'A-Z_')
    password=$(cat "$secrets/nats_$user")
    # In quotes: the server parses a value as it parses its file.
    export "$name=\"$password\""
done

# Atomic batches are staged in memory where the container has some: why, and what that means, says local/src/staging.rs,
# which does the same for a bank without containers. This memory goes with the container: after any crash of it, an
# unacknowledged batch may be stored only in part.
staging=${STAGING:-/staging}
if [ -d "$staging" ]; then
    streams=$(echo "$NATS_STORE_DIR" | tr -d '"')/jetstream
    requests=$streams/CORE/streams/REQUESTS
    settlements=$streams/BOOKS/streams/SETTLEMENTS
    for stream in "$requests" "$settlements"; do
        if [ -L "$stream/batches" ]; then rm "$stream/batches"; fi
    done
    # Until both are linked, or the server, which takes this shell's number over, has ended.
    while kill -0 $$ && ! { [ -L "$requests/batches" ] && [ -L "$settlements/batches" ]; }; do
        for stream in "$requests" "$settlements"; do
            if [ -e "$stream/meta.inf" ] && [ ! -L "$stream/batches" ]; then
                mkdir -p "$staging/${stream##*/}"
                # It stays while a batch is staged on the disk.
                rmdir "$stream/batches" || true
                [ -e "$stream/batches" ] || ln -s "$staging/${stream##*/}" "$stream/batches" || true
            fi
        done
        sleep 0.1
    done </dev/null >/dev/null 2>&1 &
fi

# A server whose disk was full stores nothing until it is started again, though there is room. Only its health page says so,
# and not what is wrong. So: it was well, is not any more, and there is room.
monitor=http://$(echo "$NATS_MONITOR$NATS_MONITOR_PATH" | tr -d '"')
store=$(echo "$NATS_STORE_DIR" | tr -d '"')
ROOM_KILOBYTES=${ROOM_KILOBYTES:-65536}
# With arguments it only looks at its configuration.
if [ $# -eq 0 ]; then
    was_well=
    sick=0
    while sleep 2 && kill -0 $$ 2>/dev/null; do
        if wget -q -T 2 -O /dev/null "${monitor%/}/healthz"; then
            was_well=yes
            sick=0
        elif [ "$was_well" ]; then
            sick=$((sick + 1))
            free=$(df -kP "$store" | awk 'NR == 2 { print $4 }')
            echo "NATS is not well; $free kB are free in $store" >&2
            # The container's restart policy starts it again.
            if [ "$sick" -ge 3 ] && [ "$free" -gt $ROOM_KILOBYTES ]; then kill -TERM $$; fi
        fi
    done
fi </dev/null >/dev/null &

# With a certificate it takes TLS connections and no others. Its monitoring page is on loopback and has none.
if [ -e "$secrets/nats_tls_certificate" ]; then
    set -- --tls --tlscert "$secrets/nats_tls_certificate" --tlskey "$secrets/nats_tls_key" "$@"
fi

exec nats-server --config "$(dirname "$0")/nats-server.conf" "$@"
