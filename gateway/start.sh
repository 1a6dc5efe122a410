#!/bin/sh
# How nginx starts in its container, whose files can't change: in a directory in memory, with the names, the certificate and
# the name server that it is given. Arguments go to nginx.
set -eu

directory=${DIRECTORY:-/run/gateway}
secrets=${SECRETS:-/run/secrets}
cp "$(dirname "$0")"/*.conf "$directory"
chmod u+w "$directory"/*.conf
mkdir -p "$directory/run"

names=${QUITTANCE_GATEWAY_NAMES:-}
# They become words of the configuration.
case $names in
    *[!A-Za-z0-9.\ -]*)
        echo "QUITTANCE_GATEWAY_NAMES has names with spaces between them: letters, digits, dots and hyphens" >&2
        exit 2
        ;;
esac
echo "server_name .localhost 127.0.0.1 [::1] $names;" >"$directory/names.conf"

# The engine's own name server: Docker's address stands in places.conf, another engine's in its resolv.conf.
resolver=$(sed -n 's/^nameserver \([0-9.]*\)$/\1/p' "${RESOLV_CONF:-/etc/resolv.conf}" | head -n 1)
if [ "$resolver" ]; then
    sed "s/^resolver [0-9.]*/resolver $resolver/" "$directory/places.conf" >"$directory/places.new"
    mv "$directory/places.new" "$directory/places.conf"
fi

# With a certificate it speaks HTTPS and nothing else.
if [ -e "$secrets/gateway_tls_certificate" ]; then
    cp "$secrets/gateway_tls_certificate" "$directory/certificate.pem"
    cp "$secrets/gateway_tls_key" "$directory/key.pem"
    cat >"$directory/listen.conf" <<END
listen 8080 ssl;
http2 on;
ssl_certificate certificate.pem;
ssl_certificate_key key.pem;
include tls.conf;
END
fi

exec nginx -e stderr -p "$directory/" -c nginx.conf "$@"
