//! `deploy/kubernetes`: the same bank as `compose.yaml`, closed, and without a name that leads nowhere.
//!
//! Whether Kubernetes' own schemas accept it is seen by `.ci/kubernetes`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::compose::{MIGRATIONS, SERVICES, containers, environment, options};
use crate::{read, root, strings, yaml};

const DIRECTORY: &str = "deploy/kubernetes";
/// What runs until it is stopped.
const RUNNING: [&str; 7] = [
    "auth", "ledger", "payments", "console", "gateway", "nats", "postgres",
];

/// For how long a service goes on while others learn that it leaves.
const LEAVE: &str = "QUITTANCE_LEAVE_SECONDS";

/// Everything that the kustomization lists.
fn resources() -> Vec<Value> {
    let kustomization = yaml(&format!("{DIRECTORY}/kustomization.yaml"));
    let files = strings(&kustomization["resources"]);
    let mut resources = Vec::new();
    for file in files {
        let text = read(&format!("{DIRECTORY}/{file}"));
        let documents = text.split("\n---\n");
        let documents = documents.map(|text| serde_saphyr::from_str(text).expect("it is YAML"));
        resources.extend(documents);
    }
    resources
}

/// What there is of a kind, by name.
fn all(kind: &str) -> BTreeMap<String, Value> {
    let resources = resources().into_iter();
    let of_kind = resources.filter(|resource| resource["kind"] == kind);
    of_kind
        .map(|resource| (text(&resource["metadata"]["name"]), resource))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The pods' descriptions, by the name of their workload.
fn pods() -> BTreeMap<String, Value> {
    let kinds = ["Deployment", "StatefulSet", "Job"].into_iter();
    let workloads = kinds.flat_map(all);
    workloads
        .map(|(name, workload)| (name, workload["spec"]["template"].clone()))
        .collect()
}

fn container(pod: &Value) -> &Value {
    let containers = pod["spec"]["containers"].as_array().expect("containers");
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The variables of a container that stand there as text, and those that come from elsewhere.
fn variables(pod: &Value) -> (BTreeMap<String, String>, BTreeMap<String, Value>) {
    let (mut plain, mut referred) = (BTreeMap::new(), BTreeMap::new());
    for variable in container(pod)["env"].as_array().into_iter().flatten() {
        let name = text(&variable["name"]);
        if let Some(value) = variable["value"].as_str() {
            plain.insert(name, value.to_owned());
        } else {
            referred.insert(name, variable["valueFrom"].clone());
        }
    }
    (plain, referred)
}

#[test]
fn every_part_of_the_bank_is_there_and_no_file_is_forgotten() {
    let mut expected: Vec<&str> = RUNNING.into_iter().chain(MIGRATIONS).collect();
    expected.sort_unstable();
    assert_eq!(pods().into_keys().collect::<Vec<_>>(), expected);
    let kustomization = yaml(&format!("{DIRECTORY}/kustomization.yaml"));
    let mut listed = strings(&kustomization["resources"]);
    listed.push("kustomization.yaml");
    for file in std::fs::read_dir(root().join(DIRECTORY)).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".yaml") {
            assert!(listed.contains(&name.as_str()), "{name} is in no list");
        }
    }
    let replicas = |name: &str| all("Deployment")[name]["spec"]["replicas"].clone();
    assert_eq!([replicas("ledger"), replicas("gateway")], [2, 2]);
    // Who is signed in is in its memory.
    assert_eq!(replicas("console"), 1);
}

