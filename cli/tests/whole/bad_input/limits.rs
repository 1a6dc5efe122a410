//! Every parameter that the documents of the services have, with the values at its edges: whatever is asked for, no service
//! fails.

use anyhow::{Result, ensure};
use local::Service;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::bank::TestBank;

/// Around zero, and where 32 and 64 bits end, with and without a sign.
const NUMBERS: [&str; 11] = [
    "-9223372036854775809",
    "-9223372036854775808",
    "-1",
    "0",
    "1",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
];
const TEXTS: [&str; 8] = [
    "",
    "%00",
    "%ff",
    "%F0%9F%92%A9",
    "%E2%80%AE",
    "-262143-01-01T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "00000000-0000-0000-0000-000000000000",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_parameter_makes_a_service_fail() -> Result<()> {
    let test = TestBank::start().await?;
    let (mut asked, mut failed) = (0, Vec::new());
    for (service, document) in [
        (Service::Auth, auth::openapi()),
        (Service::Ledger, ledger::openapi()),
        (Service::Payments, payments::openapi()),
    ] {
        let at = test.bank.url(service);
        for (path, item) in document["paths"].as_object().expect("paths") {
            // What changes something is asked with bodies elsewhere.
            let parameters = item["get"]["parameters"].as_array();
            for parameter in parameters.into_iter().flatten() {
                for value in NUMBERS.into_iter().chain(TEXTS) {
                    let Some(place) = place(path, parameter, value, test.adas) else {
                        continue;
                    };
                    let request = test.http.request(Method::GET, format!("{at}{place}"));
                    let status = request.bearer_auth(&test.staff).send().await?.status();
                    asked += 1;
                    if status.is_server_error() {
                        failed.push(format!("{status} {service:?} {place}"));
                    }
                }
            }
        }
    }
    ensure!(failed.is_empty(), "{failed:#?}");
    ensure!(asked > 200, "the documents have no parameters: {asked}");
    test.check_invariants().await?;
    Ok(())
}

/// The path with this value of this parameter. A query is about an account that there is.
fn place(path: &str, parameter: &Value, value: &str, account: Uuid) -> Option<String> {
    let name = parameter["name"].as_str()?;
    let hole = format!("{{{name}}}");
    match parameter["in"].as_str()? {
        "path" => Some(path.replace(&hole, value)),
        "query" => {
            let path = path.replace("{id}", &account.to_string());
            Some(format!("{path}?{name}={value}"))
        }
        _ => None,
    }
}
