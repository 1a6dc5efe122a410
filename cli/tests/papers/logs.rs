//! What takes the services' lines to Loki, and their traces to Jaeger: that it parses, and that everything it names is there.
//! Neither Vector nor Loki nor Jaeger was run with it.

use serde_json::json;

use crate::compose::containers;
use crate::{read, strings, yaml};

#[test]
fn lines_go_from_the_broker_to_loki_and_grafana_and_all_that_is_named_exists() {
    let containers = containers();
    for name in ["vector", "loki", "grafana"] {
        let profiles = strings(&containers[name]["profiles"]);
        assert!(profiles.contains(&"logs"), "{name}");
        for volume in strings(&containers[name]["volumes"]) {
            let (source, _) = volume.split_once(':').expect("source:target");
            if let Some(path) = source.strip_prefix("./") {
                assert!(!read(path).is_empty(), "{name}: {path}");
            }
        }
    }
    let vector = yaml("ops/logs/vector.yaml");
    let source = &vector["sources"]["services"];
    assert_eq!(source["url"], "nats://nats:4222");
    assert!(containers.contains_key("nats"));
    let login = &source["auth"]["user_password"];
    let secret = login["password"].as_str().expect("a reference");
    let secret = secret
        .strip_prefix("SECRET[files.")
        .and_then(|rest| rest.strip_suffix(']'));
    let secret = secret.expect("a file");
    assert!(strings(&containers["vector"]["secrets"]).contains(&secret));
    assert_eq!(vector["secret"]["files"]["path"], "/run/secrets");
    // The broker knows this login, which hears this subject and may say nothing.
    let user = login["user"].as_str().expect("a name");
    let broker = read("nats/nats-server.conf");
    let line = broker
        .lines()
        .find(|line| line.contains(&format!("user: {user},")))
        .expect("the broker knows it");
    let subject = source["subject"].as_str().expect("a subject");
    assert!(
        line.contains(&format!("subscribe: [\"{subject}\"]")),
        "{line}"
    );
    assert!(line.contains("publish: { deny: [\">\"] }"), "{line}");

    let sink = &vector["sinks"]["loki"];
    assert_eq!(sink["inputs"], json!(["services"]));
    let loki = yaml("ops/logs/loki.yaml");
    let port = &loki["server"]["http_listen_port"];
    let address = format!("http://loki:{port}");
    assert_eq!(sink["endpoint"], address.as_str());
    let grafana = yaml("ops/logs/datasource.yaml");
    assert_eq!(grafana["datasources"][0]["url"], address.as_str());
}

#[test]
fn traces_go_to_jaeger_where_that_was_asked_for_and_grafana_finds_them() {
    let containers = containers();
    for name in ["auth", "console", "ledger", "payments"] {
        let endpoint = &containers[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"];
        assert_eq!(endpoint, "${OTEL_EXPORTER_OTLP_ENDPOINT:-}", "{name}");
        let networks = strings(&containers[name]["networks"]);
        assert!(networks.contains(&"core"), "{name} does not reach it");
    }
    let profiles = strings(&containers["jaeger"]["profiles"]);
    assert_eq!(profiles, ["observability"]);
    let path = "ops/traces/datasource.yaml";
    let volumes = strings(&containers["grafana"]["volumes"]);
    let given = volumes
        .iter()
        .any(|volume| volume.starts_with(&format!("./{path}:")));
    assert!(given, "{volumes:?}");
    let source = &yaml(path)["datasources"][0];
    assert_eq!(source["url"], "http://jaeger:16686");
    assert!(read("README.md").contains("OTEL_EXPORTER_OTLP_ENDPOINT=http://jaeger:4318"));
}