#[test]
fn containers_are_told_what_those_of_compose_are_told() {
    let compose = containers();
    for (name, pod) in pods() {
        let container = container(&pod);
        let other = &compose[&name];
        if !["nats", "gateway"].contains(&name.as_str()) {
            assert_eq!(container["args"], other["command"], "{name}");
        }
        let (mut plain, referred) = variables(&pod);
        // Containers of compose are replaced at once.
        plain.remove(LEAVE);
        let mut expected = environment(other);
        if name == "console" {
            let https = yaml("compose.https.yaml")["services"]["console"].clone();
            expected.extend(environment(&https));
        }
        for variable in plain.keys().chain(referred.keys()) {
            let is_theirs = variable == "ADDRESS" || expected.contains_key(variable);
            assert!(is_theirs, "{name} has {variable}");
        }
        expected.retain(|variable, _| !referred.contains_key(variable));
        if let Some(address) = expected.get_mut("QUITTANCE_ADVERTISE") {
            // Each instance is announced by its own address.
            *address = address.replace(&format!("//{name}:"), "//$(ADDRESS):");
        }
        assert_eq!(plain, expected, "{name}");
        let image = format!("{}:", text(&container["image"]));
        let base = other["image"].as_str().unwrap();
        assert!(base.starts_with(&image), "{name}: {image} is not {base}");
    }
}

#[test]
fn a_service_leaves_before_it_stops_and_is_given_the_time() {
    let places = read(&format!("{DIRECTORY}/places.conf"));
    let kept = places
        .lines()
        .find_map(|line| line.trim().strip_prefix("keepalive_timeout "));
    let kept: u64 = kept
        .unwrap()
        .trim_end_matches("s;")
        .parse()
        .expect("seconds");
    for name in SERVICES {
        let pod = &all("Deployment")[name]["spec"]["template"];
        let (plain, _) = variables(pod);
        let leaves: u64 = plain[LEAVE].parse().expect("seconds");
        let is_given = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
        // What it may take to end the requests that run comes on top.
        assert!(leaves > kept && Some(leaves + 10) < is_given, "{name}");
    }
}

#[test]
fn each_pod_is_given_its_own_secrets_and_owners_go_to_migrations_alone() {
    let script = read(&format!("{DIRECTORY}/secrets.sh"));
    let script = script.replace("\\\n", " ");
    let given = script
        .lines()
        .filter_map(|line| line.trim().strip_prefix("give "));
    let given: BTreeMap<String, BTreeSet<String>> = given
        .map(|line| {
            let mut words = line.split_whitespace().map(str::to_owned);
            (words.next().expect("a workload"), words.collect())
        })
        .collect();
    let compose = containers();
    for (name, pod) in pods() {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let secrets: Vec<_> = volumes.filter_map(|volume| volume.get("secret")).collect();
        // The gateway speaks TLS here, as compose.https.yaml has it do.
        let https = yaml("compose.https.yaml");
        let its = [
            &compose[&name]["secrets"],
            &https["services"][&name]["secrets"],
        ];
        let its = its.into_iter().filter(|secrets| secrets.is_array());
        let its: Vec<String> = its.flat_map(strings).map(str::to_owned).collect();
        let expected: BTreeSet<String> = its.into_iter().collect();
        // 0440: the user of the pod reads them as its group.
        let own = json!({ "secretName": name, "defaultMode": 0o440 });
        assert_eq!(secrets, [&own], "{name}");
        assert_eq!(given[&name], expected, "{name}");
        let of_owners = expected.iter().any(|secret| secret.contains("migration"));
        assert_eq!(of_owners, MIGRATIONS.contains(&name.as_str()), "{name}");
    }
    // Not one value of a secret is here.
    assert!(all("Secret").is_empty());
}

