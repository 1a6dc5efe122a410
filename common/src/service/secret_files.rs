//! Secrets from files. Whoever runs containers hands passwords over as files: for each option of a service that is a
//! secret and has a variable `X`, the variable `X_FILE` can name the file with its value instead.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use clap::{Arg, Command};

/// The command, its secret options (those that hide their variable's value) set from files where the environment says so.
///
/// # Errors
/// When a named file can't be read, or when an option has both a value and a file.
pub fn read_secret_files(command: Command) -> anyhow::Result<Command> {
    read(command, &|name| env::var_os(name))
}

fn read(command: Command, variable: &dyn Fn(&str) -> Option<OsString>) -> anyhow::Result<Command> {
    let mut outcome = Ok(());
    let command = command.mut_args(|arg| match read_one(arg.clone(), variable) {
        Ok(arg) => arg,
        Err(error) => {
            outcome = Err(error);
            arg
        }
    });
    outcome.map(|()| command)
}

fn read_one(arg: Arg, variable: &dyn Fn(&str) -> Option<OsString>) -> anyhow::Result<Arg> {
    let name = arg.get_env().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| arg.is_hide_env_values_set()) else {
        return Ok(arg);
    };
    let (name, of_file) = (name.to_owned(), format!("{name}_FILE"));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let arg = arg.help(format!("{help}; or {of_file} names a file that holds it"));
    let Some(path) = variable(&of_file) else {
        return Ok(arg);
    };
    ensure!(
        variable(&name).is_none(),
        "{name} and {of_file} are both set"
    );
    let path = Path::new(&path);
    let text = fs::read_to_string(path)
        .with_context(|| format!("{of_file} names {}, which can't be read", path.display()))?;
    // The option lives as long as the process, and so may its value.
    let value: &'static str = text.trim_end_matches(['\r', '\n']).to_owned().leak();
    ensure!(!value.is_empty(), "{} is empty", path.display());
    Ok(arg
        .default_value(value)
        .hide_default_value(true)
        .required(false))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;
    use crate::broker;

    /// What the broker's options come out as, in an environment of these variables.
    fn parse(variables: &[(&str, &Path)]) -> anyhow::Result<broker::Config> {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.as_os_str().to_owned())
        };
        let command = broker::Config::augment_args(Command::new("test"));
        let matches = read(command, &variable)?.try_get_matches_from(["test", "--nats-user=u"])?;
        Ok(broker::Config::from_arg_matches(&matches)?)
    }

    fn file(content: &str) -> std::path::PathBuf {
        let path = env::temp_dir().join(format!("quittance-secret-{}", uuid::Uuid::new_v4()));
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_secret_is_the_content_of_its_file_without_the_end_of_the_line() {
        let path = file("hunter2\n");
        let config = parse(&[("QUITTANCE_NATS_PASSWORD_FILE", &path)]).unwrap();
        assert_eq!(config.password, "hunter2");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_missing_file_an_empty_one_and_a_second_value_are_errors() {
        let refusal = |variables: &[_]| parse(variables).unwrap_err().to_string();
        let nowhere = Path::new("/nowhere/secret");
        let missing = refusal(&[("QUITTANCE_NATS_PASSWORD_FILE", nowhere)]);
        assert!(missing.contains("names /nowhere/secret"), "{missing}");

        let path = file("\n");
        let empty = refusal(&[("QUITTANCE_NATS_PASSWORD_FILE", &path)]);
        assert!(empty.ends_with("is empty"), "{empty}");
        let twice = refusal(&[
            ("QUITTANCE_NATS_PASSWORD_FILE", &path),
            ("QUITTANCE_NATS_PASSWORD", nowhere),
        ]);
        assert!(twice.ends_with("are both set"), "{twice}");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_file_nothing_changes_but_the_help() {
        let missing = parse(&[]).unwrap_err().to_string();
        assert!(missing.contains("--nats-password"), "{missing}");
        let command = broker::Config::augment_args(Command::new("test"));
        let mut command = read(command, &|_| None).unwrap();
        let help = command.render_help().to_string();
        assert!(help.contains("QUITTANCE_NATS_PASSWORD_FILE"), "{help}");
        assert!(!help.contains("QUITTANCE_NATS_USER_FILE"), "{help}");
    }
}
