//! Accounts as they were: on the screen, as JSON, and in files.

use std::fs;

use crate::home::Home;

/// On a bank where Ada and Grace have what they began with, after payments between them.
pub(crate) fn accounts_as_they_were(home: &Home) {
    let now = home.run("account balance ada --json").json();
    assert_eq!(now["balance"], "1000.00", "{now}");
    let backdated = "pay --from ada --to grace --amount 3.00 --effective-date 2026-02-03 --wait";
    home.run(backdated).ok();
    home.run("pay --from grace --to ada --amount 3.00 --wait")
        .ok();
    let day = home.run("account balance ada --effective 2026-02-03").ok();
    assert!(day.contains("  balance        -3.00 EUR\n"), "{day}");
    let recorded = now["recorded"].as_str().unwrap();
    let then = format!("account balance ada --effective 2026-02-03 --recorded {recorded}");
    assert!(home.run(&then).ok().contains("  0.00 EUR\n"));
    let future = home.run("account balance ada --effective 2999-01-01");
    assert!(future.stderr.contains("effective is in the future"));
    assert_eq!(home.run("account balance grace --as ada").code, 5);
    assert_eq!(home.run("account statement grace --as ada").code, 5);

    let lines = "account statement ada --by effective --limit 1";
    let table = home.run(lines).ok();
    let row = "  2026-02-03  grace   -3.00    -3.00\n";
    assert!(table.contains(row), "{table}");
    let (_, cursor) = table.split_once("`--cursor ").unwrap();
    let cursor = cursor.split('`').next().unwrap();
    let more = home.run(&format!("{lines} --cursor {cursor}")).ok();
    assert!(more.contains("997.00"), "{more}");

    let whole = home.run("account statement ada --json").json();
    let count = whole["count"].as_u64().unwrap();
    let postings = whole["postings"].as_array().unwrap();
    assert_eq!(u64::try_from(postings.len()).unwrap(), count, "{whole}");
    for (format, begins) in [
        ("json", "{\"account_id\""),
        ("csv", "line,number,request_seq"),
        ("camt.053", "<?xml version=\"1.0\""),
    ] {
        let file = home.path().join("statement");
        let command = format!(
            "account statement ada --format {format} -o {}",
            file.display()
        );
        assert_eq!(home.run(&command).ok(), "");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(begins), "{text}");
        let printed = home
            .run(&format!("account statement ada --format {format}"))
            .ok();
        assert_eq!(printed.lines().count(), text.lines().count(), "{printed}");
    }
    let books = home.run("trial-balance").ok();
    assert!(
        books.contains("Debits and credits are equal, after request "),
        "{books}"
    );
    let then = home
        .run(&format!("trial-balance --as-of {recorded} --json"))
        .json();
    assert_eq!(then["currencies"][0]["difference"], "0.00", "{then}");
    assert_eq!(
        home.run("trial-balance --as-of 2999-01-01T00:00:00Z").code,
        1
    );
    assert_eq!(home.run("trial-balance --as ada").code, 1);
}
