//! A Python for what is written in it: scripts that people copy, and other people's libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python in a virtual environment with what this file of ours lists, kept in `place` between runs, and made anew when
/// the list changes. Panics when it cannot be had: a test has nothing else to do then.
pub fn python(place: &Path, requirements: &Path) -> PathBuf {
    let (python, installed) = (place.join("bin/python"), place.join("installed"));
    let wanted = fs::read_to_string(requirements).expect("a file of ours");
    if fs::read_to_string(&installed).is_ok_and(|list| list == wanted) {
        return python;
    }
    let mut venv = Command::new("python3");
    run(venv.args(["-m", "venv", "--clear"]).arg(place));
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    run(pip.arg("--requirement").arg(requirements));
    fs::write(installed, wanted).expect("a directory of ours");
    python
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}
