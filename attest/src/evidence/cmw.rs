//! One CMW record in DER (RFC 9999): `CMW ::= CHOICE { json UTF8String, cbor
//! OCTET STRING }`, of which only `cbor` is used here, holding the CBOR
//! record `[type: tstr, value: bstr]` without the optional indicator. The
//! CBOR is deterministic (RFC 8949 section 4.2.1) and the DER minimal
//! (X.690 section 10.1), so a record has exactly one encoding.

use crate::error::Error;
use wire::limits::CERTIFICATE_BYTES_MAX;
use wire::{DecodeError, Reader};

/// A media type, in bytes (RFC 6838 section 4.2 allows 127 to either name).
const MEDIA_TYPE_BYTES_MAX: usize = 127;
/// ASN.1 universal tag of OCTET STRING.
const DER_OCTET_STRING: u8 = 0x04;
/// CBOR array of two items.
const CBOR_PAIR: u8 = 0x82;
const CBOR_BYTES: u8 = 2;
const CBOR_TEXT: u8 = 3;

/// A record, borrowed from the extension's value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) media_type: &'a str,
    pub(super) value: &'a [u8],
}

/// DER of a CMW with one CBOR record. The caller's bytes are bounded by the
/// certificate's bound, far under the four-byte lengths written here.
pub(super) fn wrap(media_type: &str, value: &[u8]) -> Vec<u8> {
    let mut record = vec![CBOR_PAIR];
    put_cbor(&mut record, CBOR_TEXT, media_type.as_bytes());
    put_cbor(&mut record, CBOR_BYTES, value);
    let mut out = vec![DER_OCTET_STRING];
    put_der_length(&mut out, record.len());
    out.extend_from_slice(&record);
    out
}

/// Reads what [`wrap`] writes, and nothing else.
pub(super) fn unwrap(der: &[u8]) -> Result<Record<'_>, Error> {
    let mut r = Reader::new(der);
    if r.byte("DER").map_err(form)? != DER_OCTET_STRING {
        return Err(Error::EvidenceMalformed("CMW: not in the CBOR form"));
    }
    let len = der_length(&mut r)?;
    if len != r.remaining() {
        return Err(Error::EvidenceMalformed("CMW: DER length"));
    }
    if r.byte("CBOR").map_err(form)? != CBOR_PAIR {
        return Err(Error::EvidenceMalformed("CMW: not a record of two"));
    }
    let media_type = cbor(&mut r, CBOR_TEXT, MEDIA_TYPE_BYTES_MAX)?;
    let media_type = std::str::from_utf8(media_type)
        .ok()
        .filter(|text| text.bytes().all(|b| matches!(b, b' '..=b'~')))
        .ok_or(Error::EvidenceMalformed("CMW: media type"))?;
    let value = cbor(&mut r, CBOR_BYTES, CERTIFICATE_BYTES_MAX)?;
    r.finish().map_err(form)?;
    Ok(Record { media_type, value })
}

fn form(_: DecodeError) -> Error {
    Error::EvidenceMalformed("CMW")
}

/// Big-endian bytes without leading zeros, at most four.
fn short(len: usize) -> Vec<u8> {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    let bytes = len.to_be_bytes();
    bytes.into_iter().skip_while(|b| *b == 0).collect()
}

fn put_der_length(out: &mut Vec<u8>, len: usize) {
    let bytes = short(len);
    if len < 0x80 {
        out.push(bytes.first().copied().unwrap_or(0));
    } else {
        out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(4));
        out.extend_from_slice(&bytes);
    }
}

fn put_cbor(out: &mut Vec<u8>, major: u8, bytes: &[u8]) {
    let length = short(bytes.len());
    let major = major << 5;
    match (length.as_slice(), bytes.len()) {
        (_, 0) => out.push(major),
        ([one], 1..=23) => out.push(major | one),
        ([one], _) => out.extend_from_slice(&[major | 24, *one]),
        ([high, low], _) => out.extend_from_slice(&[major | 25, *high, *low]),
        (longer, _) => {
            out.push(major | 26);
            out.resize(out.len() + 4_usize.saturating_sub(longer.len()), 0);
            out.extend_from_slice(longer);
        }
    }
    out.extend_from_slice(bytes);
}

fn der_length(r: &mut Reader<'_>) -> Result<usize, Error> {
    const WHAT: Error = Error::EvidenceMalformed("CMW: DER length");
    let first = r.byte("DER length").map_err(form)?;
    let (value, least) = match first {
        0..=0x7f => (usize::from(first), 0),
        0x81 => (number(r, 1)?, 0x80),
        0x82 => (number(r, 2)?, 0x100),
        _ => return Err(WHAT),
    };
    if value < least { Err(WHAT) } else { Ok(value) }
}

fn cbor<'a>(r: &mut Reader<'a>, major: u8, max: usize) -> Result<&'a [u8], Error> {
    const WHAT: Error = Error::EvidenceMalformed("CMW: CBOR head");
    let first = r.byte("CBOR head").map_err(form)?;
    if first >> 5 != major {
        return Err(WHAT);
    }
    let (len, least) = match first & 0x1f {
        small @ 0..=23 => (usize::from(small), 0),
        24 => (number(r, 1)?, 24),
        25 => (number(r, 2)?, 0x100),
        _ => return Err(WHAT),
    };
    if len < least || len > max {
        return Err(WHAT);
    }
    r.take(len, "CBOR string").map_err(form)
}

fn number(r: &mut Reader<'_>, bytes: usize) -> Result<usize, Error> {
    let bytes = r.take(bytes, "a length").map_err(form)?;
    Ok(bytes
        .iter()
        .fold(0, |value, b| (value << 8) | usize::from(*b)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn writes_the_form_of_the_rfc() {
        // OCTET STRING(8) { [ "a/b", h'01ff' ] }
        let der = wrap("a/b", &[0x01, 0xff]);
        assert_eq!(
            der,
            [0x04, 0x08, 0x82, 0x63, b'a', b'/', b'b', 0x42, 0x01, 0xff]
        );
    }

    #[test]
    fn reads_back_every_length_form() {
        for len in [0, 1, 23, 24, 255, 256, 30_000] {
            let value = vec![7; len];
            let der = wrap("application/x", &value);
            let record = unwrap(&der).unwrap();
            assert_eq!(record.media_type, "application/x");
            assert_eq!(record.value, value);
        }
    }

    #[test]
    fn refuses_other_encodings_of_the_same_record() {
        let refused: [&[u8]; 8] = [
            &[],
            // Long form of a short DER length.
            &[0x04, 0x81, 0x06, 0x82, 0x61, b'a', 0x42, 1, 2],
            // Trailing byte.
            &[0x04, 0x06, 0x82, 0x61, b'a', 0x42, 1, 2, 0],
            // Long form of a short CBOR length.
            &[0x04, 0x07, 0x82, 0x78, 0x01, b'a', 0x42, 1, 2],
            // Indefinite length.
            &[0x04, 0x08, 0x82, 0x61, b'a', 0x5f, 0x42, 1, 2, 0xff],
            // Record of three (with an indicator).
            &[0x04, 0x07, 0x83, 0x61, b'a', 0x42, 1, 2, 4],
            // The JSON choice.
            &[0x0c, 0x02, b'[', b']'],
            // A media type with a control character.
            &[0x04, 0x06, 0x82, 0x61, 0x00, 0x42, 1, 2],
        ];
        for der in refused {
            let error = unwrap(der).unwrap_err();
            assert_eq!(error.reason(), "evidence_malformed", "{der:02x?}");
        }
    }
}
