//! What somebody might change in the books by hand, and what a verification says of it.

use uuid::Uuid;

/// What somebody might change in the answers and in what follows from them by hand, how it is undone, and what a
/// verification says of it.
pub(super) fn forged_answers(seq: u64, last: u64) -> Vec<(String, String, String)> {
    let answer = |change: &str| format!("update answer set {change} where request_seq = {seq}");
    // With a chain that fits again, and no tree that tells: then only SETTLEMENTS knows.
    let rechained = |body: &str| {
        format!(
            "delete from checkpoint; delete from tile; update tree set size = 0;
             update answer set body = {body} where request_seq = {last};
             update answer set chain = sha256(
                 (select chain from answer where request_seq = {last} - 1) || int8send(request_seq)
                 || int8send((extract(epoch from published_at) * 1000000)::bigint) || request_digest || sha256(body)
             ) where request_seq = {last};
             update cursor set chain = (select chain from answer where request_seq = {last})"
        )
    };
    let row = |forgery: String, undone: String, expected: String| (forgery, undone, expected);
    vec![
        row(
            "update tile set hashes = sha256(hashes) || substr(hashes, 33) where level = 0".to_owned(),
            "delete from tile; update tree set size = 0; delete from checkpoint".to_owned(),
            "tile 0 of level 0 in the tree of receipts is not".to_owned(),
        ),
        row(
            format!("update tree set size = {last}; insert into checkpoint values ({last}, sha256(''), '', now())"),
            "delete from checkpoint; delete from tile; update tree set size = 0".to_owned(),
            format!("the root over the first {last} answers is"),
        ),
        row(
            answer("body = convert_to(replace(convert_from(body, 'utf8'), '7.00', '9.00'), 'utf8')"),
            answer("body = convert_to(replace(convert_from(body, 'utf8'), '9.00', '7.00'), 'utf8')"),
            format!("answer {seq} or the chain in it was changed"),
        ),
        row(
            answer("chain = sha256(chain)"),
            format!(
                "update answer set chain = sha256(
                     (select chain from answer where request_seq = {seq} - 1) || int8send(request_seq)
                     || int8send((extract(epoch from published_at) * 1000000)::bigint) || request_digest || sha256(body)
                 ) where request_seq = {seq}"
            ),
            format!("the hash chain after answer {seq} is"),
        ),
        row(
            answer("published_at = published_at + interval '1 microsecond'"),
            answer("published_at = published_at - interval '1 microsecond'"),
            format!("answer {seq} or the chain in it was changed"),
        ),
        row(
            rechained("body || ' '::bytea"),
            rechained("convert_to(rtrim(convert_from(body, 'utf8')), 'utf8')"),
            format!("the body of answer {last} is"),
        ),
        row(
            answer("client_id = client_id || 'x'"),
            answer("client_id = rtrim(client_id, 'x')"),
            format!("the client of answer {seq} is"),
        ),
        row(
            answer("event_type = 'payment.rejected.v1'"),
            answer("event_type = 'payment.settled.v1'"),
            format!("the type of answer {seq} is \"rejected\" in its column, but \"settled\""),
        ),
        row(
            "insert into answer select (jsonb_populate_record(answer, '{\"request_seq\": 1000000}')).*
             from answer where request_seq = 1"
                .to_owned(),
            "delete from answer where request_seq = 1000000".to_owned(),
            "answer 1000000 is in the database, but its cursor is".to_owned(),
        ),
        row(
            "create temporary table kept as select * from answer where request_seq = 2; delete from answer where request_seq = 2"
                .to_owned(),
            "insert into answer select * from kept".to_owned(),
            "answer 2 is missing: the next one is 3".to_owned(),
        ),
    ]
}

