//! A statement as ISO 20022 camt.053.001.08, "Bank to Customer Statement": what accounting programs read.
//!
//! An id of ours has 36 characters and the message's texts 34 or 35, so ids stand without hyphens. A statement's id is made of
//! what it says: whoever fetches the same one again gets the same id, and can tell.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use common::account_number::AccountNumber;
use common::ids::AccountId;
use common::kinds::posting::Direction;
use common::money::Money;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::entry::AccountPosting;
use super::page::{By, Statement};
use crate::core::book::account::normal_side;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08";

/// Longest name of an account in the message (`Max70Text`).
const NAME_CHARS_MAX: usize = 70;
/// Bytes of the digest in a statement's id: 32 of its 35 characters.
const ID_BYTES: usize = 16;

/// Everything before the entries.
pub(crate) fn begin(statement: &Statement, made_at: DateTime<Utc>) -> Vec<u8> {
    let mut xml = Xml::default();
    xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let mut document = BytesStart::new("Document");
    document.push_attribute(("xmlns", NAMESPACE));
    xml.event(Event::Start(document));
    xml.open("BkToCstmrStmt");
    let (id, made_at) = (id(statement), time(made_at));
    xml.within("GrpHdr", |xml| {
        xml.text("MsgId", &id);
        xml.text("CreDtTm", &made_at);
    });
    xml.open("Stmt");
    xml.text("Id", &id);
    xml.text("CreDtTm", &made_at);
    let days = statement.days;
    xml.within("FrToDt", |xml| {
        xml.text("FrDtTm", &format!("{}T00:00:00Z", days.from));
        xml.text("ToDtTm", &format!("{}T23:59:59.999999Z", days.to));
    });
    account(&mut xml, statement);
    let sides = [
        ("OPBD", statement.opening, days.from),
        ("CLBD", statement.closing, days.to),
    ];
    for (code, balance, day) in sides {
        self::balance(&mut xml, statement, code, balance, day);
    }
    xml.within("TxsSummry", |xml| {
        xml.within("TtlNtries", |xml| {
            xml.text("NbOfNtries", &statement.count.to_string());
        });
    });
    xml.finish()
}

/// Entries.
pub(crate) fn lines(statement: &Statement, lines: &[AccountPosting]) -> Vec<u8> {
    let mut xml = Xml::default();
    for line in lines {
        entry(&mut xml, statement, line);
    }
    xml.finish()
}

/// Everything behind the entries.
pub(crate) fn end(statement: &Statement) -> Vec<u8> {
    let mut xml = Xml::default();
    let order = match statement.by {
        By::Booked => "booking",
        By::Effective => "value",
    };
    let text = format!("Entries by {order} date, as of request {}.", statement.seq);
    xml.text("AddtlStmtInf", &text);
    for name in ["Stmt", "BkToCstmrStmt", "Document"] {
        xml.close(name);
    }
    xml.finish()
}

