//! F5: a user sends a log for help, and its reader looks for keys in it.
//!
//! The control is the type: Debug of every secret is redacted. It is removed
//! by logging the bytes that the type holds.

use crate::attack::attack;
use crate::scene::stream::Stream;
use crate::scene::{random, shop};
use crate::{Control, Failure, Outcome};
use certs::SigningKey;
use std::fmt::Debug;
use wire::invite::{AudienceSecret, Invite};

attack!("F5", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let audience = AudienceSecret::new(random()?);
    let holder = shop::foreign_holder()?;
    let invite = Invite {
        stream: stream.run.scope.stream,
        secret: audience.clone(),
        addresses: vec![([127, 0, 0, 1], 7000).into()],
    };
    let shown: [(&dyn Debug, [u8; 32]); 5] = [
        (&stream.key, *stream.key.seed()),
        (&stream.secret, *stream.secret.expose()),
        (&audience, *audience.expose()),
        (&invite, *audience.expose()),
        (&holder, *holder.key().seed()),
    ];
    let log: Vec<String> = shown
        .iter()
        .map(|(secret, bytes)| match control {
            Control::On => format!("state: {secret:?}"),
            Control::Removed => format!("state: {bytes:?}"),
        })
        .collect();
    let found = log
        .iter()
        .zip(&shown)
        .filter(|(line, (_, bytes))| read(line) == Some(*bytes) || spelled(line, bytes))
        .count();
    // The first line is the stream's key: with it, one is the stream.
    let stolen = log.first().and_then(|line| read(line));
    match stolen.map(SigningKey::from_seed) {
        Some(key) if key.public() == stream.key.public() => Ok(Outcome::succeeded(format!(
            "{found} secrets read from the log, the stream's signing key among them"
        ))),
        _ if found > 0 => Ok(Outcome::succeeded(format!("{found} secrets in the log"))),
        _ if log.iter().all(|line| line.contains("redacted")) => Ok(Outcome::stopped("redacted")),
        _ => Err(Failure::Stage("a secret's Debug says nothing at all")),
    }
}

/// The 32 numbers in brackets that Debug makes of bytes.
fn read(line: &str) -> Option<[u8; 32]> {
    let (_, rest) = line.split_once('[')?;
    let (list, _) = rest.split_once(']')?;
    let bytes: Vec<u8> = list
        .split(", ")
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    bytes.try_into().ok()
}

/// Whether the line spells the bytes in hexadecimal or base64.
fn spelled(line: &str, bytes: &[u8; 32]) -> bool {
    [
        data_encoding::HEXLOWER.encode(bytes),
        data_encoding::HEXUPPER.encode(bytes),
        data_encoding::BASE64.encode(bytes),
        data_encoding::BASE64URL_NOPAD.encode(bytes),
    ]
    .iter()
    .any(|spelling| line.contains(spelling.as_str()))
}
