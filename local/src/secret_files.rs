//! The same secrets for servers in containers: each in a file of its own, because a container is given files, and only
//! those it needs.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};

use crate::part::Service;
use crate::secrets::{self, Secrets, write_private};

/// The producers that `nats/producers.conf` knows.
const PRODUCERS: [&str; 1] = ["demo-shop"];

impl Secrets {
    /// Makes the secrets of a bank in containers, once, and (again) their files:
    /// see `compose.yaml`, where its PostgreSQL is `postgres:5432`. With `database_ca`, a file in the containers, the
    /// databases must prove with TLS who they are: its certificates vouch for them.
    pub fn make_files(directory: &Path, database_ca: Option<&Path>) -> Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(secrets::FILE);
        let mut secrets = Self::load_or_create(&path)?;
        if secrets.add_producers(&PRODUCERS)? {
            secrets.save(&path)?;
        }
        secrets.write_files(directory, "postgres:5432", database_ca)
    }

    /// Writes the files; `postgres` is where the services find PostgreSQL, `host:port`.
    pub fn write_files(
        &self,
        directory: &Path,
        postgres: &str,
        database_ca: Option<&Path>,
    ) -> Result<()> {
        let tls = match database_ca {
            None => "sslmode=disable".to_owned(),
            Some(ca) => format!("sslmode=verify-full&sslrootcert={}", ca.display()),
        };
        let write = |name: &str, content: &str| {
            let path = directory.join(name);
            write_private(&path, content.as_bytes())?;
            // A container sees the file with its mode on the host, and has another user. On the host
            // the directory is closed; in the container there is nothing but what it was given.
            fs::set_permissions(&path, Permissions::from_mode(0o444))
                .with_context(|| format!("cannot open {} to the containers", path.display()))
        };
        for (role, password) in &self.postgres {
            write(&format!("postgres_{role}"), password)?;
        }
        for service in Service::ALL {
            for (file, role) in [
                ("database_url", service.name().to_owned()),
                ("migration_database_url", format!("{service}_owner")),
            ] {
                let password = &self.postgres[&role];
                let url = format!("postgres://{role}:{password}@{postgres}/{service}?{tls}");
                write(&format!("{file}_{service}"), &url)?;
            }
        }
        for (user, password) in self.nats.iter().chain(&self.producers) {
            write(&format!("nats_{user}"), password)?;
        }
        for (service, secret) in &self.exchange {
            write(&format!("exchange_{service}"), secret)?;
        }
        write("receipt_key_ledger", &self.receipt_key)?;
        write("key_encryption_key", &self.key_encryption_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_again_the_files_are_the_same_and_closed_by_their_directory() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("secrets");
        let read = |database_ca| {
            Secrets::make_files(&directory, database_ca).unwrap();
            fs::read_to_string(directory.join("database_url_ledger")).unwrap()
        };
        let url = read(None);
        assert!(url.starts_with("postgres://ledger:q"), "{url}");
        assert_eq!(url, read(None));
        let verified = read(Some(Path::new("/ca")));
        let tls = "sslmode=verify-full&sslrootcert=/ca";
        assert_eq!(verified, url.replace("sslmode=disable", tls));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join("secrets.json")), 0o600);
        assert_eq!(mode(&directory.join("nats_demo-shop")), 0o444);
    }
}
