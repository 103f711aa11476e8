//! Machines and the verdict that each must get.

use super::tpm::{
    AK_ATTRIBUTES, Machine, ak, altered, desk, machine, ordered, pcrs, point, public, sign,
};
use super::{HOUR_MS, NOW, YEAR_MS, key};
use attest::live::Batch;
use attest::tpm2::{Bank, Pcrs};
use attest::{Evidence, Expectation, Policy};
use wire::codec::{Blob, Text};
use wire::{Digest, OrderId, SpkiHash, UnixMs};

/// One certificate, what it is judged with, and the verdict.
pub struct TpmCase {
    pub name: &'static str,
    pub machine: Machine,
    pub certificate: Vec<u8>,
    pub expectation: Expectation,
    pub operators: Vec<SpkiHash>,
    /// None: verified.
    pub reason: Option<&'static str>,
}

impl TpmCase {
    pub fn policy(&self) -> Policy {
        self.operators
            .iter()
            .fold(Policy::default(), |policy, desk| {
                policy.with_operator(*desk)
            })
    }
}

fn shown(
    name: &'static str,
    machine: Machine,
    evidence: &Evidence,
    reason: Option<&'static str>,
) -> TpmCase {
    TpmCase {
        name,
        certificate: machine.world.certificate(evidence.to_extension()),
        expectation: machine.world.expectation(),
        machine,
        operators: vec![desk()],
        reason,
    }
}

fn genuine(name: &'static str, machine: Machine) -> TpmCase {
    let evidence = machine.evidence();
    shown(name, machine, &evidence, None)
}

fn refused(name: &'static str, reason: &'static str, change: impl FnOnce(&mut Machine)) -> TpmCase {
    let machine = machine(change);
    let evidence = machine.evidence();
    shown(name, machine, &evidence, Some(reason))
}

/// Every verdict that a certificate with evidence `tpm2` can show.
pub fn all() -> Vec<TpmCase> {
    let mut cases = vec![
        genuine("genuine", Machine::default()),
        genuine("genuine, bank sha384", Machine::of(Bank::Sha384)),
    ];
    cases.extend(admissions());
    cases.extend(statements());
    cases.extend(keys());
    cases.extend(quotes());
    cases.extend(nonces());
    cases.extend(selections());
    cases.extend(images());
    cases.extend(releases());
    cases
}

fn admissions() -> Vec<TpmCase> {
    let copier = machine(|m| m.world.relay = key(20));
    let copied = Machine::default().evidence();
    let stranger = certs::x509::spki_of_public(&key(21).public());
    vec![
        TpmCase {
            operators: vec![],
            ..refused("default policy", "assurance_not_accepted", |_| ())
        },
        TpmCase {
            operators: vec![stranger],
            ..refused(
                "another operator is trusted",
                "operator_not_trusted",
                |_| (),
            )
        },
        TpmCase {
            expectation: Expectation::new(copier.world.spki(), ordered()),
            ..refused("another key", "spki_not_admitted", |_| ())
        },
        TpmCase {
            expectation: Expectation::new(Machine::default().world.spki(), OrderId([9; 32])),
            ..refused("another order", "order_mismatch", |_| ())
        },
        shown("copied", copier, &copied, Some("boot_binding_mismatch")),
    ]
}

fn statements() -> Vec<TpmCase> {
    let stated = |name, reason, change: fn(&mut attest::tpm2::TpmStatement)| {
        let machine = Machine::default();
        let evidence = machine.stating(change);
        shown(name, machine, &evidence, Some(reason))
    };
    vec![
        stated(
            "statement of another order",
            "platform_order_mismatch",
            |s| {
                s.order = OrderId([1; 32]);
            },
        ),
        stated("statement of another release", "release_mismatch", |s| {
            s.release_digest = Digest([1; 32]);
        }),
        stated(
            "statement of other parameters",
            "parameters_mismatch",
            |s| {
                s.parameters_digest = Digest([1; 32]);
            },
        ),
        stated("statement past the lease", "platform_end_mismatch", |s| {
            s.until = s.until.plus_ms(1);
        }),
        stated("statement from the future", "platform_from_future", |s| {
            s.issued = s.issued.plus_ms(HOUR_MS);
        }),
        refused("another desk", "platform_signature_invalid", |m| {
            m.world.desk = key(20);
        }),
        refused("half the bytes", "terms_mismatch", |m| {
            m.world.parameters.byte_cap /= 2;
        }),
        refused("lease over", "lease_ended", |m| {
            m.world.release.expires_ms = NOW.0 + YEAR_MS;
            m.world.now = NOW.plus_ms(HOUR_MS);
        }),
    ]
}

fn keys() -> Vec<TpmCase> {
    let certified = |name, attributes: u32| {
        refused(name, "ak_unsuitable", |m| {
            m.certified = Some(public(&point(&m.ak), attributes));
        })
    };
    vec![
        certified("AK that is not restricted", AK_ATTRIBUTES & !(1 << 16)),
        certified("AK that can leave its TPM", AK_ATTRIBUTES & !(1 << 1)),
        certified("AK that was imported", AK_ATTRIBUTES & !(1 << 5)),
        certified("AK that decrypts", AK_ATTRIBUTES | (1 << 17)),
        refused("AK cut short", "tpm_public_malformed", |m| {
            let whole = public(&point(&m.ak), AK_ATTRIBUTES);
            m.certified = Some(whole[..whole.len() - 1].to_vec());
        }),
        refused("certified another AK", "quote_signature_invalid", |m| {
            m.certified = Some(public(&point(&ak(41)), AK_ATTRIBUTES));
        }),
    ]
}

