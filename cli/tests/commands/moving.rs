//! Money that goes back, as staff type it.

use crate::home::Home;

/// Books a transaction of several postings and takes it back, whole.
pub(crate) fn a_transaction_and_back(home: &Home) {
    let booked = "transaction --debit cash=3 --credit ada=2 --credit grace=1 --wait --json";
    let booked = home.run(booked).json();
    assert_eq!(booked["status"], "settled", "{booked}");
    let id = booked["payment_id"].as_str().unwrap();

    let in_part = home.run(&format!("reverse {id} --amount 1 --wait"));
    assert_eq!(in_part.code, 3, "{}", in_part.stderr);
    let whole = "a transaction is reversed whole, without an amount";
    assert!(in_part.stderr.contains(whole), "{}", in_part.stderr);

    let reversed = home.run(&format!("reverse {id} --wait")).ok();
    assert!(reversed.contains(" is reversed, as request "), "{reversed}");
    let postings = "
All of it is booked back.

  account  debit  credit  balance
  cash              3.00  ";
    assert!(reversed.contains(postings), "{reversed}");
    let shown = home.run(&format!("payment show {id} --as staff")).ok();
    let stands = format!("Transaction {id} is settled, as request ");
    assert!(shown.starts_with(&stands), "{shown}");
    assert!(shown.contains("\nAll of it was booked back.\n"), "{shown}");

    let again = home.run(&format!("reverse {id} --wait"));
    assert_eq!(again.code, 3, "{}", again.stderr);
    let before = format!("all of {id} was reversed before");
    assert!(again.stderr.contains(&before), "{}", again.stderr);
}
