//! D11: a station comes back from a backup with yesterday's epoch secret. Who
//! recorded both runs, and knows what was said yesterday, reads today.
//!
//! The control is the run in the key's derivation: without it the same nonce
//! meets the same key twice. It is removed in the sealer.

use crate::attack::attack;
use crate::scene::stream::Stream;
use crate::{Control, Failure, Outcome};
use certs::seal::{ChunkOpener, ChunkSealer};
use wire::{Rendition, Sequence};

mod secrets;

attack!("D11", run,
    "an evicted member reads on" => "seal_invalid": secrets::evicted,
    "a leaked invite opens a recording" => "seal_invalid": secrets::leaked,
);

const KNOWN: &[u8] = b"yesterday: the weather, word for word";
const SECRET: &[u8] = b"today: what nobody outside should see";

fn run(control: Control) -> Result<Outcome, Failure> {
    let yesterday = Stream::begin()?;
    let today = yesterday.restored()?;
    let recorded = seal(&yesterday, KNOWN, control)?;
    let wanted = seal(&today, SECRET, control)?;
    // Counter mode: the same key and nonce give the same key stream.
    let recovered: Vec<u8> = wanted
        .iter()
        .zip(&recorded)
        .zip(KNOWN)
        .map(|((new, old), known)| new ^ old ^ known)
        .collect();
    if recovered == SECRET {
        return Ok(Outcome::succeeded(
            "today's chunk was read with yesterday's recording",
        ));
    }
    // Nor does yesterday's key, which every viewer of yesterday has, open it.
    let scope = &yesterday.run.scope;
    let opener = ChunkOpener::new(&yesterday.secret, scope, Rendition(0), false)?;
    let mut chunk = wanted;
    match opener.open(Sequence(0), &[], &mut chunk) {
        Ok(()) => Ok(Outcome::succeeded("yesterday's key opens today's chunk")),
        Err(refusal) => Ok(Outcome::stopped(refusal.reason())),
    }
}

fn seal(stream: &Stream, plaintext: &[u8], control: Control) -> Result<Vec<u8>, Failure> {
    let sealer = match control {
        Control::On => ChunkSealer::new(&stream.secret, &stream.run.scope, Rendition(0), false)?,
        Control::Removed => ChunkSealer::dangerously_unscoped(&stream.secret)?,
    };
    let mut buffer = plaintext.to_vec();
    sealer.seal(Sequence(0), &[], &mut buffer)?;
    Ok(buffer)
}
