//! Prices as people write them. They are kept in minor units everywhere else.

/// Currencies without a minor unit (ISO 4217, table A.1).
const WHOLE: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];
/// Currencies with a thousand minor units.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// `4.10 USD` for 410 minor units.
pub(crate) fn price_text(price_minor: u64, currency: &str) -> String {
    let digits = if WHOLE.contains(&currency) {
        return format!("{price_minor} {currency}");
    } else if THOUSANDTHS.contains(&currency) {
        3
    } else {
        2
    };
    let unit = 10_u64.pow(digits);
    let (major, minor) = (price_minor / unit, price_minor % unit);
    let width = digits as usize;
    format!("{major}.{minor:0width$} {currency}")
}

#[cfg(test)]
mod tests {
    use super::price_text;

    #[test]
    fn minor_units_are_the_currency_s() {
        assert_eq!(price_text(410, "USD"), "4.10 USD");
        assert_eq!(price_text(5, "EUR"), "0.05 EUR");
        assert_eq!(price_text(410, "JPY"), "410 JPY");
        assert_eq!(price_text(410, "KWD"), "0.410 KWD");
    }
}
