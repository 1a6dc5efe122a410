//! The files in `schemas/` are what the Rust types say. `UPDATE_SCHEMAS=1 cargo test -p common --test schemas` writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use common::kinds::account::AccountAnswer;
use common::kinds::account::AccountRequest;
use common::kinds::bulk::{BatchAnswer, BatchRequest};
use common::kinds::chart::OpenBankAccount;
use common::kinds::expiry::AnnounceExpiry;
use common::kinds::hold::{CaptureRequest, HoldRequest, VoidRequest};
use common::kinds::payment::PaymentAnswer;
use common::kinds::payment::PaymentRequest;
use common::kinds::reversal::ReversalRequest;
use common::kinds::revocation::{RevocationAnswer, Revoke};
use common::kinds::rules::{RaiseRules, RulesAnswer};
use common::kinds::transaction::TransactionRequest;
use common::kinds::trust::AnnounceKey;
use common::kinds::trust::KeyAnswer;
use common::kinds::unknown::UnknownAnswer;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};

#[test]
fn the_schemas_are_what_the_types_say() {
    let generated = BTreeMap::from([
        ("payment.requested.v1.json", schema_for!(PaymentRequest)),
        ("hold.requested.v1.json", schema_for!(HoldRequest)),
        ("capture.requested.v1.json", schema_for!(CaptureRequest)),
        ("void.requested.v1.json", schema_for!(VoidRequest)),
        ("reversal.requested.v1.json", schema_for!(ReversalRequest)),
        (
            "transaction.requested.v1.json",
            schema_for!(TransactionRequest),
        ),
        ("payment-batch.requested.v1.json", schema_for!(BatchRequest)),
        ("payment-batch.answered.v1.json", written::<BatchAnswer>()),
        ("expiry.requested.v1.json", schema_for!(AnnounceExpiry)),
        ("chart.requested.v1.json", schema_for!(OpenBankAccount)),
        ("payment.answered.v1.json", written::<PaymentAnswer>()),
        ("account.requested.v1.json", schema_for!(AccountRequest)),
        ("account.answered.v1.json", written::<AccountAnswer>()),
        ("key.requested.v1.json", schema_for!(AnnounceKey)),
        ("key.answered.v1.json", written::<KeyAnswer>()),
        ("revocation.requested.v1.json", schema_for!(Revoke)),
        ("revocation.answered.v1.json", written::<RevocationAnswer>()),
        ("rules.requested.v1.json", schema_for!(RaiseRules)),
        ("rules.answered.v1.json", written::<RulesAnswer>()),
        ("request.rejected.v1.json", written::<UnknownAnswer>()),
    ]);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    let update = env::var_os("UPDATE_SCHEMAS").is_some();
    for (name, schema) in &generated {
        let text = serde_json::to_string_pretty(schema).expect("a schema is JSON") + "\n";
        let file = directory.join(name);
        if update {
            fs::write(&file, &text).expect("schemas/ can be written");
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            committed, text,
            "{name} is outdated; UPDATE_SCHEMAS=1 cargo test -p common --test schemas writes it"
        );
    }
    let found: Vec<PathBuf> = fs::read_dir(&directory)
        .expect("schemas/ is there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter(|path| {
            !generated.contains_key(&*path.file_name().expect("a file").to_string_lossy())
        })
        .collect();
    assert!(found.is_empty(), "no type makes {found:?}");
}

/// The schema of what we write: fields that may be null are there all the same.
fn written<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}
