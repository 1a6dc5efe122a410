//! The passwords and keys of one bank: made once, kept in `secrets.json` (0600), never in a log.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Its name in a home.
pub(crate) const FILE: &str = "secrets.json";
const POSTGRES_ROLES: [&str; 8] = [
    "postgres",
    "auth",
    "auth_owner",
    "ledger",
    "ledger_owner",
    "payments",
    "payments_owner",
    "audit",
];
const NATS_USERS: [&str; 6] = [
    "auth",
    "ledger",
    "payments",
    "audit",
    "console",
    "collector",
];
/// Services that exchange their callers' tokens.
const EXCHANGERS: [&str; 2] = ["ledger", "payments"];
/// 32 characters, so that a random byte picks one without bias; none that is mistaken for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// One fixed letter and 25 characters of 5 bits: 125 bits.
const PASSWORD_LENGTH: usize = 26;

/// All secrets of a bank.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// PostgreSQL passwords by role: `postgres` (superuser), `<service>`, `<service>_owner` and `audit`.
    pub(crate) postgres: BTreeMap<String, String>,
    /// NATS passwords of our own users: `auth`, `ledger`, `payments`, `audit`, `console`, `collector`.
    pub(crate) nats: BTreeMap<String, String>,
    /// NATS passwords by producer (user of the account EDGE or DIRECT); grows with the producers asked for.
    pub(crate) producers: BTreeMap<String, String>,
    /// What payments and the ledger prove themselves to auth with, by service.
    #[serde(default)]
    pub(crate) exchange: BTreeMap<String, String>,
    /// Where NATS' monitoring page is: nobody else on this machine shall find it.
    #[serde(default)]
    pub(crate) monitor: String,
    /// What auth encrypts its signing keys with: 64 hex digits, 32 bytes.
    pub(crate) key_encryption_key: String,
    /// What the ledger's key for receipts is made from: 64 hex digits, 32 bytes.
    #[serde(default)]
    pub(crate) receipt_key: String,
    /// Passwords of the demo bank's people.
    pub demo: DemoSecrets,
}

/// Passwords of the demo bank, for the code that seeds it.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoSecrets {
    /// Password of `staff@demo.quittance`.
    pub staff: String,
    /// Password of `ada@demo.quittance`.
    pub ada: String,
    /// Password of `grace@demo.quittance`.
    pub grace: String,
    /// Client secret of the service account `demo-shop`: 64 hex digits, 32 bytes.
    pub shop: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl fmt::Debug for DemoSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DemoSecrets(…)")
    }
}

impl Secrets {
    /// Reads the secrets of the bank at `home`, which may be running: to log in to its servers.
    pub fn read(home: &Path) -> Result<Self> {
        let path = home.join(FILE);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
    }

    /// The NATS password of one of our own users or of a producer.
    #[must_use]
    pub fn nats_password(&self, user: &str) -> Option<&str> {
        let password = self.nats.get(user).or_else(|| self.producers.get(user));
        password.map(String::as_str)
    }

    /// The password of a PostgreSQL role.
    #[must_use]
    pub fn postgres_password(&self, role: &str) -> Option<&str> {
        self.postgres.get(role).map(String::as_str)
    }

    /// Reads the secrets at `path`, or makes them when there are none. Adds those that an older version did not know.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self> {
        let mut secrets: Self = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Self::generate()?,
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let has_new = add_passwords(&mut secrets.postgres, &POSTGRES_ROLES)?
            | add_passwords(&mut secrets.nats, &NATS_USERS)?
            | add_passwords(&mut secrets.exchange, &EXCHANGERS)?;
        let has_no_monitor = secrets.monitor.is_empty();
        if has_no_monitor {
            secrets.monitor = password()?;
        }
        let has_no_receipt_key = secrets.receipt_key.is_empty();
        if has_no_receipt_key {
            secrets.receipt_key = hex(random()?);
        }
        if has_new || has_no_monitor || has_no_receipt_key {
            secrets.save(path)?;
        }
        Ok(secrets)
    }

    /// Makes sure that each producer has a password. True when one was added.
    pub(crate) fn add_producers(&mut self, client_ids: &[&str]) -> Result<bool> {
        add_passwords(&mut self.producers, client_ids)
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        write_private(path, &serde_json::to_vec_pretty(self)?)
    }

    /// The secrets that are not one password per name.
    fn generate() -> Result<Self> {
        Ok(Self {
            postgres: BTreeMap::new(),
            nats: BTreeMap::new(),
            producers: BTreeMap::new(),
            exchange: BTreeMap::new(),
            monitor: password()?,
            key_encryption_key: hex(random()?),
            receipt_key: hex(random()?),
            demo: DemoSecrets {
                staff: password()?,
                ada: password()?,
                grace: password()?,
                shop: hex(random()?),
            },
        })
    }
}

/// Writes a file that only we can read, as a whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Makes sure that each name has a password. True when one was added.
fn add_passwords(
    passwords: &mut BTreeMap<String, String>,
    names: &[impl AsRef<str>],
) -> Result<bool> {
    let mut is_added = false;
    for name in names.iter().map(AsRef::as_ref) {
        if !passwords.contains_key(name) {
            passwords.insert(name.to_owned(), password()?);
            is_added = true;
        }
    }
    Ok(is_added)
}

/// Letters and digits, a letter first: the NATS server parses values of variables again.
fn password() -> Result<String> {
    let random = random()?;
    let characters = random.iter().take(PASSWORD_LENGTH - 1);
    let tail = characters.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(std::iter::once('q').chain(tail).collect())
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut source = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    source
        .read_exact(&mut bytes)
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_survive_a_second_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.json");
        let first = Secrets::load_or_create(&path).unwrap();
        let second = Secrets::load_or_create(&path).unwrap();
        assert_eq!(first.postgres, second.postgres);
        assert_eq!(first.key_encryption_key, second.key_encryption_key);
        assert_eq!(first.key_encryption_key.len(), 64);
    }

    #[test]
    fn secrets_of_an_older_version_are_completed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.json");
        let mut old = Secrets::load_or_create(&path).unwrap();
        old.postgres.remove("audit").unwrap();
        old.receipt_key.clear();
        old.save(&path).unwrap();
        let new = Secrets::load_or_create(&path).unwrap();
        assert_eq!(new.postgres["ledger"], old.postgres["ledger"]);
        assert_eq!(new.postgres["audit"].len(), PASSWORD_LENGTH);
        assert_eq!(new.receipt_key.len(), 64);
        let again = Secrets::read(directory.path()).unwrap();
        assert_eq!(again.receipt_key, new.receipt_key);
        assert_eq!(again.postgres, new.postgres);
    }

    #[test]
    fn a_password_is_letters_and_digits_and_starts_with_a_letter() {
        let password = password().unwrap();
        assert_eq!(password.len(), PASSWORD_LENGTH);
        assert!(password.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(password.chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