/// The same for postings and accounts.
pub(super) fn forged_postings(seq: u64, graces: Uuid) -> Vec<(String, String, String)> {
    let posting = |change: &str| {
        format!(
            "update posting set {change} where request_seq = {seq} and account_seq =
             (select opened_seq from account where id = '{graces}')"
        )
    };
    let both = |change: &str| format!("update posting set {change} where request_seq = {seq}");
    let row = |forgery: String, undone: String, expected: String| (forgery, undone, expected);
    vec![
        row(
            posting("balance = balance + 1"),
            posting("balance = balance - 1"),
            format!("the balance of account {graces} after its posting 6"),
        ),
        row(
            posting("amount = amount - 1"),
            posting("amount = amount + 1"),
            format!("the postings of request {seq} sum to -1.00 EUR"),
        ),
        row(
            both("amount = amount * 2"),
            both("amount = amount / 2"),
            format!("the postings of request {seq} are not those in its answer"),
        ),
        row(
            both("request_seq = 1000000"),
            format!("update posting set request_seq = {seq} where request_seq = 1000000"),
            format!("the postings of request {seq} are not those in its answer"),
        ),
        row(
            posting("number = number + 1"),
            posting("number = number - 1"),
            format!("posting 6 of account {graces} is missing"),
        ),
        row(
            "insert into posting (account_seq, number, request_seq, amount, balance) values (0, 1, 999999, 1, 1)".to_owned(),
            "delete from posting where account_seq = 0".to_owned(),
            "on the account that request 0 opened, and there is none".to_owned(),
        ),
        row(
            format!("update account set owner = owner || 'x' where id = '{graces}'"),
            format!("update account set owner = rtrim(owner, 'x') where id = '{graces}'"),
            format!("the owner of account {graces} is"),
        ),
        row(
            format!("update account set held = 5000 where id = '{graces}'"),
            format!("update account set held = 0 where id = '{graces}'"),
            format!("account {graces} is beyond its limit"),
        ),
    ]
}

/// The same for what staff did: a reversal of a part, one of a transaction, a freeze and limits.
pub(super) fn forged_controls(
    [reversal, whole]: [u64; 2],
    graces: Uuid,
    adas: Uuid,
) -> Vec<(String, String, String)> {
    let account = |id: Uuid, change: &str| format!("update account set {change} where id = '{id}'");
    let reversed =
        |change: &str| format!("update reversal set {change} where request_seq = {reversal}");
    let row = |forgery: String, undone: String, expected: String| (forgery, undone, expected);
    vec![
        row(
            account(graces, "status = 'open'"),
            account(graces, "status = 'debit_frozen'"),
            format!("account {graces} is open in the database, but debit_frozen by the answers"),
        ),
        row(
            account(adas, "status = 'closed'"),
            account(adas, "status = 'open'"),
            format!("account {adas} is closed in the database, but open by the answers"),
        ),
        row(
            account(adas, "overdraft_limit = 1000"),
            account(adas, "overdraft_limit = 10"),
            format!("the overdraft limit of account {adas} is 1000 in the database, but 10.00"),
        ),
        row(
            account(graces, "overdraft_limit = 1000"),
            account(graces, "overdraft_limit = 0"),
            format!("the overdraft limit of account {graces} is 1000 in the database, but 0.00"),
        ),
        row(
            account(
                adas,
                "controls = jsonb_set(controls, '{limits,day_amount_max}', '\"5000.00\"')",
            ),
            account(
                adas,
                "controls = jsonb_set(controls, '{limits,day_amount_max}', '\"500.00\"')",
            ),
            format!("the limits of account {adas} in the database are not those in the answers"),
        ),
        row(
            account(adas, "controls = controls - 'limits'"),
            account(
                adas,
                "controls = controls || '{\"limits\": {\"day_amount_max\": \"500.00\"}}'",
            ),
            format!("the limits of account {adas} in the database are not those in the answers"),
        ),
        row(
            reversed("amount = amount - 1"),
            reversed("amount = amount + 1"),
            format!("the amount of reversal {reversal} is 0.50 in the database, but 1.50"),
        ),
        row(
            reversed("amount = null"),
            reversed("amount = 1.5"),
            format!("the amount of reversal {reversal} is none in the database, but 1.50"),
        ),
        row(
            format!("update reversal set amount = 2 where request_seq = {whole}"),
            format!("update reversal set amount = null where request_seq = {whole}"),
            format!("the amount of reversal {whole} is 2 in the database, but none"),
        ),
        row(
            reversed("original_item = 0"),
            reversed("original_item = null"),
            format!("reversal {reversal} is of another payment in the database"),
        ),
        row(
            reversed("original_seq = original_seq - 1"),
            reversed("original_seq = original_seq + 1"),
            format!("reversal {reversal} is of another payment in the database"),
        ),
        row(
            format!(
                "create temporary table reversed as select * from reversal where request_seq = {reversal}; delete from reversal where request_seq = {reversal}"
            ),
            "insert into reversal select * from reversed".to_owned(),
            format!("reversal {reversal} is missing: answer {reversal} says"),
        ),
        row(
            "insert into reversal (request_seq, original_seq, amount) values (1000000, 5, 1)"
                .to_owned(),
            "delete from reversal where request_seq = 1000000".to_owned(),
            "reversal 1000000 is in the database, but answer 1000000 reverses nothing".to_owned(),
        ),
    ]
}
