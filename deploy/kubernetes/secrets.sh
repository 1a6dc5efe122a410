#!/bin/sh
# Puts the secrets of a bank into its namespace: `deploy/kubernetes/secrets.sh DIR`, where `quittance secrets DIR` made them.
# Each workload gets its own and no others, as in compose.yaml. (Applied by the server, so that no copy stays in an annotation.)
# More arguments go to `kubectl apply` (`--context …`).
set -eu

directory=$1
shift
here=$(dirname "$0")

# give WORKLOAD FILE…
give() {
    workload=$1
    shift
    for file; do
        shift
        set -- "$@" "--from-file=$directory/$file"
    done
    kubectl create secret generic "$workload" --namespace quittance --dry-run=client --output yaml "$@"
    echo ---
}

manifests=$(
    set -e
    kubectl create configmap postgres-roles --namespace quittance --dry-run=client --output yaml \
        "--from-file=quittance.sql=$here/../../local/containers/postgres.sql"
    echo ---
    give postgres postgres_postgres postgres_auth postgres_auth_owner postgres_ledger postgres_ledger_owner \
        postgres_payments postgres_payments_owner postgres_audit
    give nats nats_auth nats_ledger nats_payments nats_audit nats_console nats_collector nats_demo-shop
    give migrate-auth migration_database_url_auth
    give migrate-ledger migration_database_url_ledger
    give migrate-payments migration_database_url_payments
    give auth nats_auth database_url_auth key_encryption_key exchange_ledger exchange_payments
    give ledger nats_ledger database_url_ledger exchange_ledger receipt_key_ledger
    give payments nats_payments database_url_payments exchange_payments
    give console nats_console gateway_tls_certificate
    give gateway gateway_tls_certificate gateway_tls_key
)
printf '%s\n' "$manifests" | kubectl apply --server-side --filename - "$@"
