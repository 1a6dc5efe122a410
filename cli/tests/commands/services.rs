//! `quittance services`, on a bank that people have opened.

use crate::home::Home;

#[test]
fn services_shows_what_runs_and_nothing_once_the_bank_is_closed() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    let found = home.run("services --json").json();
    let found = found.as_array().unwrap();
    let names: Vec<_> = found.iter().map(|one| one["service"].as_str()).collect();
    let expected = ["auth", "console", "ledger", "payments"].map(Some);
    assert_eq!(names, expected);
    let shown = home.run("services").ok();
    for one in found {
        let line = shown
            .lines()
            .find(|line| line.contains(one["address"].as_str().unwrap()));
        let line = line.unwrap_or_else(|| panic!("{one}: {shown}"));
        assert!(line.contains("ready") && line.contains(env!("CARGO_PKG_VERSION")));
    }
    home.run("down").ok();
    assert_eq!(home.run("services").code, 6);
}
