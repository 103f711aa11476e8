//! Documents and the verdict that each must get.

use super::nitro::{AT, NONCE, Parts, Platform, array, bytes, head, registers, released, text};
use wire::UnixMs;

/// When a document is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    Archived,
    /// Now, and the nonce that was asked with.
    Live(UnixMs, [u8; 32]),
}

/// One document, what it is judged with, and the verdict.
pub struct NitroCase {
    pub name: &'static str,
    pub document: Vec<u8>,
    pub when: When,
    /// None: genuine, and the release's image.
    pub reason: Option<&'static str>,
}

fn case(
    name: &'static str,
    reason: impl Into<Option<&'static str>>,
    change: impl FnOnce(&mut Parts),
) -> NitroCase {
    let mut parts = Parts::default();
    change(&mut parts);
    NitroCase {
        name,
        document: parts.document(),
        when: When::Archived,
        reason: reason.into(),
    }
}

fn malformed(name: &'static str, change: impl FnOnce(&mut Parts)) -> NitroCase {
    case(name, "document_malformed", change)
}

/// Every verdict that a document can get.
pub fn all() -> Vec<NitroCase> {
    let mut cases = vec![
        case("genuine", None, |_| ()),
        case("genuine, tagged", None, |p| p.tag = vec![0xd2]),
        case("genuine, length at the front", None, |p| p.open_map = false),
        case("genuine, no optional fields", None, |p| {
            for name in ["public_key", "user_data", "nonce"] {
                p.remove(name);
            }
        }),
    ];
    cases.extend(kinds());
    cases.extend(containers());
    cases.extend(fields());
    cases.extend(sizes());
    cases.extend(chains());
    cases.extend(times());
    cases.extend(images());
    cases
}

fn kinds() -> Vec<NitroCase> {
    let unknown = "evidence_kind_unknown";
    vec![
        case("of an enclave", unknown, |p| {
            p.remove("nitrotpm_pcrs");
            p.add("pcrs", registers(&released()));
        }),
        case("of an enclave and a TPM", unknown, |p| {
            p.add("pcrs", registers(&released()));
        }),
        malformed("module of an enclave", |p| {
            p.set("module_id", text("i-0123456789abcdef0-enc0123456789abcdef"));
        }),
    ]
}

fn containers() -> Vec<NitroCase> {
    let other = Platform::new(0x20, AT);
    vec![
        malformed("algorithm ES256", |p| p.protected = vec![0xa1, 0x01, 0x26]),
        malformed("no algorithm", |p| p.protected = vec![]),
        malformed("unprotected header", |p| {
            p.unprotected = vec![0xa1, 0x01, 0x26]
        }),
        malformed("another tag", |p| p.tag = vec![0xd1]),
        malformed("two tags", |p| p.tag = vec![0xd2, 0xd2]),
        malformed("bytes after the document", |p| p.trailing = vec![0]),
        malformed("bytes after the payload", |p| p.payload_trailing = vec![0]),
        NitroCase {
            document: Parts::default().signed_by(&other),
            ..case(
                "signed by another key",
                "document_signature_invalid",
                |_| (),
            )
        },
    ]
}

fn fields() -> Vec<NitroCase> {
    let twice = |p: &mut Parts| {
        let field = p.fields[3].clone();
        p.fields.push(field);
    };
    let mut cases = vec![
        malformed("unknown field", |p| p.add("pcr", vec![0xf6])),
        malformed("field twice", twice),
        malformed("digest of another kind", |p| {
            p.set("digest", text("SHA256"))
        }),
        malformed("timestamp below zero", |p| p.set("timestamp", vec![0x20])),
        malformed("timestamp in a long form", |p| {
            p.set("timestamp", vec![0x18, 0x01])
        }),
        malformed("register twice", |p| {
            let mut values = released();
            values.push(values[4].clone());
            p.set("nitrotpm_pcrs", registers(&values));
        }),
        malformed("register 32", |p| {
            p.set("nitrotpm_pcrs", registers(&[(32, vec![0; 48])]));
        }),
        malformed("register of SHA-256", |p| {
            p.set("nitrotpm_pcrs", registers(&[(4, vec![4; 32])]));
        }),
        malformed("registers in an array", |p| {
            p.set("nitrotpm_pcrs", array(&[bytes(&[4; 48])]));
        }),
        malformed("nested arrays", |p| p.set("user_data", vec![0x81; 4096])),
        malformed("a length without bytes", |p| {
            p.set("user_data", [vec![0x5b], vec![0xff; 8]].concat());
        }),
        malformed("string of pieces", |p| {
            p.set("nonce", vec![0x5f, 0x41, 1, 0xff])
        }),
    ];
    for name in [
        "module_id",
        "digest",
        "timestamp",
        "nitrotpm_pcrs",
        "certificate",
        "cabundle",
    ] {
        cases.push(malformed(name, |p| p.remove(name)));
    }
    cases
}

