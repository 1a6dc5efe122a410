//! What no document describes is refused: every path of auth under every method that it does not have.

use reqwest::{Method, StatusCode};

use crate::harness::Bank;

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_at_every_path() {
    let (bank, _auth, _ledger) = Bank::open().await;
    let document = auth::openapi();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let described = item.as_object().expect("a path item");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            if described.contains_key(&method.to_lowercase()) {
                continue;
            }
            let place = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let asked = bank
                .http
                .request(method.clone(), bank.at(&place))
                .send()
                .await;
            let status = asked.expect("an answer").status();
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
}
