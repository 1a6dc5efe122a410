//! Money over the counter, and the numbers that people type instead of UUIDs.

use crate::home::Home;

/// On a bank where Ada and Grace have what they began with.
pub(crate) fn money_over_the_counter(home: &Home) {
    let number = |account: &str| {
        let shown = home.run(&format!("account show {account} --json")).json();
        shown["account_number"].as_str().unwrap().to_owned()
    };
    let (ada, grace) = (number("ada"), number("grace"));
    let listed = home.run("account list").ok();
    assert!(listed.contains(&ada) && listed.contains(&grace), "{listed}");

    // A number does wherever an account is typed, in any spelling; a digit that is wrong is noticed.
    let shown = home
        .run(&format!("account show {}", ada.to_lowercase()))
        .ok();
    assert!(shown.contains("Ada") && shown.contains(&ada), "{shown}");
    let statement = home.run(&format!("account statement {ada}")).ok();
    assert!(statement.contains(&ada), "{statement}");
    let mistyped = format!("{}{}", &ada[..15], (ada.as_bytes()[15] - b'0' + 1) % 10);
    let refused = home.run(&format!("account show {mistyped}"));
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("check digits"),
        "{}",
        refused.stderr
    );
    let unknown = home.run("account show QT48000000999999");
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    // She may pay to a number without seeing the account behind it.
    home.run(&format!(
        "pay --from {ada} --to {grace} --amount 3.00 --as ada --wait"
    ))
    .ok();
    home.run(&format!(
        "pay --from {grace} --to {ada} --amount 3.00 --as grace --wait"
    ))
    .ok();
    assert_eq!(home.run(&format!("account show {grace} --as ada")).code, 5);

    home.run(&format!("deposit {ada} 20.00 --reference Counter --wait"))
        .ok();
    let more = home.run("withdraw ada 2000.00 --wait");
    assert_eq!(more.code, 3);
    assert!(more.stderr.contains("AM04"), "{}", more.stderr);
    home.run("withdraw ada 20.00 --via cash --wait").ok();
    for (what, code) in [
        ("deposit ada 5.00 --as ada --via cash --wait", "AG01"),
        ("withdraw ada 5.00 --as ada --via cash --wait", "AG01"),
    ] {
        let refused = home.run(what);
        assert_eq!(refused.code, 3, "{what}: {}", refused.stderr);
        assert!(refused.stderr.contains(code), "{what}: {}", refused.stderr);
    }

    let open = "account open --owner bank --category asset --currency USD --metadata branch=Berlin --metadata desk=3";
    let opened = home.run(open).ok();
    assert!(opened.contains("branch: Berlin"), "{opened}");
}
