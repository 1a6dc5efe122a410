//! What people copy out of `examples/` works on a bank as it stands there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::{Home, Ran};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn run(command: &mut Command) -> Ran {
    command.output().unwrap().into()
}

/// An open bank, and an empty directory in which an example runs.
struct Shop {
    home: Home,
    variables: Vec<(String, String)>,
    place: tempfile::TempDir,
}

impl Shop {
    /// The variables are those that README's line sets.
    fn open() -> Self {
        let home = Home::new();
        let place = tempfile::tempdir().unwrap();
        let status = home.run("up --detach --json --free-ports").ok();
        let file = place.path().join("status.json");
        fs::write(&file, &status).unwrap();
        let mut python = Command::new("python3");
        python.arg(examples().join("environment.py"));
        let told = run(python.stdin(fs::File::open(&file).unwrap())).ok();
        fs::remove_file(file).unwrap();
        let variables = told.lines().map(|line| {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap()
                .split_once('=')
                .unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        });
        Self {
            home,
            variables: variables.collect(),
            place,
        }
    }

    /// A program, started as from a shell that has the variables.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.envs(variables).current_dir(self.place.path());
        command
    }

    /// The receipt that the example kept is good, and so is the log when it is decided again from a file.
    fn check(&self) {
        let receipt = self.place.path().join("receipt.json");
        let checked = format!("audit check-receipt --json {}", receipt.display());
        let checked = self.home.run(&checked).ok();
        assert!(checked.contains("settled"), "{checked}");
        let file = self.place.path().join("log");
        let file = file.display();
        self.home.run(&format!("audit export {file}")).ok();
        let replayed = self.home.run(&format!("audit replay --from-file {file}"));
        assert!(replayed.ok().starts_with("The log, decided again, leads"));
    }
}

/// Over HTTP, over NATS, and both answers heard.
#[track_caller]
fn told_of_both(told: &str) {
    assert!(told.contains("over HTTP: "), "{told}");
    let answers = told.lines().filter(|line| line.starts_with("answer "));
    let settled = answers.filter(|line| line.contains("settled")).count();
    assert_eq!(settled, 2, "{told}");
}

#[test]
fn the_shop_with_curl_pays_once_however_often_it_is_run() {
    let shop = Shop::open();
    let script = examples().join("curl/shop.sh");
    let pay = |variables: &[(&str, &str)]| {
        let mut sh = shop.command("sh");
        run(sh.arg(&script).envs(variables.iter().copied()))
    };
    let order = ("PAYMENT_ID", "01a21bc4-8b3d-7581-9d81-9e47b3c901d1");
    let first = pay(&[order]).ok();
    assert!(first.contains("is settled, as request "), "{first}");
    assert_eq!(pay(&[order]).ok(), first);
    shop.check();

    let ran = pay(&[("QUITTANCE_CLIENT_SECRET", "wrong")]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("401") && ran.stderr.contains("invalid_client"));
    assert!(!ran.stdout.contains("receipt"), "{}", ran.stdout);
}

#[test]
fn the_shop_in_python_pays_hears_of_it_and_checks_its_receipt() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shop-python");
    let python = local::testing::python(&place, &examples().join("python/requirements.txt"));
    let shop = Shop::open();
    let told = run(shop.command(python).arg(examples().join("python/shop.py"))).ok();
    told_of_both(&told);
    assert!(told.contains("has signed."), "{told}");
    shop.check();
}

#[test]
fn the_shop_in_typescript_pays_hears_of_it_and_keeps_a_receipt() {
    if Command::new("npm").arg("--version").output().is_err() {
        let is_required = std::env::var_os("QUITTANCE_NPM").is_some_and(|word| word == "required");
        assert!(!is_required, "npm is missing");
        eprintln!("NOT RUN: there is no npm here, so examples/typescript was not tried");
        return;
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shop-typescript");
    fs::create_dir_all(&place).unwrap();
    for file in [
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "shop.ts",
    ] {
        fs::copy(examples().join("typescript").join(file), place.join(file)).unwrap();
    }
    let npm = |arguments: &[&str]| {
        run(Command::new("npm").args(arguments).current_dir(&place)).ok();
    };
    npm(&["ci", "--silent", "--no-audit", "--no-fund"]);
    // With its types checked.
    npm(&["run", "--silent", "build"]);
    let shop = Shop::open();
    told_of_both(&run(shop.command("node").arg(place.join("shop.js"))).ok());
    shop.check();
}

#[test]
fn the_shop_in_rust_pays_hears_of_it_and_keeps_a_receipt() {
    let shop = Shop::open();
    // `cargo test --workspace` has built it, with the same features; whoever tests less has an older one, or none.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--workspace",
        "--example",
        "shop",
    ]);
    run(cargo.current_dir(env!("CARGO_MANIFEST_DIR"))).ok();
    let programs = Path::new(env!("CARGO_BIN_EXE_quittance")).parent().unwrap();
    told_of_both(&run(&mut shop.command(programs.join("examples/shop"))).ok());
    shop.check();
}
