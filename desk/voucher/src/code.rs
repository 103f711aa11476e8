//! Purchase codes: what an operator hands out for money, good for some
//! vouchers of one class.

use crate::Error;
use crate::encoding::{labelled, serde_text, sha256};
use data_encoding::BASE32_NOPAD;
use std::fmt;
use std::str::FromStr;
use zeroize::ZeroizeOnDrop;

const PREFIX: &str = "rc1-";
/// 128 random bits: not guessed within the life of a desk.
const CODE_BYTES: usize = 16;

/// A bearer secret; `Debug` does not show it, `Display` does.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct PurchaseCode([u8; CODE_BYTES]);

impl PurchaseCode {
    /// The code of these random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; CODE_BYTES]) -> Self {
        Self(bytes)
    }

    /// What a ledger keeps in its stead, so that a copied ledger buys nothing.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&labelled("roundcast/purchase-code/v1", &[&self.0]))
    }
}

impl FromStr for PurchaseCode {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let body = text.strip_prefix(PREFIX).ok_or(Error::Code)?;
        if body.len() != BASE32_NOPAD.encode_len(CODE_BYTES) {
            return Err(Error::Code);
        }
        let bytes = BASE32_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| Error::Code)?;
        bytes.try_into().map(Self).map_err(|_| Error::Code)
    }
}

impl fmt::Display for PurchaseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for PurchaseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PurchaseCode([redacted])")
    }
}

serde_text!(PurchaseCode);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_form_goes_both_ways_and_debug_hides_it() {
        let code = PurchaseCode::from_random([7; 16]);
        let text = code.to_string();
        assert_eq!(text.parse::<PurchaseCode>().unwrap(), code);
        let debug = format!("{code:?}");
        assert!(debug.contains("[redacted]") && !debug.contains(&text));
    }

    #[test]
    fn rejects_other_spellings() {
        let text = PurchaseCode::from_random([7; 16]).to_string();
        for bad in [
            String::new(),
            text.to_lowercase(),
            format!("{text}A"),
            text.replace("rc1-", ""),
            format!(" {text}"),
        ] {
            assert_eq!(bad.parse::<PurchaseCode>(), Err(Error::Code), "{bad}");
        }
    }
}
