//! Writing the few forms of DER (X.690) that a signature is made of.

/// A tag with its content, definite length.
#[must_use]
pub fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let digits: Vec<u8> = digits.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
            out.extend_from_slice(&digits);
        }
    }
    out.extend_from_slice(content);
    out
}

/// SEQUENCE.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, &parts.concat())
}

/// SET OF: DER wants its elements in byte order.
#[must_use]
pub fn set(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    tagged(0x31, &parts.concat())
}

/// OBJECT IDENTIFIER, of its content octets.
#[must_use]
pub fn oid(content: &[u8]) -> Vec<u8> {
    tagged(0x06, content)
}

/// OCTET STRING.
#[must_use]
pub fn octets(content: &[u8]) -> Vec<u8> {
    tagged(0x04, content)
}

/// NULL.
pub const NULL: [u8; 2] = [0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest_possible() {
        assert_eq!(tagged(4, &[7; 0x7f]).get(..2), Some([4, 0x7f].as_slice()));
        assert_eq!(
            tagged(4, &[7; 0x80]).get(..3),
            Some([4, 0x81, 0x80].as_slice())
        );
        assert_eq!(
            tagged(4, &[7; 0x100]).get(..4),
            Some([4, 0x82, 1, 0].as_slice())
        );
    }
}