fn id(statement: &Statement) -> String {
    let days = statement.days;
    let what = format!(
        "{} {} {} {:?} {}",
        statement.account.id, days.from, days.to, statement.by, statement.seq
    );
    let digest = digest(&SHA256, what.as_bytes());
    let bytes = digest.as_ref().iter().take(ID_BYTES);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

fn account(xml: &mut Xml, statement: &Statement) {
    let account = &statement.account;
    xml.within("Acct", |xml| {
        account_id(xml, account.id);
        xml.text("Ccy", account.posted.currency().code());
        let name: Option<String> = account
            .name
            .as_ref()
            .map(|name| name.chars().take(NAME_CHARS_MAX).collect());
        xml.maybe("Nm", name.as_deref());
        number(xml, account.number());
    });
}

/// What people know an account by.
fn number(xml: &mut Xml, number: AccountNumber) {
    xml.within("Prxy", |xml| {
        xml.within("Tp", |xml| xml.text("Prtry", "ACCOUNT_NUMBER"));
        xml.text("Id", &number.to_string());
    });
}

fn balance(xml: &mut Xml, statement: &Statement, code: &str, balance: Money, day: NaiveDate) {
    let normal = normal_side(statement.account.category);
    let (side, amount) = if balance.is_negative() {
        (normal.opposite(), balance.negated())
    } else {
        (normal, balance)
    };
    xml.within("Bal", |xml| {
        xml.within("Tp", |xml| {
            xml.within("CdOrPrtry", |xml| xml.text("Cd", code));
        });
        xml.amount(&amount.to_string(), balance.currency().code());
        xml.text("CdtDbtInd", indicator(side));
        xml.within("Dt", |xml| xml.text("Dt", &day.to_string()));
    });
}

fn entry(xml: &mut Xml, statement: &Statement, line: &AccountPosting) {
    // The statement says its own account's number once.
    let own = Some((statement.account.id, None));
    let other = line.counterparty.map(|id| (id, line.counterparty_number));
    let request = line.request_seq.to_string();
    let payment = line.payment_id.map(|id| id.0.simple().to_string());
    // A credit transfer that was received or issued, booked inside one bank. Source: ISO 20022 external code sets.
    let (family, debtor, creditor) = match line.direction {
        Direction::Credit => ("RCDT", other, own),
        Direction::Debit => ("ICDT", own, other),
    };
    xml.within("Ntry", |xml| {
        xml.text("NtryRef", &line.number.to_string());
        xml.amount(&line.amount, statement.opening.currency().code());
        xml.text("CdtDbtInd", indicator(line.direction));
        xml.within("Sts", |xml| xml.text("Cd", "BOOK"));
        xml.within("BookgDt", |xml| xml.text("DtTm", &time(line.booked_at)));
        xml.within("ValDt", |xml| {
            xml.text("Dt", &line.effective_date.to_string());
        });
        xml.text("AcctSvcrRef", &request);
        xml.within("BkTxCd", |xml| {
            xml.within("Domn", |xml| {
                xml.text("Cd", "PMNT");
                xml.within("Fmly", |xml| {
                    xml.text("Cd", family);
                    xml.text("SubFmlyCd", "BOOK");
                });
            });
        });
        xml.within("NtryDtls", |xml| {
            xml.within("TxDtls", |xml| {
                xml.within("Refs", |xml| {
                    xml.text("AcctSvcrRef", &request);
                    xml.maybe("EndToEndId", payment.as_deref());
                });
                xml.within("RltdPties", |xml| {
                    party(xml, "DbtrAcct", debtor);
                    party(xml, "CdtrAcct", creditor);
                });
                let reference = line.reference.as_deref();
                if let Some(reference) = reference.filter(|text| !text.is_empty()) {
                    xml.within("RmtInf", |xml| xml.text("Ustrd", reference));
                }
            });
        });
    });
}

fn party(xml: &mut Xml, name: &str, account: Option<(AccountId, Option<AccountNumber>)>) {
    let Some((id, numbered)) = account else {
        return;
    };
    xml.within(name, |xml| {
        account_id(xml, id);
        if let Some(numbered) = numbered {
            number(xml, numbered);
        }
    });
}

fn account_id(xml: &mut Xml, id: AccountId) {
    xml.within("Id", |xml| {
        xml.within("Othr", |xml| xml.text("Id", &id.0.simple().to_string()));
    });
}

fn indicator(side: Direction) -> &'static str {
    match side {
        Direction::Debit => "DBIT",
        Direction::Credit => "CRDT",
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// XML in memory: no write into it fails.
struct Xml(Writer<Vec<u8>>);

impl Default for Xml {
    fn default() -> Self {
        Self(Writer::new(Vec::new()))
    }
}

impl Xml {
    fn event(&mut self, event: Event<'_>) {
        let written = self.0.write_event(event);
        written.expect("written into memory");
    }

    fn open(&mut self, name: &str) {
        self.event(Event::Start(BytesStart::new(name)));
    }

    fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        self.event(Event::Text(BytesText::new(&writable(text))));
        self.close(name);
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text(name, text);
        }
    }

    fn amount(&mut self, amount: &str, currency: &str) {
        let mut start = BytesStart::new("Amt");
        start.push_attribute(("Ccy", currency));
        self.event(Event::Start(start));
        self.event(Event::Text(BytesText::new(amount)));
        self.close("Amt");
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner()
    }
}

/// What XML 1.0 has no way to write is shown as a replacement character.
fn writable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'.. => character,
            _ => '\u{fffd}',
        })
        .collect()
}
