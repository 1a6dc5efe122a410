//! A service that is told to trace to what is no collector says so by the name of the variable, and does not start.

use std::process::Output;

use crate::home::{Home, Ran, quittance};

#[test]
fn a_collector_that_is_none_is_told_by_the_name_of_its_variable() {
    let home = Home::new();
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@:4318"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://user:s3cret@collector",
        ),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "grpc://user:s3cret@collector",
        ),
    ] {
        let mut program = quittance(&home.path());
        let output: Output = program
            .args(["serve", "ledger", "--listen", "127.0.0.1:0"])
            .args(["--nats-user", "x", "--nats-password", "y"])
            .env("QUITTANCE_DATABASE_URL", "postgres://x:y@127.0.0.1:1/x")
            .env("QUITTANCE_AUTH_URL", "http://127.0.0.1:1")
            .env("QUITTANCE_EXCHANGE_SECRET", "z")
            .env("QUITTANCE_NATS_URL", "nats://127.0.0.1:1")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            .env(variable, value)
            .output()
            .unwrap();
        let ran = Ran::from(output);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_ne!(ran.code, 0, "{said}");
        assert!(said.contains(&format!("{variable} ")), "{value}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}
