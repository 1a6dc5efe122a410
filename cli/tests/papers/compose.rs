//! `compose.yaml`: what is reachable, what each container may do, and that everything it refers to exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::{strings, yaml};

/// The three that are ours.
pub(crate) const SERVICES: [&str; 3] = ["auth", "ledger", "payments"];

/// Those that bring a service's tables up to date, and end.
pub(crate) const MIGRATIONS: [&str; 3] = ["migrate-auth", "migrate-ledger", "migrate-payments"];

/// Each container by name.
pub(crate) fn containers() -> Map<String, Value> {
    let compose = yaml("compose.yaml");
    compose["services"]
        .as_object()
        .expect("services by name")
        .clone()
}

/// The environment of a container, variables of the shell at their defaults.
pub(crate) fn environment(container: &Value) -> BTreeMap<String, String> {
    let environment = container["environment"].as_object();
    let variables = environment.expect("an environment").iter();
    variables
        .map(|(name, value)| {
            let value = value.as_str().expect("values are strings");
            let default = value
                .strip_prefix("${")
                .and_then(|rest| rest.split_once(":-"));
            let value = default.map_or(value, |(_, default)| default.trim_end_matches('}'));
            (name.clone(), value.to_owned())
        })
        .collect()
}

#[test]
fn every_variable_of_a_service_is_an_option_of_it() {
    let containers = containers();
    let ours = SERVICES.into_iter().chain(["console"]);
    let serving = ours.map(|service| (service, ["serve", service]));
    let migrating = MIGRATIONS.map(|name| (name, ["migrate", &name["migrate-".len()..]]));
    for (service, command) in serving.chain(migrating) {
        let container = &containers[service];
        assert_eq!(strings(&container["command"]), command);
        let options = options(&command);
        for name in environment(container).keys() {
            assert!(options.contains(name), "{service} has no {name}");
        }
    }
}

/// The variables that a command reads, and other words of its help.
pub(crate) fn options(command: &[&str]) -> BTreeSet<String> {
    let help = Command::new(env!("CARGO_BIN_EXE_quittance"))
        .args(command)
        .arg("--help")
        .output()
        .expect("the program was built");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.map(str::to_owned).collect()
}

#[test]
fn only_what_must_be_reached_is_published_and_only_on_loopback() {
    let published: BTreeMap<_, _> = containers()
        .iter()
        .map(|(name, container)| (name.clone(), container["ports"].clone()))
        .collect();
    let expected = [
        ("auth", Value::Null),
        ("console", Value::Null),
        ("gateway", json!(["127.0.0.1:8080:8080"])),
        ("grafana", json!(["127.0.0.1:3000:3000"])),
        ("jaeger", Value::Null),
        ("ledger", Value::Null),
        ("loki", Value::Null),
        ("migrate-auth", Value::Null),
        ("migrate-ledger", Value::Null),
        ("migrate-payments", Value::Null),
        ("nats", json!(["127.0.0.1:4222:4222"])),
        ("payments", Value::Null),
        ("postgres", Value::Null),
        ("prometheus", Value::Null),
        ("vector", Value::Null),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(name, ports)| (name.to_owned(), ports))
        .into();
    assert_eq!(published, expected);
}

/// It lists everybody's subjects and inboxes: neither another container nor a program on the machine reaches it.
#[test]
fn the_brokers_monitoring_page_is_on_its_containers_own_loopback() {
    let containers = containers();
    let monitor = &environment(&containers["nats"])["NATS_MONITOR"];
    assert_eq!(monitor, "\"127.0.0.1:8222\"");
    let port = monitor.trim_matches('"').rsplit_once(':').unwrap().1;
    for (name, container) in &containers {
        assert!(container.get("network_mode").is_none(), "{name}");
        let published = strings(&container["ports"]).into_iter();
        let of_it = published.filter(|one| one.ends_with(&format!(":{port}")));
        assert_eq!(of_it.count(), 0, "{name}");
    }
    // Nothing that is laid over it changes that.
    for file in ["compose.https.yaml", "compose.tls.yaml"] {
        let nats = &yaml(file)["services"]["nats"];
        assert!(nats["environment"].get("NATS_MONITOR").is_none(), "{file}");
        assert!(nats.get("ports").is_none(), "{file}");
    }
}

#[test]
fn the_databases_are_reached_by_the_services_only() {
    let networks: BTreeMap<_, _> = containers()
        .iter()
        .map(|(name, container)| (name.clone(), container["networks"].clone()))
        .collect();
    let of_services = json!(["front", "core", "data"]);
    for service in SERVICES {
        assert_eq!(networks[service], of_services, "{service}");
    }
    for name in ["postgres"].into_iter().chain(MIGRATIONS) {
        assert_eq!(networks[name], json!(["data"]), "{name}");
    }
    assert_eq!(networks["console"], json!(["front", "core"]));
    assert_eq!(networks["nats"], json!(["edge", "core"]));
    assert_eq!(networks["prometheus"], json!(["core"]));
    assert_eq!(networks["loki"], json!(["core"]));
    assert_eq!(networks["jaeger"], json!(["core"]));
    assert_eq!(networks["vector"], json!(["core"]));
    assert_eq!(networks["grafana"], json!(["edge", "core"]));
    // Services are reached through the gateway, and it reaches neither the broker nor a database.
    let fixed = "172.31.80.2";
    let gateway = json!({ "edge": {}, "front": { "ipv4_address": fixed } });
    assert_eq!(networks["gateway"], gateway);
    let trusted = &environment(&containers()["auth"])["QUITTANCE_TRUSTED_PROXIES"];
    assert_eq!(trusted, fixed, "auth believes somebody else");
    let subnet = json!({ "config": [{ "subnet": "172.31.80.0/24" }] });
    assert_eq!(
        yaml("compose.yaml")["networks"],
        json!({
            "edge": {},
            "front": { "internal": true, "ipam": subnet },
            "core": { "internal": true },
            "data": { "internal": true },
        })
    );
}

