//! The currencies that the ledger knows, with the decimals of their minor unit. Source: ISO 4217, November 2026.
//!
//! The table is ours and not a library's, because it decides: a payment that was rejected in an unknown currency must
//! still be rejected when the log is replayed years later. So no entry is ever changed or removed, and a new currency
//! comes with a new version of the ledger's rules.

/// Decimals, and the codes of the currencies that have so many.
pub(crate) const CURRENCIES: [(u32, &[&str]); 4] = [
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ],
    ),
    (
        2,
        &[
            "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
            "BGN", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
            "CDF", "CHE", "CHF", "CHW", "CNY", "COP", "COU", "CRC", "CUC", "CUP", "CVE", "CZK",
            "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS",
            "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR",
            "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD",
            "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK",
            "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN",
            "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG",
            "SEK", "SGD", "SHP", "SLE", "SLL", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL",
            "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "USN", "UYU",
            "UZS", "VED", "VES", "WST", "XAD", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG", "ZWL",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// Currencies of the table that ISO 4217 has withdrawn. Their accounts go on; new ones are not opened.
///
/// It is kept by hand, once a year and when a country changes its money: a code that ISO's amendments move to list three
/// is added here, and because that decides, together with a new version of the ledger's rules.
pub(crate) const WITHDRAWN: [&str; 5] = ["BGN", "CUC", "HRK", "SLL", "ZWL"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_iso_4217_says_today() {
        let alphabet = || (b'A'..=b'Z').map(char::from);
        for code in alphabet().flat_map(|a| {
            alphabet().flat_map(move |b| alphabet().map(move |c| String::from_iter([a, b, c])))
        }) {
            let today =
                iso_currency::Currency::from_code(&code).and_then(iso_currency::Currency::exponent);
            let ours = CURRENCIES
                .iter()
                .find(|(_, codes)| codes.contains(&&*code))
                .map(|(exponent, _)| *exponent);
            assert_eq!(ours, today.map(u32::from), "{code}");
        }
    }
}