fn sizes() -> Vec<NitroCase> {
    vec![
        malformed("nonce too long", |p| p.set("nonce", bytes(&[1; 1025]))),
        malformed("certificate too long", |p| {
            p.set("certificate", bytes(&[0x30; 1025]))
        }),
        malformed("too many certificates", |p| {
            let one = bytes(&p.platform.zone);
            p.set("cabundle", array(&vec![one; 7]));
        }),
        malformed("too many registers", |p| {
            let value = (4, vec![4; 48]);
            p.set("nitrotpm_pcrs", registers(&vec![value; 33]));
        }),
        malformed("over its bound", |p| {
            p.payload_trailing = vec![0; 17 * 1024];
        }),
    ]
}

fn chains() -> Vec<NitroCase> {
    let of = |name, reason: &'static str, platform, bundle: fn(&Platform) -> Vec<Vec<u8>>| {
        let mut parts = Parts::of(platform);
        let certificates: Vec<_> = bundle(&parts.platform)
            .iter()
            .map(|der| bytes(der))
            .collect();
        parts.set("cabundle", array(&certificates));
        NitroCase {
            document: parts.document(),
            ..case(name, reason, |_| ())
        }
    };
    let genuine = || Platform::new(0x10, AT);
    vec![
        of("no certificates", "chain_invalid", genuine(), |_| vec![]),
        of("the root alone", "chain_root_unknown", genuine(), |p| {
            vec![p.root.clone()]
        }),
        of("the root last", "chain_root_unknown", genuine(), |p| {
            vec![p.zone.clone(), p.root.clone()]
        }),
        of(
            "a foreign root",
            "chain_root_unknown",
            Platform::new(0x20, AT),
            |p| vec![p.root.clone(), p.zone.clone()],
        ),
        of(
            "our root over a foreign path",
            "chain_invalid",
            Platform::new(0x20, AT),
            |p| vec![Platform::new(0x10, AT).root, p.zone.clone()],
        ),
        case("the leaf is no certificate", "chain_invalid", |p| {
            p.set("certificate", bytes(&[0x30; 64]));
        }),
        case("an authority as leaf", "document_signature_invalid", |p| {
            let zone = bytes(&p.platform.zone);
            p.set("certificate", zone);
        }),
    ]
}

fn times() -> Vec<NitroCase> {
    let hour_ms = 3_600_000;
    let leaf_of = |name, reason: &'static str, leaf_at| NitroCase {
        document: Parts::of(Platform::new(0x10, leaf_at)).document(),
        ..case(name, reason, |_| ())
    };
    let live = |name, reason: Option<&'static str>, now, nonce| NitroCase {
        when: When::Live(now, nonce),
        ..case(name, reason, |_| ())
    };
    vec![
        leaf_of(
            "leaf of the day before",
            "chain_expired",
            UnixMs(AT.0 - 24 * hour_ms),
        ),
        leaf_of(
            "leaf of the day after",
            "clock_wrong",
            AT.plus_ms(24 * hour_ms),
        ),
        live("live", None, AT.plus_ms(1_000), NONCE),
        live(
            "live, another nonce",
            Some("document_nonce_mismatch"),
            AT,
            [0; 32],
        ),
        live(
            "live, an hour later",
            Some("document_stale"),
            AT.plus_ms(hour_ms),
            NONCE,
        ),
        live(
            "live, clock behind",
            Some("clock_wrong"),
            UnixMs(AT.0 - hour_ms),
            NONCE,
        ),
        NitroCase {
            when: When::Live(AT, NONCE),
            ..case("live, nonce null", "document_nonce_mismatch", |p| {
                p.set("nonce", vec![0xf6]);
            })
        },
    ]
}

fn images() -> Vec<NitroCase> {
    let with = |name, reason: &'static str, pcr: usize, fill: u8| {
        case(name, reason, |p| {
            let mut values = released();
            values[pcr].1 = vec![fill; 48];
            p.set("nitrotpm_pcrs", registers(&values));
        })
    };
    vec![
        with("another image", "pcr_mismatch", 4, 5),
        with("another Secure Boot policy", "pcr_mismatch", 7, 5),
        with("another initrd", "pcr_mismatch", 9, 5),
        with("other sections", "pcr_mismatch", 11, 5),
        with("nothing measured", "pcr_mismatch", 4, 0),
        with("a command line from outside", "pcr_injected", 12, 5),
        with("an extension from outside", "pcr_injected", 13, 5),
        case("register not shown", "pcr_selection_mismatch", |p| {
            let values: Vec<_> = released().into_iter().filter(|(n, _)| *n != 12).collect();
            p.set("nitrotpm_pcrs", registers(&values));
        }),
        case("registers not shown", "pcr_selection_mismatch", |p| {
            p.set("nitrotpm_pcrs", head(5, 0));
        }),
    ]
}
