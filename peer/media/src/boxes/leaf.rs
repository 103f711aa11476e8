//! The one door to `mp4-atom`: a leaf box of bounded length in, its fields out.
//!
//! Whole `moov` and `moof` boxes are not handed over. Their decoders recurse by
//! what the input says and reject a file for a damaged box that nobody here
//! reads (a title, a colour profile).

use std::sync::Arc;

use mp4_atom::{Atom, Buf, Esds, Trun};

use super::walk::{BoxRef, u32_at};
use crate::error::{Error, Flaw, FourCc, Result};
use crate::limits;

/// Decodes a box of at most [`limits::LEAF_BYTES_MAX`] bytes.
pub(crate) fn decode<A: Atom>(leaf: &BoxRef<'_>) -> Result<A> {
    bounded(leaf, limits::LEAF_BYTES_MAX)
}

/// Decodes an `esds` box of at most [`limits::ESDS_BYTES_MAX`] bytes.
pub(crate) fn esds(leaf: &BoxRef<'_>) -> Result<Esds> {
    bounded(leaf, limits::ESDS_BYTES_MAX)
}

/// Decodes a `trun` box; `samples_left` is how many samples the fragment may
/// still declare. The count is checked before anything is allocated for it.
pub(crate) fn trun(leaf: &BoxRef<'_>, samples_left: u64) -> Result<Trun> {
    let samples = u64::from(leaf.field(u32_at(leaf.body, 4))?);
    if samples > samples_left {
        let before = limits::FRAGMENT_SAMPLES_MAX.saturating_sub(samples_left);
        return Err(Error::TooManySamples {
            samples: samples.saturating_add(before),
        });
    }
    exact(leaf)
}

fn bounded<A: Atom>(leaf: &BoxRef<'_>, max: usize) -> Result<A> {
    if leaf.body.len() > max {
        return Err(Error::BoxTooLarge {
            kind: FourCc(leaf.kind),
            bytes: leaf.body.len() as u64,
            max_bytes: max as u64,
        });
    }
    exact(leaf)
}

/// All of the body must be used: bytes left over mean that the fields were not
/// where the decoder looked for them.
fn exact<A: Atom>(leaf: &BoxRef<'_>) -> Result<A> {
    let undecodable = |error| Error::garbage(leaf.kind, Flaw::Undecodable(Arc::new(error)));
    let mut body = leaf.body;
    let atom = A::decode_body(&mut body).map_err(undecodable)?;
    if body.has_remaining() {
        return Err(undecodable(mp4_atom::Error::UnderDecode(A::KIND)));
    }
    Ok(atom)
}
