//! The services that were found as nginx' upstreams, written into a configuration that stays otherwise as it is.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use common::service::Instance;

/// Brings the `server` lines of each `upstream` up to what was found. A service of which nobody answers keeps its lines: it
/// may be the broker that is away. Returns what changed, a sentence for each upstream.
///
/// # Errors
/// When the file can't be read or written, or names none of the services.
pub(super) fn update(file: &Path, found: &[Instance]) -> Result<Vec<String>> {
    let before =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (after, changes) = rewritten(&before, &addresses(found));
    let known = before.lines().filter_map(name_of_upstream).count();
    ensure!(known > 0, "{} has no upstream {{", file.display());
    if !changes.is_empty() {
        replace(file, &after).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(changes)
}

/// Where the instances of each service answer, as words of nginx' configuration.
fn addresses(found: &[Instance]) -> BTreeMap<&str, Vec<String>> {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let is_down = |one: &&Instance| one.status == "DOWN";
    for one in found {
        // One that is down is better than none.
        let mut others = found.iter().filter(|other| other.service == one.service);
        if is_down(&one) && others.any(|other| !is_down(&other)) {
            continue;
        }
        if let Some(server) = server(&one.address) {
            all.entry(&one.service).or_default().push(server);
        }
    }
    for servers in all.values_mut() {
        servers.sort_unstable();
        servers.dedup();
    }
    all
}

/// `http://ledger:8082` as `server ledger:8082 resolve;`: a name may get another address, an address stays.
fn server(address: &str) -> Option<String> {
    let url = reqwest::Url::parse(address).ok()?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    // It becomes a word of the configuration.
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if url.scheme() != "http" || !host.chars().all(is_word) {
        return None;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let resolve = if bare.parse::<IpAddr>().is_ok() {
        ""
    } else {
        " resolve"
    };
    Some(format!("server {host}:{port}{resolve};"))
}

fn name_of_upstream(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("upstream ")?.strip_suffix('{')?;
    Some(name.trim())
}

fn rewritten(before: &str, found: &BTreeMap<&str, Vec<String>>) -> (String, Vec<String>) {
    let mut lines: Vec<String> = Vec::new();
    let mut changes = Vec::new();
    // The upstream that the line is in, and its servers before.
    let mut within: Option<(&str, Vec<String>)> = None;
    for line in before.lines() {
        let words = line.trim();
        if let Some(name) = name_of_upstream(line) {
            within = Some((name, Vec::new()));
        } else if let Some((name, servers)) = &mut within
            && let Some(now) = found.get(*name)
        {
            if words.starts_with("server ") {
                servers.push(words.to_owned());
                continue;
            }
            if words == "}" {
                lines.extend(now.iter().map(|server| format!("    {server}")));
                servers.sort_unstable();
                if servers != now {
                    changes.push(format!("{name}: {}", now.join(" ")));
                }
            }
        }
        if words == "}" {
            within = None;
        }
        lines.push(line.to_owned());
    }
    (lines.join("\n") + "\n", changes)
}

/// In one step, and readable by whoever could read it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let before = fs::metadata(file)?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    fs::set_permissions(new.path(), before.permissions())?;
    chown(new.path(), Some(before.uid()), Some(before.gid()))?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &str = "\
resolver 127.0.0.11 valid=10s;
upstream auth {
    zone auth 64k;
    server auth:8081 resolve;
    keepalive 64;
}
upstream ledger {
    server ledger:8082 resolve;
}
map \"\" $media {
    default /srv/media;
}
";

    fn instance(service: &str, address: &str) -> Instance {
        Instance {
            service: service.to_owned(),
            version: "1.2.3".to_owned(),
            id: "x".to_owned(),
            address: address.to_owned(),
            status: "ready".to_owned(),
            detail: String::new(),
            since: None,
        }
    }

    #[test]
    fn each_upstream_gets_the_servers_that_were_found() {
        let found = [
            instance("auth", "http://10.0.0.2:8081"),
            instance("auth", "http://auth-2:8081/"),
            instance("auth", "http://10.0.0.2:8081"),
            instance("auth", "http://[::1]:8081"),
            instance("payments", "http://10.0.0.9:8083"),
            Instance {
                status: "DOWN".to_owned(),
                ..instance("auth", "http://10.0.0.3:8081")
            },
        ];
        let (after, changes) = rewritten(PLACES, &addresses(&found));
        let auth = "\
upstream auth {
    zone auth 64k;
    keepalive 64;
    server 10.0.0.2:8081;
    server [::1]:8081;
    server auth-2:8081 resolve;
}
upstream ledger {
    server ledger:8082 resolve;
}
";
        assert!(after.contains(auth), "{after}");
        assert!(after.ends_with("    default /srv/media;\n}\n"), "{after}");
        assert_eq!(
            changes,
            ["auth: server 10.0.0.2:8081; server [::1]:8081; server auth-2:8081 resolve;"]
        );
        let again = rewritten(&after, &addresses(&found));
        assert_eq!(again, (after, Vec::new()));
    }

    #[test]
    fn what_an_instance_says_of_itself_is_no_configuration() {
        for address in [
            "",
            "nonsense",
            "https://auth:8081",
            "http://a;drop:80",
            "http://a{b}:80",
            "unix:/run/auth",
        ] {
            assert_eq!(server(address), None, "{address}");
        }
    }
}