fn quotes() -> Vec<TpmCase> {
    let genuine = Machine::default();
    let flipped = {
        let mut quote = genuine.quote(&genuine.boot_digest());
        let last = quote.len() - 1;
        quote[last] ^= 1;
        genuine.evidence_with(&genuine.statement(), quote)
    };
    let longer = {
        let mut quote = genuine.quote(&genuine.boot_digest());
        quote.push(0);
        genuine.evidence_with(&genuine.statement(), quote)
    };
    vec![
        refused("not made by a TPM", "quote_magic", |m| m.fields.magic ^= 1),
        // TPM_ST_ATTEST_CERTIFY.
        refused("a certification, no quote", "quote_type", |m| {
            m.fields.kind = 0x8017
        }),
        refused("bytes after the registers", "quote_malformed", |m| {
            m.fields.trailing = vec![0];
        }),
        refused("neither safe nor unsafe", "quote_malformed", |m| {
            m.fields.safe = 2
        }),
        shown(
            "signature altered",
            Machine::default(),
            &flipped,
            Some("quote_signature_invalid"),
        ),
        shown(
            "bytes after the signature",
            Machine::default(),
            &longer,
            Some("quote_malformed"),
        ),
    ]
}

fn nonces() -> Vec<TpmCase> {
    let machine = Machine::default();
    // What a live challenge with the boot digest for a leaf would quote.
    let boot = machine.boot_digest();
    let batch = Batch::new(&[Digest(*boot.as_bytes())]).unwrap().digest();
    let live = machine.evidence_with(&machine.statement(), machine.quote(&batch));
    vec![
        shown(
            "a live quote as boot quote",
            machine,
            &live,
            Some("boot_binding_mismatch"),
        ),
        refused("nonce of zeros", "boot_binding_mismatch", |m| {
            m.fields.nonce = Some(vec![0; 32]);
        }),
        refused("no nonce", "quote_malformed", |m| {
            m.fields.nonce = Some(vec![])
        }),
        refused("nonce cut short", "quote_malformed", |m| {
            m.fields.nonce = Some(m.boot_digest().as_bytes()[..31].to_vec());
        }),
    ]
}

fn selections() -> Vec<TpmCase> {
    let selecting = |name, selection: [u8; 3]| {
        refused(name, "pcr_selection_mismatch", |m| {
            m.fields.selections = vec![(0x000b, selection)];
        })
    };
    vec![
        selecting("without PCR 12", [0x90, 0x2a, 0x00]),
        selecting("with PCR 16", [0x90, 0x3a, 0x01]),
        selecting("no registers", [0, 0, 0]),
        selecting("all registers", [0xff; 3]),
        refused("two selections", "quote_malformed", |m| {
            let twice = m.fields.selections.clone();
            m.fields.selections.extend(twice);
        }),
        refused("no selection", "quote_malformed", |m| {
            m.fields.selections.clear()
        }),
        refused("bank SHA-1", "pcr_bank_mismatch", |m| {
            m.fields.selections[0].0 = 0x0004
        }),
        refused("another bank than shown", "pcr_bank_mismatch", |m| {
            m.shown = Some(pcrs(Bank::Sha384));
        }),
        refused("other registers shown", "pcr_digest_mismatch", |m| {
            m.pcrs = altered(Bank::Sha256, 4);
            m.shown = Some(pcrs(Bank::Sha256));
        }),
    ]
}

fn images() -> Vec<TpmCase> {
    let zeros = Pcrs::new(Bank::Sha256, [0; 6].map(|_: u8| vec![0; 32])).unwrap();
    let image = |name, reason, pcr| refused(name, reason, |m| m.pcrs = altered(Bank::Sha256, pcr));
    vec![
        image("another image", "pcr_mismatch", 4),
        image("another Secure Boot policy", "pcr_mismatch", 7),
        image("another initrd", "pcr_mismatch", 9),
        image("other sections", "pcr_mismatch", 11),
        image("a command line from outside", "pcr_injected", 12),
        image("an extension from outside", "pcr_injected", 13),
        refused("nothing measured", "pcr_mismatch", |m| m.pcrs = zeros),
    ]
}

fn releases() -> Vec<TpmCase> {
    vec![
        refused("not measured with a TPM", "measurement_missing", |m| {
            m.world.release.measurements.tpm2.clear();
        }),
        refused("bank not released", "measurement_missing", |m| {
            m.world.release.measurements.tpm2.remove(0);
        }),
        refused("release expired", "release_expired", |m| {
            m.world.release.expires_ms = NOW.0;
        }),
        refused("release of a stranger", "release_signature_invalid", |m| {
            m.world.release_keys = vec![key(20)];
        }),
        refused("another channel", "release_channel_mismatch", |m| {
            m.world.order.channel = Text::new("nightly").unwrap();
        }),
        refused("clock behind", "clock_wrong", |m| {
            m.world.now = UnixMs(NOW.0 - 2 * HOUR_MS);
        }),
    ]
}

/// A quote by another key of the same machine, for tests of the live half.
pub fn foreign_quote(machine: &Machine, digest: &attest::QuoteDigest) -> Blob<4096> {
    let attest = machine.fields.attest(digest.as_bytes(), &machine.pcrs);
    Blob::new(sign(&ak(41), &attest)).unwrap()
}