#[test]
fn every_name_leads_to_something() {
    let kustomization = yaml(&format!("{DIRECTORY}/kustomization.yaml"));
    let mut maps = BTreeMap::from([("postgres-roles".to_owned(), BTreeSet::new())]);
    for map in kustomization["configMapGenerator"].as_array().unwrap() {
        let literals = strings(&map["literals"]).into_iter();
        let keys = literals.map(|literal| literal.split_once('=').unwrap().0.to_owned());
        for file in strings(&map["files"]) {
            assert!(root().join(DIRECTORY).join(file).exists(), "{file}");
        }
        maps.insert(text(&map["name"]), keys.collect());
    }
    let claims = all("PersistentVolumeClaim");
    let mut unused = maps["bank"].clone();
    for (name, pod) in pods() {
        for (variable, source) in variables(&pod).1 {
            let Some(key) = source["configMapKeyRef"].as_object() else {
                assert_eq!(source["fieldRef"]["fieldPath"], "status.podIP", "{name}");
                continue;
            };
            let [map, key] = ["name", "key"].map(|part| text(&key[part]));
            assert!(maps[&map].contains(&key), "{name}: {variable}");
            unused.remove(&key);
        }
        let mut volumes: BTreeSet<String> = all("StatefulSet")
            .get(&name)
            .and_then(|set| set["spec"]["volumeClaimTemplates"].as_array().cloned())
            .into_iter()
            .flatten()
            .map(|claim| text(&claim["metadata"]["name"]))
            .collect();
        for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
            if let Some(map) = volume["configMap"]["name"].as_str() {
                assert!(maps.contains_key(map), "{name}: {map}");
            }
            if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                assert!(claims.contains_key(claim), "{name}: {claim}");
            }
            volumes.insert(text(&volume["name"]));
        }
        let mounts = container(&pod)["volumeMounts"].as_array().unwrap().iter();
        let mounted: BTreeSet<String> = mounts.map(|mount| text(&mount["name"])).collect();
        assert_eq!(mounted, volumes, "{name}");
    }
    assert!(unused.is_empty(), "nobody reads {unused:?}");
    // The script makes the one that comes from elsewhere.
    let script = read(&format!("{DIRECTORY}/secrets.sh"));
    assert!(script.contains("create configmap postgres-roles"));
    assert!(root().join("local/containers/postgres.sql").exists());
}

#[test]
fn services_find_their_pods_at_the_ports_where_they_listen() {
    let (pods, services, budgets) = (pods(), all("Service"), all("PodDisruptionBudget"));
    for name in RUNNING {
        let pod = &pods[name];
        let labels = json!({ "app": name });
        assert_eq!(pod["metadata"]["labels"], labels, "{name}");
        assert_eq!(services[name]["spec"]["selector"], labels, "{name}");
        let selects = json!({ "matchLabels": labels });
        assert_eq!(budgets[name]["spec"]["selector"], selects, "{name}");
        assert_eq!(budgets[name]["spec"]["maxUnavailable"], 1, "{name}");
        let workload = ["Deployment", "StatefulSet"].into_iter().flat_map(all);
        let mut workload = workload;
        let workload = workload.find(|(other, _)| other == name).unwrap().1;
        assert_eq!(workload["spec"]["selector"], selects, "{name}");

        let open = container(pod)["ports"][0].clone();
        let service = &services[name]["spec"]["ports"][0];
        assert_eq!(service["targetPort"], open["name"], "{name}");
        let outside = if name == "gateway" { 443 } else { port(name) };
        assert_eq!(service["port"], outside, "{name}");
        assert_eq!(port(name), open["containerPort"], "{name}");
        for probe in ["livenessProbe", "readinessProbe"] {
            assert!(container(pod)[probe].is_object(), "{name}: {probe}");
        }
        if SERVICES.contains(&name) || name == "console" {
            for (probe, path) in [("livenessProbe", "live"), ("readinessProbe", "ready")] {
                let asked = &container(pod)[probe]["httpGet"];
                let expected = json!({ "path": format!("/health/{path}"), "port": "http" });
                assert_eq!(*asked, expected, "{name}");
            }
            assert!(options(&["serve", name]).contains("QUITTANCE_LISTEN"));
        }
    }
}

/// Where the part of this name listens in compose.
fn port(name: &str) -> u64 {
    let container = &containers()[name];
    let address = match name {
        "postgres" => "5432".to_owned(),
        "nats" | "gateway" => text(&container["ports"][0]),
        _ => environment(container)["QUITTANCE_LISTEN"].clone(),
    };
    let port = address.rsplit(':').next().expect("it has a part");
    port.parse().expect("a port")
}

