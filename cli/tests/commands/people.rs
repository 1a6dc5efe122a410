//! People of a bank that is open: invited, changed, and left as they are by the next start.

use serde_json::Value;

use crate::home::{Home, quittance};

const PASSWORD: &str = "seven.quiet.rivers.meet";

fn demo(home: &Home) -> Value {
    let status: Value = serde_json::from_str(&home.run("status --json").ok()).unwrap();
    status["demo"].clone()
}

#[test]
fn whoever_changed_a_password_keeps_it_and_it_is_shown_nowhere() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    assert!(demo(&home)["customers"][0]["password"].is_string());
    let set = format!("users set-password ada@demo.quittance --password {PASSWORD}");
    home.run(&set).ok();
    for again in ["status", "up --detach --json --free-ports"] {
        home.run(again).ok();
        let demo = demo(&home);
        assert!(demo["customers"][0]["password"].is_null(), "{demo}");
        assert!(demo["staff"]["password"].is_string(), "{demo}");
    }
    home.run("down").ok();
    let up = home.run("up --detach --json --free-ports").ok();
    let up: Value = serde_json::from_str(&up).unwrap();
    assert!(up["demo"]["customers"][0]["password"].is_null(), "{up}");
    let lost = home.run("token --as ada");
    assert_eq!(lost.code, 1, "{}", lost.stderr);
    assert!(lost.stderr.contains("hint: log in with"), "{}", lost.stderr);
    let login = format!("--email ada@demo.quittance --password {PASSWORD}");
    home.run(&format!("token {login}")).ok();

    let enrolled = home.run(&format!("users second-factor enrol {login}")).ok();
    assert!(enrolled.contains("otpauth://totp/Quittance:ada@demo.quittance?secret="));
    let wrong = home.run(&format!("users second-factor confirm 0000000 {login}"));
    assert_eq!(wrong.code, 1, "{}", wrong.stderr);
    home.run("users second-factor reset ada@demo.quittance")
        .ok();
}

#[test]
fn a_bank_that_asks_its_staff_for_a_second_factor_opens_and_tells_how_to_turn_one_on() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    home.run("down").ok();
    let mut up = quittance(&home.path());
    up.args(["up", "--detach", "--json", "--free-ports"]);
    up.env("QUITTANCE_STAFF_SECOND_FACTOR", "required");
    assert!(up.output().unwrap().status.success());
    let shown = home.run("users second-factor show --as staff").ok();
    assert!(shown.contains("off, and the bank asks"), "{shown}");
    let refused = home.run("users list");
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let enrolled = home.run("users second-factor enrol --as staff").ok();
    assert!(
        enrolled.contains("confirm CODE --as staff"),
        "the next command is for the same person: {enrolled}"
    );
    // The customers of the demo go on.
    home.run("pay --from ada --to grace --amount 1 --wait").ok();
}

#[test]
fn somebody_invited_becomes_staff_and_no_administrator_knows_the_password() {
    let home = Home::new();
    home.run("up --detach --json --free-ports").ok();
    let invited = home
        .run("users invite eve@bank.test --role staff --json")
        .ok();
    let invited: Value = serde_json::from_str(&invited).unwrap();
    let accept = |code: &Value| {
        let code = code["code"].as_str().unwrap();
        home.run(&format!("users accept {code} --password {PASSWORD}"))
    };
    assert!(accept(&invited).ok().contains("eve@bank.test"));
    let used = accept(&invited);
    assert_eq!(used.code, 1, "{}", used.stderr);
    let role = home.run("users role eve@bank.test customer").ok();
    assert!(role.contains("customer"), "{role}");
    home.run("users unlock eve@bank.test").ok();
    let reset = home.run("users reset eve@bank.test --json").ok();
    let reset: Value = serde_json::from_str(&reset).unwrap();
    accept(&reset).ok();
    let login = format!("--email eve@bank.test --password {PASSWORD}");
    home.run(&format!("token {login}")).ok();
    // Somebody else than the demo's staff asks, too.
    home.run("users role eve@bank.test admin").ok();
    let as_eve = format!("--as eve@bank.test --as-password {PASSWORD}");
    for asked in [
        "users show eve@bank.test",
        "users list",
        "clients list",
        "keys list",
        "audit events",
        "mandates list",
    ] {
        home.run(&format!("{asked} {as_eve}")).ok();
    }
    let nobody = home.run("users list --as eve");
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    let nobody = home.run("users show nobody");
    assert_eq!(nobody.code, 5, "{}", nobody.stderr);
    home.run("users role eve@bank.test customer").ok();
    let last = home.run("users role staff@demo.quittance staff");
    assert!(
        last.stderr.contains("last administrator"),
        "{}",
        last.stderr
    );
}
