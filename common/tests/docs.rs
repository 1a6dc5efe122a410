//! `/docs`, `/openapi.json` and the pages of problems: whole without a network, and right behind the gateway too.

use common::http::describe::{Service, described};
use common::http::serve::serve_http;
use common::service::{Discovery, Readiness, Web};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

const SERVICE: Service = Service {
    name: "test",
    title: "Test",
    description: "A service without operations.",
    answers_late_bodies: true,
    tags: &[],
};

/// A running service.
struct Docs {
    at: String,
    client: Client,
    stop: CancellationToken,
}

impl Docs {
    async fn start() -> Self {
        let listen = local::testing::free_address();
        let web = Web {
            listen,
            allowed_origins: Vec::new(),
            leave_seconds: 0,
            discovery: Discovery::default(),
        };
        let routes = described(&SERVICE, OpenApiRouter::new(), ());
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::spawn(async move {
            serve_http(&web, routes, Readiness::starting(), stopping.into()).await
        });
        while tokio::net::TcpStream::connect(listen).await.is_err() {
            tokio::task::yield_now().await;
        }
        Self {
            at: format!("http://{listen}"),
            client: Client::new(),
            stop,
        }
    }

    /// What is at a path, as the gateway would ask for it under a prefix.
    async fn get(&self, prefix: &str, path: &str) -> Response {
        let mut request = self.client.get(format!("{}{path}", self.at));
        request = request.header("accept", "text/html");
        if !prefix.is_empty() {
            request = request.header("x-forwarded-prefix", prefix);
        }
        request.send().await.expect("an answer")
    }
}

/// Everything that a page loads or leads to.
fn named(page: &str) -> Vec<&str> {
    let places = page
        .split("src=\"")
        .skip(1)
        .chain(page.split("href=\"").skip(1));
    places.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn a_page_loads_only_what_the_service_has_and_runs_no_inline_script() {
    let docs = Docs::start().await;
    for prefix in ["", "/bank"] {
        for path in ["/docs", "/docs/", "/problems", "/problems/not-found"] {
            let page = docs.get(prefix, path).await;
            assert_eq!(page.status(), 200, "{path}");
            let policy = page.headers()["content-security-policy"].to_str();
            assert!(!policy.expect("text").contains("unsafe"), "{path}");
            let page = page.text().await.expect("a page");
            assert!(
                !page.contains("<style") && !page.contains("style="),
                "{path}"
            );
            assert!(!page.contains("<script>"), "{path}");
            for place in named(&page) {
                // At the gateway, the page leads to the other services too.
                let is_others = prefix == "/bank"
                    && ["/auth/docs", "/payment/docs", "/problems"].contains(&place);
                if is_others {
                    continue;
                }
                let own = place.strip_prefix(prefix);
                let own = own.unwrap_or_else(|| panic!("{place} is not under {prefix}"));
                assert!(own.starts_with('/') && !own.starts_with("//"), "{place}");
                let file = docs.get(prefix, own).await;
                assert_eq!(file.status(), 200, "{place}");
                assert!(!file.bytes().await.expect("a file").is_empty(), "{place}");
            }
        }
    }
    docs.stop.cancel();
}

#[tokio::test]
async fn the_document_names_the_server_under_which_it_was_asked_for() {
    let docs = Docs::start().await;
    for (prefix, server, tokens) in [
        ("", "/", "http://127.0.0.1:8081/oauth2/token"),
        ("/bank", "/bank", "/auth/oauth2/token"),
    ] {
        let document: Value = docs
            .get(prefix, "/openapi.json")
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(document["servers"][0]["url"], server);
        let schemes = &document["components"]["securitySchemes"];
        let flow = &schemes["client_credentials"]["flows"]["clientCredentials"];
        assert_eq!(flow["tokenUrl"], tokens);
        assert!(document["paths"]["/health/ready"]["get"].is_object());
    }
    docs.stop.cancel();
}