#[test]
fn no_pod_has_rights_it_does_not_need() {
    for (name, pod) in pods() {
        let spec = &pod["spec"];
        assert_eq!(spec["automountServiceAccountToken"], false, "{name}");
        assert_eq!(spec["enableServiceLinks"], false, "{name}");
        let context = &spec["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{name}");
        assert_eq!(
            context["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        let user = &context["runAsUser"];
        let same = containers()[&name]["user"].clone();
        assert_eq!(same, format!("{user}:{}", context["runAsGroup"]), "{name}");
        let closed = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container(&pod)["securityContext"], closed, "{name}");
        let resources = &container(&pod)["resources"];
        for resource in [
            &resources["requests"]["cpu"],
            &resources["limits"]["memory"],
        ] {
            assert!(resource.is_string(), "{name}");
        }
        for too_much in ["hostNetwork", "hostPID", "hostIPC", "serviceAccountName"] {
            assert!(spec.get(too_much).is_none(), "{name}: {too_much}");
        }
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            assert!(volume.get("hostPath").is_none(), "{name}");
        }
    }
    let namespace = &all("Namespace")["quittance"];
    let enforced = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(enforced, "restricted");
}

/// Who may call this part, and whom it may call.
fn peers(policy: &Value, direction: &str, key: &str) -> BTreeSet<String> {
    let rules = policy["spec"][direction].as_array().into_iter().flatten();
    let peers = rules.flat_map(|rule| rule[key].as_array().into_iter().flatten());
    peers
        .flat_map(|peer| {
            let selector = &peer["podSelector"];
            let one = selector["matchLabels"]["app"].as_str().map(str::to_owned);
            let many = strings(&selector["matchExpressions"][0]["values"]);
            let many: Vec<String> = many.into_iter().map(str::to_owned).collect();
            one.into_iter().chain(many)
        })
        .collect()
}

#[test]
fn the_network_is_open_where_compose_and_addresses_need_it_and_nowhere_else() {
    let policies = all("NetworkPolicy");
    let nothing = json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] });
    assert_eq!(policies["nothing"]["spec"], nothing);
    for (name, pod) in pods() {
        let selects = json!({ "matchLabels": { "app": name } });
        assert_eq!(policies[&name]["spec"]["podSelector"], selects, "{name}");
        let mut needed: BTreeSet<String> = variables(&pod)
            .0
            .into_values()
            .filter_map(|value| {
                let host = value.split_once("://")?.1.split_once(':')?.0.to_owned();
                all("Service").contains_key(&host).then_some(host)
            })
            .collect();
        if SERVICES.contains(&name.as_str()) || MIGRATIONS.contains(&name.as_str()) {
            needed.insert("postgres".to_owned());
        }
        if name == "gateway" {
            needed.extend(SERVICES.into_iter().chain(["console"]).map(str::to_owned));
        }
        assert_eq!(peers(&policies[&name], "egress", "to"), needed, "{name}");
        for other in needed {
            let lets_in = peers(&policies[&other], "ingress", "from");
            assert!(lets_in.contains(&name), "{other} keeps {name} out");
            let rules = policies[&name]["spec"]["egress"].as_array().unwrap().iter();
            let way = rules.filter(|rule| {
                rule["to"][0]["podSelector"]["matchLabels"]["app"] == other.as_str()
            });
            let ports: Vec<_> = way.map(|rule| rule["ports"][0]["port"].clone()).collect();
            assert_eq!(ports, [port(&other)], "{name} to {other}");
            assert_eq!(
                policies[&other]["spec"]["ingress"][0]["ports"][0]["port"],
                port(&other)
            );
        }
    }
}

#[test]
fn the_gateway_has_the_same_places_under_full_names() {
    let full = read(&format!("{DIRECTORY}/places.conf"));
    let without_comment = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(
        without_comment(&full.replace(".quittance.svc.cluster.local:", ":")),
        without_comment(&read("gateway/places.conf"))
    );
    assert_eq!(full.matches(".quittance.svc.cluster.local:").count(), 4);
    let namespace = yaml(&format!("{DIRECTORY}/kustomization.yaml"))["namespace"].clone();
    assert_eq!(namespace, "quittance");
}