#[test]
fn no_container_has_rights_it_does_not_need() {
    for (name, container) in containers() {
        assert_eq!(container["read_only"], true, "{name}");
        assert_eq!(container["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(
            container["security_opt"],
            json!(["no-new-privileges:true"]),
            "{name}"
        );
        let user = container["user"].as_str().expect("each names its user");
        let (user, group) = user.split_once(':').expect("user and group");
        let [user, group]: [u32; 2] = [user, group].map(|id| id.parse().expect("a number"));
        assert!(user > 0 && group > 0, "{name} is root");
        for too_much in ["cap_add", "privileged", "network_mode", "pid", "devices"] {
            assert!(container.get(too_much).is_none(), "{name}: {too_much}");
        }
    }
}

/// Bytes of a size as a container engine reads it: `512m`, `4g`.
fn bytes(size: &str) -> u64 {
    let unit = match size.chars().last() {
        Some('m') => 1 << 20,
        Some('g') => 1 << 30,
        _ => panic!("{size} has no unit of ours"),
    };
    size[..size.len() - 1].parse::<u64>().expect("a number") * unit
}

#[test]
fn no_container_can_take_the_memory_and_the_processes_of_the_others() {
    for (name, container) in containers() {
        let pids = container["pids_limit"].as_u64();
        assert!(pids.is_some_and(|pids| (1..=256).contains(&pids)), "{name}");
        let limit = bytes(
            container["mem_limit"]
                .as_str()
                .expect("a limit with a unit"),
        );
        // What it keeps in memory files counts too.
        let files = strings(&container["tmpfs"]).into_iter();
        let sizes = files.filter_map(|mount| Some(mount.split_once("size=")?.1));
        let in_files: u64 = sizes.map(bytes).sum();
        assert!(limit > in_files + bytes("256m"), "{name} has {limit}");
        assert!(limit <= bytes("4g"), "{name} has {limit}");
    }
}

#[test]
fn every_container_says_how_it_does_and_waits_for_what_it_needs() {
    let containers = containers();
    for (name, container) in &containers {
        if MIGRATIONS.contains(&name.as_str()) {
            // It ends, and others wait for that.
            assert_eq!(
                container["healthcheck"],
                json!({ "disable": true }),
                "{name}"
            );
            assert_eq!(container["restart"], "on-failure:3", "{name}");
            continue;
        }
        let test = strings(&container["healthcheck"]["test"]);
        // Without a shell, which our own image does not have.
        assert_eq!(test.first(), Some(&"CMD"), "{name}");
        assert_eq!(container["restart"], "unless-stopped", "{name}");
        let needs = container["depends_on"].as_object();
        for (needed, how) in needs.into_iter().flatten() {
            assert!(containers.contains_key(needed), "{name} needs {needed}");
            let expected = if MIGRATIONS.contains(&needed.as_str()) {
                "service_completed_successfully"
            } else {
                "service_healthy"
            };
            assert_eq!(how["condition"], expected, "{name}: {needed}");
        }
    }
    let needs = |name: &str| containers[name]["depends_on"].as_object().unwrap().clone();
    assert!(needs("ledger").contains_key("nats") && needs("ledger").contains_key("postgres"));
    for (service, migration) in SERVICES.into_iter().zip(MIGRATIONS) {
        assert!(needs(service).contains_key(migration), "{service}");
    }
    assert!(needs("auth").contains_key("ledger") && needs("payments").contains_key("ledger"));
}

#[test]
fn each_secret_is_made_is_a_file_and_goes_to_those_who_need_it() {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_quittance"))
        .arg("secrets")
        .arg(directory.path().join("secrets"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut made: BTreeSet<String> = fs::read_dir(directory.path().join("secrets"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(made.remove("secrets.json"), "what the files are made from");

    let compose = yaml("compose.yaml");
    let declared = compose["secrets"].as_object().unwrap();
    for (name, secret) in declared {
        let file = format!(".quittance/secrets/{name}");
        assert_eq!(secret, &json!({ "file": file }));
    }
    assert_eq!(made, declared.keys().cloned().collect());

    let mut used = BTreeSet::new();
    for (name, container) in containers() {
        let given = strings(&container["secrets"]);
        used.extend(given.iter().map(|secret| (*secret).to_owned()));
        for (variable, value) in environment(&container) {
            let secret = value.strip_prefix("/run/secrets/");
            assert_eq!(variable.ends_with("_FILE"), secret.is_some(), "{variable}");
            assert!(
                secret.is_none_or(|secret| given.contains(&secret)),
                "{value}"
            );
        }
        if SERVICES.contains(&name.as_str()) {
            for secret in given {
                let own = secret.ends_with(&format!("_{name}"));
                // What serves can't become the owner of what it serves.
                assert!(!secret.starts_with("migration"), "{name}: {secret}");
                // Auth knows whom it exchanges tokens for.
                let of_auth = secret == "key_encryption_key" || secret.starts_with("exchange_");
                assert!(own || (name == "auth" && of_auth), "{name}: {secret}");
            }
        }
    }
    assert_eq!(used, made, "a secret that nobody is given");
}
