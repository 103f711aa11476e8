//! F4: a media file whose box claims a gigabyte, and keeps coming.
//!
//! The control is the splitter's bound, judged by a box's header. It is
//! removed in the splitter.

use crate::attack::attack;
use crate::{Control, Failure, Outcome};
use media::limits::FRAGMENT_BYTES_MAX;
use media::{Error, Fragmenter, parse_all};

attack!("F4", run);

/// The project's own clip: its init segment begins the hostile file.
const CLIP: &[u8] = include_bytes!("../../../tests/media/clip.mp4");
/// What the hostile box claims, in bytes.
const CLAIMED_BYTES: u64 = 1 << 30;
/// What of it is sent before the attacker has seen enough, in bytes.
const SENT_BYTES: u64 = 4 * FRAGMENT_BYTES_MAX;

fn run(control: Control) -> Result<Outcome, Failure> {
    let mut splitter = match control {
        Control::On => Fragmenter::new(),
        Control::Removed => Fragmenter::dangerously_unbounded(),
    };
    let init = parse_all(CLIP)?
        .into_iter()
        .next()
        .ok_or(Failure::Stage("the clip has no init segment"))?;
    splitter.push(init.bytes())?;
    // Size 1: a 64-bit length follows (ISO/IEC 14496-12, section 4.2).
    let mut header = 1u32.to_be_bytes().to_vec();
    header.extend_from_slice(b"free");
    header.extend_from_slice(&CLAIMED_BYTES.to_be_bytes());
    let piece = vec![0u8; 1 << 20];
    let mut refusal = splitter.push(&header).err();
    let mut sent = header.len() as u64;
    while refusal.is_none() && sent < SENT_BYTES {
        refusal = splitter.push(&piece).err();
        sent = sent.saturating_add(piece.len() as u64);
    }
    match (refusal, splitter.finish()) {
        (Some(refusal), _) => Ok(Outcome::stopped(refusal.reason())),
        (None, Err(Error::Truncated { missing_bytes, .. })) => {
            let held = CLAIMED_BYTES.saturating_sub(missing_bytes);
            if held > FRAGMENT_BYTES_MAX {
                Ok(Outcome::succeeded(format!(
                    "{held} bytes of one box in memory, and no end to it"
                )))
            } else {
                Err(Failure::Stage("the splitter held no more than its bound"))
            }
        }
        (None, _) => Err(Failure::Stage("the splitter took the box for whole")),
    }
}
