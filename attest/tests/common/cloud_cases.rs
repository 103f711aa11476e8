//! Saved quotes of clouds' instances and the verdict that each must get.

use super::authority::{Authority, EK_PURPOSE, Key};
use super::cloud::Instance;
use super::tpm::{altered, pcrs};
use super::{HOUR_MS, NOW, YEAR_MS};
use attest::tpm2::{Bank, Cloud};
use wire::{Digest, UnixMs};

/// One file, what it is judged with, and the verdict.
pub struct CloudCase {
    pub name: &'static str,
    pub cloud: Cloud,
    pub file: String,
    /// Whether the verifier has a release to compare with.
    pub release: bool,
    pub development: bool,
    pub denied: Vec<Digest>,
    /// None: genuine, and the release's image.
    pub reason: Option<&'static str>,
}

fn case(
    name: &'static str,
    cloud: Cloud,
    reason: impl Into<Option<&'static str>>,
    change: impl FnOnce(&mut Instance),
) -> CloudCase {
    let mut instance = Instance::of(cloud);
    change(&mut instance);
    CloudCase {
        name,
        cloud,
        file: instance.file(),
        release: true,
        development: true,
        denied: vec![],
        reason: reason.into(),
    }
}

fn refused(
    name: &'static str,
    reason: &'static str,
    change: impl FnOnce(&mut Instance),
) -> CloudCase {
    case(name, Cloud::Google, reason, change)
}

/// Every verdict that a saved quote can get.
pub fn all() -> Vec<CloudCase> {
    let mut cases = vec![
        case("genuine, Google", Cloud::Google, None, |_| ()),
        case("genuine, Azure", Cloud::Azure, None, |_| ()),
        CloudCase {
            release: false,
            ..refused("no release", "release_missing", |_| ())
        },
        CloudCase {
            development: false,
            ..refused("default policy", "assurance_not_accepted", |_| ())
        },
    ];
    cases.extend(files());
    cases.extend(chains());
    cases.extend(quotes());
    cases.extend(images());
    cases
}

fn files() -> Vec<CloudCase> {
    let whole = Instance::of(Cloud::Google).file();
    let written = |name, file: String| CloudCase {
        file,
        ..refused(name, "evidence_malformed", |_| ())
    };
    vec![
        written("unknown field", whole.replacen('{', "{\"any\":1,", 1)),
        written(
            "field twice",
            whole.replacen('{', "{\"cloud\":\"google\",", 1),
        ),
        written("bytes after the file", format!("{whole}{{}}")),
        written("cut short", whole[..whole.len() - 1].into()),
        written("another schema", whole.replace("ak-quote/1", "ak-quote/2")),
        written("another cloud", whole.replace("google", "nimbus")),
        written("another bank", whole.replace("\"sha256\"", "\"sha1\"")),
        written(
            "upper case",
            whole.replace("\"quote\":\"00", "\"quote\":\"0A"),
        ),
        written("nested arrays", "[".repeat(10_000)),
        written("register left out", whole.replacen("\"9\":", "\"10\":", 1)),
    ]
}

fn chains() -> Vec<CloudCase> {
    let day_ms = 24 * HOUR_MS;
    vec![
        refused("leaf of the day before", "chain_expired", |i| {
            i.leaf_at = UnixMs(NOW.0 - day_ms);
        }),
        refused("leaf of the day after", "clock_wrong", |i| {
            i.leaf_at = NOW.plus_ms(day_ms);
        }),
        refused("no certificate between", "chain_root_unknown", |i| {
            i.between = 0;
        }),
        refused("a foreign root of the same name", "chain_invalid", |i| {
            i.root = Authority::root(60, NOW);
        }),
        refused("a long path", "chain_invalid", |i| i.between = 5),
        case(
            "an endorsement key's certificate",
            Cloud::Azure,
            "chain_invalid",
            |i| {
                i.purposes = vec![EK_PURPOSE];
            },
        ),
        refused("release of a later day", "release_expired", |i| {
            i.at = NOW.plus_ms(YEAR_MS / 2);
            i.leaf_at = i.at;
        }),
    ]
}

fn quotes() -> Vec<CloudCase> {
    vec![
        refused("another key", "quote_signature_invalid", |i| {
            i.certified = Some(Key::new(61));
        }),
        refused("not made by a TPM", "quote_magic", |i| {
            i.machine.fields.magic ^= 1;
        }),
        refused("a certification, no quote", "quote_type", |i| {
            i.machine.fields.kind = 0x8017;
        }),
        refused("bytes after the registers", "quote_malformed", |i| {
            i.machine.fields.trailing = vec![0];
        }),
        CloudCase {
            file: signed_by_rsa_as_p256(),
            ..case(
                "a scheme of another key",
                Cloud::Azure,
                "quote_malformed",
                |_| (),
            )
        },
        refused("all registers", "pcr_selection_mismatch", |i| {
            i.machine.fields.selections = vec![(0x000b, [0xff; 3])];
        }),
        refused("another bank than shown", "pcr_bank_mismatch", |i| {
            i.shown = Some(pcrs(Bank::Sha384));
        }),
        refused("other registers shown", "pcr_digest_mismatch", |i| {
            i.shown = Some(altered(Bank::Sha256, 4));
        }),
    ]
}

/// Azure's certificate over Google's quote.
fn signed_by_rsa_as_p256() -> String {
    let mut form = Instance::of(Cloud::Azure).form();
    form.quote = Instance::of(Cloud::Google).form().quote;
    serde_json::to_string(&form).unwrap()
}

fn images() -> Vec<CloudCase> {
    let with = |name, reason, pcr| {
        refused(name, reason, |i| {
            i.machine.pcrs = altered(Bank::Sha256, pcr);
        })
    };
    vec![
        with("another image", "pcr_mismatch", 4),
        with("another Secure Boot policy", "pcr_mismatch", 7),
        with("a command line from outside", "pcr_injected", 12),
        CloudCase {
            denied: vec![pcrs(Bank::Sha256).digest()],
            ..refused("a revoked image", "image_denied", |_| ())
        },
    ]
}
