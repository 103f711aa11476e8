//! The tracks of an init segment.

use mp4_atom::{Mdhd, Tkhd, Trex};

use super::leaf;
use super::walk::{BoxRef, array_at, u32_at};
use crate::codec;
use crate::error::{Error, Flaw, Result};
use crate::item::{SampleDefaults, Track, TrackKind};
use crate::limits;

/// The full-box fields and the entry count before the sample entries.
const STSD_FIELDS_BYTES: usize = 8;

/// Reads `moov`: at least one playable track, every one with its `trex`.
pub(crate) fn tracks(moov: &BoxRef<'_>) -> Result<Vec<Track>> {
    // `mvex` announces fragments; without it the samples are listed in `moov`.
    let mvex = moov.child_maybe(*b"mvex", 0)?.ok_or(Error::NotFragmented)?;
    let defaults = defaults(&mvex)?;
    let mut tracks: Vec<Track> = Vec::new();
    for child in moov.children(0)? {
        let trak = child?;
        if trak.kind != *b"trak" {
            continue;
        }
        if tracks.len() == limits::TRACKS_MAX {
            return Err(Error::TooManyTracks);
        }
        let track = track(&trak, &defaults)?;
        if track.id == 0 || tracks.iter().any(|other| other.id == track.id) {
            return Err(Error::garbage(*b"tkhd", Flaw::TrackId(track.id)));
        }
        tracks.push(track);
    }
    if tracks.iter().all(|track| track.kind == TrackKind::Other) {
        return Err(Error::missing(*b"moov", *b"trak"));
    }
    Ok(tracks)
}

fn defaults(mvex: &BoxRef<'_>) -> Result<Vec<Trex>> {
    let mut defaults = Vec::new();
    for child in mvex.children(0)? {
        let child = child?;
        if child.kind != *b"trex" {
            continue;
        }
        if defaults.len() == limits::TRACKS_MAX {
            return Err(Error::TooManyTracks);
        }
        defaults.push(leaf::decode::<Trex>(&child)?);
    }
    Ok(defaults)
}

fn track(trak: &BoxRef<'_>, defaults: &[Trex]) -> Result<Track> {
    let id = leaf::decode::<Tkhd>(&trak.child(*b"tkhd")?)?.track_id;
    let mdia = trak.child(*b"mdia")?;
    let timescale = leaf::decode::<Mdhd>(&mdia.child(*b"mdhd")?)?.timescale;
    if timescale == 0 {
        return Err(Error::garbage(*b"mdhd", Flaw::Timescale));
    }
    // Read by hand: only the type matters, and names come in many encodings.
    let hdlr = mdia.child(*b"hdlr")?;
    let handler: [u8; 4] = hdlr.field(array_at(hdlr.body, 8))?;
    let trex = defaults
        .iter()
        .find(|trex| trex.track_id == id)
        .ok_or(Error::missing(*b"mvex", *b"trex"))?;
    let description = match &handler {
        b"vide" => codec::video(&sample_entry(&mdia)?.1)?,
        b"soun" => {
            let (version, entry) = sample_entry(&mdia)?;
            codec::audio(&entry, version)?
        }
        _ => codec::Description {
            kind: TrackKind::Other,
            codec: String::new(),
        },
    };
    Ok(Track {
        id,
        kind: description.kind,
        timescale,
        codec: description.codec,
        defaults: SampleDefaults {
            duration: trex.default_sample_duration,
            size: trex.default_sample_size,
            flags: trex.default_sample_flags,
        },
    })
}

/// The one sample entry of a track, and the version of the `stsd` around it.
fn sample_entry<'a>(mdia: &BoxRef<'a>) -> Result<(u8, BoxRef<'a>)> {
    let stsd = mdia.child(*b"minf")?.child(*b"stbl")?.child(*b"stsd")?;
    let [version, ..] = stsd.field(array_at::<4>(stsd.body, 0))?;
    let entries = stsd.field(u32_at(stsd.body, 4))?;
    if entries != 1 {
        return Err(Error::garbage(*b"stsd", Flaw::SampleEntries(entries)));
    }
    let entry = stsd.children(STSD_FIELDS_BYTES)?.next();
    let entry = entry.ok_or(Error::garbage(*b"stsd", Flaw::SampleEntries(0)))??;
    Ok((version, entry))
}
