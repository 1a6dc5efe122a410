//! What is printed fits a terminal that nobody has widened.

use std::path::Path;

use crate::home::{Home, Ran, quittance};

const WIDTH: usize = 80;

#[track_caller]
fn fits(what: &str, text: &str) {
    let long = text.lines().filter(|line| line.chars().count() > WIDTH);
    assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new(), "{what}");
}

#[test]
fn everything_fits_a_terminal() {
    let home = Home::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for command in [
        "up --detach --free-ports",
        "up",
        "demo",
        "status",
        "doctor",
        "pay --from ada --to grace --amount 1",
        "pay --from ada --to grace --amount 1 --wait",
        "payment list --client-id ada",
        "account open --owner ada",
        "account list",
        "account show ada",
        "account balance ada",
        "account statement ada",
        "account statement cash --by effective",
        "trial-balance",
        "transaction --debit cash=1 --credit ada=1 --wait",
        "payment list",
        "file statement ada",
        "file list",
        "watch --until-end",
        "audit replay",
        "--help",
        "up --help",
        "pay --help",
        "account open --help",
        "login --help",
        "banks --help",
    ] {
        let mut program = quittance(&home.path());
        // Where the program's path is as short as it is in a checkout.
        program.current_dir(checkout);
        let ran: Ran = program
            .args(command.split_whitespace())
            .output()
            .unwrap()
            .into();
        fits(command, &ran.ok());
    }
}
