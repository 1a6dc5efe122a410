//! `quittance services`, on a bank that people have opened.

use crate::home::Home;

#[test]
fn services_shows_what_runs_and_nothing_once_the_bank_is_closed() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    // Who answers late is not seen by one look.
    let (found, shown) = (0..20)
        .map(|_| {
            (
                home.run("services --json").json(),
                home.run("services").ok(),
            )
        })
        .find(|(found, shown)| {
            let names: Vec<_> = found
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["service"].as_str())
                .collect();
            let is_shown = |name: &str| shown.contains(name);
            let expected = ["auth", "console", "ledger", "payments"];
            names == expected.map(Some) && expected.into_iter().all(is_shown)
        })
        .expect("all four are found");
    let found = found.as_array().unwrap();
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
