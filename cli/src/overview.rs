//! What `quittance up` says about an open bank: where everything is, who can log in, and what to try first.

use std::collections::BTreeMap;

use anyhow::Result;
use common::ids::AccountId;
use local::{Demo, Part, Status};
use serde_json::json;
use uuid::Uuid;

use crate::names::account_name;
use crate::print;
use crate::running::{Running, invocation, quoted};

/// The parts, the port that each usually has, and what each is for.
const PARTS: [(&str, &str, &str); 7] = [
    ("gateway", "8080", "one address for all of it"),
    ("auth", "8081", "log in, get a token"),
    ("ledger", "8082", "accounts and their balances"),
    ("payments", "8083", "ask for payments, look at them"),
    ("console", "8084", "pages for the staff: /admin/"),
    ("NATS", "4222", "the logs of requests and answers"),
    ("PostgreSQL", "5433", "the books"),
];

/// The URLs in the order of [`PARTS`].
fn urls(status: &Status) -> [&str; 7] {
    [
        status.gateway.as_deref().unwrap_or_default(),
        &status.auth,
        &status.ledger,
        &status.payments,
        status.console.as_deref().unwrap_or_default(),
        &status.nats,
        &status.postgres,
    ]
}

/// What is said; `last_ports` are those of the home's last start, by part.
pub(crate) fn text(
    running: &Running,
    last_ports: &BTreeMap<String, u16>,
    headline: &str,
) -> Result<String> {
    let mut paragraphs = vec![headline.to_owned(), parts(&running.status)];
    paragraphs.extend(moved(&running.status, last_ports));
    if let Some(demo) = &running.status.demo {
        paragraphs.push(logins(demo)?);
        paragraphs.push(first_payment(running, demo)?);
    }
    paragraphs.push(format!(
        "Its logs are in {}.\nTo read its books: psql \"$({} status --books)\"",
        running.home.join("logs").display(),
        invocation(&running.home)
    ));
    Ok(paragraphs.join("\n\n"))
}

fn parts(status: &Status) -> String {
    let mut table = print::table(&[]);
    for ((name, _, what), url) in PARTS.into_iter().zip(urls(status)) {
        table.add_row([name, url, what]);
    }
    print::text(table)
}

/// Which ports are not those that one would expect.
fn moved(status: &Status, last: &BTreeMap<String, u16>) -> Option<String> {
    let parts = PARTS.into_iter().zip(urls(status));
    let moved = parts.filter(|((name, usual, _), url)| {
        let part = if *name == "PostgreSQL" {
            Part::Postgres.name().to_owned()
        } else {
            name.to_lowercase()
        };
        let expected = match last.get(&part) {
            Some(last) => last.to_string(),
            None => (*usual).to_owned(),
        };
        !url.ends_with(&format!(":{expected}"))
    });
    let moved: Vec<&str> = moved.map(|((name, _, _), _)| name).collect();
    let from = if last.is_empty() { "usual" } else { "old" };
    if moved.len() == PARTS.len() {
        return Some(format!("Nothing is on its {from} port."));
    }
    (!moved.is_empty()).then(|| format!("Not on their {from} ports: {}.", moved.join(", ")))
}

fn logins(demo: &Demo) -> Result<String> {
    let mut people = print::table(&["who", "login", "password"]);
    let mut accounts = print::table(&["who", "account"]);
    people.add_row([
        "staff",
        &demo.staff.email,
        shown(demo.staff.password.as_ref()),
    ]);
    for customer in &demo.customers {
        let account: AccountId = customer.account.parse()?;
        let name = account_name(account);
        people.add_row([&name, &customer.email, shown(customer.password.as_ref())]);
        accounts.add_row([&name, &customer.account]);
    }
    let nats = &demo.producer;
    people.add_row(["shop, NATS", &nats.user, &nats.password]);
    let shop = &demo.service_account;
    Ok(format!(
        "{}\n\n  The shop's HTTP login is {}, with the client secret\n  {}\n\n{}",
        print::text(people),
        shop.client_id,
        shop.client_secret,
        print::text(accounts),
    ))
}

/// A password, or that it is another by now.
fn shown(password: Option<&String>) -> &str {
    password.map_or("(changed)", String::as_str)
}

/// Something to paste.
fn first_payment(running: &Running, demo: &Demo) -> Result<String> {
    let [ada, grace] = demo.customers.as_slice() else {
        anyhow::bail!("the demo has two customers");
    };
    let Status { auth, payments, .. } = &running.status;
    let login = [
        ("email", &*ada.email),
        ("password", shown(ada.password.as_ref())),
    ];
    let payment_id = Uuid::now_v7().to_string();
    let payment = [
        ("payment_id", &*payment_id),
        ("debtor_account", &*ada.account),
        ("creditor_account", &*grace.account),
        ("amount", "30.00"),
        ("currency", "EUR"),
    ];
    let (login, payment) = (body(&login), body(&payment));
    let quittance = invocation(&running.home);
    Ok(format!(
        "Ada pays Grace 30.00 EUR. With curl (twice is once: the payment has an id):

  TOKEN=$(curl -s {auth}/api/token/ \\
    -H 'content-type: application/json' \\
    -d {login} |
    sed -n 's/.*\"access\":\"\\([^\"]*\\).*/\\1/p')
  curl -s {payments}/payments \\
    -H \"authorization: Bearer ${{TOKEN:?no token: is the password right?}}\" \\
    -H 'content-type: application/json' -H 'prefer: wait=5' \\
    -d {payment}

With this program, and then the whole story:

  {quittance} pay --from ada --to grace --amount 30.00 --wait
  {quittance} demo"
    ))
}

/// A JSON object as a word for the shell, a line for each field.
fn body(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| format!("{}:{}", json!(name), json!(value)))
        .collect();
    quoted(&format!("{{{}}}", fields.join(",\n         ")))
}
