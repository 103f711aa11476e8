//! RFC 6381 codec names from sample entries.
//!
//! Forms: H.264 and AAC from RFC 6381 section 3, VP9 from "VP Codec ISO Media
//! File Format Binding" 1.0, AV1 from "AV1 Codec ISO Media File Format Binding"
//! section 5, Opus from "Encapsulation of Opus in ISOBMFF" 0.6.

use mp4_atom::{Av1c, Avcc, VpcC};

use crate::boxes::leaf;
use crate::boxes::walk::{BoxRef, u8_at, u16_at};
use crate::error::{Error, Flaw, FourCc, Result};
use crate::item::{Track, TrackKind, video as video_track};

/// Fields of a `VisualSampleEntry` before its boxes, ISO/IEC 14496-12 12.1.3.
const VISUAL_FIELDS_BYTES: usize = 78;
/// Fields of an `AudioSampleEntry` before its boxes, ISO/IEC 14496-12 12.2.3.
const AUDIO_FIELDS_BYTES: usize = 28;
/// What QuickTime's sound descriptions of version 1 and 2 add to them.
const QUICKTIME_V1_BYTES: usize = 16;
const QUICKTIME_V2_BYTES: usize = 36;

/// `objectTypeIndication` of MPEG-4 audio, ISO/IEC 14496-1 table 5.
const OBJECT_TYPE_MPEG4_AUDIO: u8 = 0x40;

/// What a sample entry tells about its track.
pub(crate) struct Description {
    pub(crate) kind: TrackKind,
    pub(crate) codec: String,
}

/// The MIME type of a file with these tracks.
pub(crate) fn mime(tracks: &[Track]) -> String {
    let family = match video_track(tracks) {
        Some(_) => "video",
        None => "audio",
    };
    let mut codecs: Vec<&str> = Vec::new();
    for track in tracks {
        if !track.codec.is_empty() && !codecs.contains(&track.codec.as_str()) {
            codecs.push(&track.codec);
        }
    }
    format!("{family}/mp4; codecs=\"{}\"", codecs.join(","))
}

/// Reads a picture's sample entry.
pub(crate) fn video(entry: &BoxRef<'_>) -> Result<Description> {
    let codec = match &entry.kind {
        b"avc1" | b"avc3" => h264(entry)?,
        b"vp09" => vp9(entry)?,
        b"av01" => av1(entry)?,
        _ => return Err(unknown(entry)),
    };
    let kind = TrackKind::Video {
        width: entry.field(u16_at(entry.body, 24))?,
        height: entry.field(u16_at(entry.body, 26))?,
    };
    Ok(Description { kind, codec })
}

/// Reads a sound's sample entry from an `stsd` of version `stsd_version`.
pub(crate) fn audio(entry: &BoxRef<'_>, stsd_version: u8) -> Result<Description> {
    let codec = match &entry.kind {
        b"mp4a" => aac(entry, stsd_version)?,
        b"Opus" => "opus".to_owned(),
        _ => return Err(unknown(entry)),
    };
    let channels = entry.field(u16_at(entry.body, 16))?;
    Ok(Description {
        kind: TrackKind::Audio { channels },
        codec,
    })
}

fn unknown(entry: &BoxRef<'_>) -> Error {
    Error::CodecUnknown {
        entry: FourCc(entry.kind),
    }
}

fn config<'a>(entry: &BoxRef<'a>, kind: [u8; 4], skip: usize) -> Result<BoxRef<'a>> {
    let config = entry
        .child_maybe(kind, skip)?
        .ok_or(Error::missing(entry.kind, kind))?;
    if config.body.is_empty() {
        return Err(Error::garbage(kind, Flaw::ConfigEmpty));
    }
    Ok(config)
}

fn h264(entry: &BoxRef<'_>) -> Result<String> {
    let avcc = leaf::decode::<Avcc>(&config(entry, *b"avcC", VISUAL_FIELDS_BYTES)?)?;
    Ok(format!(
        "{}.{:02x}{:02x}{:02x}",
        if entry.kind == *b"avc3" {
            "avc3"
        } else {
            "avc1"
        },
        avcc.avc_profile_indication,
        avcc.profile_compatibility,
        avcc.avc_level_indication
    ))
}

fn vp9(entry: &BoxRef<'_>) -> Result<String> {
    let vpcc = leaf::decode::<VpcC>(&config(entry, *b"vpcC", VISUAL_FIELDS_BYTES)?)?;
    Ok(format!(
        "vp09.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}",
        vpcc.profile,
        vpcc.level,
        vpcc.bit_depth,
        vpcc.chroma_subsampling,
        vpcc.color_primaries,
        vpcc.transfer_characteristics,
        vpcc.matrix_coefficients,
        u8::from(vpcc.video_full_range_flag)
    ))
}

/// The mandatory fields only; the colour is described in the sequence header.
fn av1(entry: &BoxRef<'_>) -> Result<String> {
    let av1c = leaf::decode::<Av1c>(&config(entry, *b"av1C", VISUAL_FIELDS_BYTES)?)?;
    let bit_depth = match (av1c.high_bitdepth, av1c.twelve_bit) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Ok(format!(
        "av01.{}.{:02}{}.{bit_depth:02}",
        av1c.seq_profile,
        av1c.seq_level_idx_0,
        if av1c.seq_tier_0 { 'H' } else { 'M' },
    ))
}

fn aac(entry: &BoxRef<'_>, stsd_version: u8) -> Result<String> {
    let entry_version = entry.field(u16_at(entry.body, 8))?;
    // In an `stsd` of version 1 the same number means ISO's own second form,
    // which is no longer than the first.
    let extra = match (stsd_version, entry_version) {
        (0, 1) => QUICKTIME_V1_BYTES,
        (0, 2) => QUICKTIME_V2_BYTES,
        _ => 0,
    };
    let skip = AUDIO_FIELDS_BYTES.saturating_add(extra);
    let esds = leaf::esds(&config(entry, *b"esds", skip)?)?;
    let decoder = esds.es_desc.dec_config;
    if decoder.object_type_indication != OBJECT_TYPE_MPEG4_AUDIO {
        return Err(unknown(entry));
    }
    let specific = decoder
        .dec_specific
        .ok_or(Error::garbage(*b"esds", Flaw::Short))?;
    let object_type =
        audio_object_type(&specific.raw).ok_or(Error::garbage(*b"esds", Flaw::Short))?;
    Ok(format!("mp4a.40.{object_type}"))
}

/// `GetAudioObjectType` of ISO/IEC 14496-3 section 1.6.2.1: five bits, or after
/// 31 six more that count from 32.
fn audio_object_type(config: &[u8]) -> Option<u8> {
    const ESCAPE: u8 = 31;
    let first = u8_at(config, 0)?;
    let short = first >> 3;
    if short != ESCAPE {
        return Some(short);
    }
    let second = u8_at(config, 1)?;
    Some(32 + ((first & 0b111) << 3 | second >> 5))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::boxes::walk::Boxes;

    fn bytes(kind: &[u8; 4], fields: usize, children: &[u8]) -> Vec<u8> {
        let size = u32::try_from(8 + fields + children.len()).unwrap();
        let mut out = size.to_be_bytes().to_vec();
        out.extend_from_slice(kind);
        out.resize(8 + fields, 0);
        out.extend_from_slice(children);
        out
    }

    fn described(entry: &[u8]) -> Result<String> {
        let entry = Boxes::new(*b"stsd", entry).next().unwrap().unwrap();
        let described = match &entry.kind {
            b"mp4a" | b"Opus" | b"ac-3" => audio(&entry, 0),
            _ => video(&entry),
        };
        described.map(|description| description.codec)
    }

    #[test]
    fn names_av1_with_level_tier_and_depth() {
        // Profile 0, level index 8 (4.0), main tier, 10 bit.
        let av1c = bytes(b"av1C", 0, &[0x81, 0x08, 0x4c, 0x00]);
        let entry = bytes(b"av01", VISUAL_FIELDS_BYTES, &av1c);
        assert_eq!(described(&entry).unwrap(), "av01.0.08M.10");
    }

    #[test]
    fn names_vp9_with_every_field() {
        let vpcc = bytes(b"vpcC", 0, &[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]);
        let entry = bytes(b"vp09", VISUAL_FIELDS_BYTES, &vpcc);
        assert_eq!(described(&entry).unwrap(), "vp09.00.31.08.01.01.01.01.00");
    }

    #[test]
    fn names_opus() {
        let entry = bytes(b"Opus", AUDIO_FIELDS_BYTES, &bytes(b"dOps", 11, &[]));
        assert_eq!(described(&entry).unwrap(), "opus");
    }

    #[test]
    fn refuses_a_codec_that_browsers_do_not_play_by_its_name() {
        for kind in [b"hev1", b"hvc1", b"encv", b"ac-3"] {
            let error = described(&bytes(kind, VISUAL_FIELDS_BYTES, &[])).unwrap_err();
            assert_eq!(error.reason(), "media_codec_unknown");
            assert!(error.to_string().contains(&FourCc(*kind).to_string()));
        }
    }

    #[test]
    fn refuses_an_entry_without_its_configuration() {
        let error = described(&bytes(b"avc1", VISUAL_FIELDS_BYTES, &[])).unwrap_err();
        assert_eq!(error.reason(), "media_garbage");
    }

    #[test]
    fn says_what_to_do_about_an_empty_configuration() {
        let entry = bytes(b"av01", VISUAL_FIELDS_BYTES, &bytes(b"av1C", 0, &[]));
        let error = described(&entry).unwrap_err();
        assert_eq!(error.reason(), "media_garbage");
        assert!(error.to_string().contains("+delay_moov"));
    }

    #[test]
    fn refuses_descriptors_nested_deeper_than_their_limit() {
        // An ES descriptor in an ES descriptor in ...: the decoder recurses.
        let nested: Vec<u8> = [3, 0xff, 0xff, 0x7f, 0, 1, 0].repeat(100_000);
        let mut body = vec![0; 4];
        body.extend_from_slice(&nested);
        let esds = bytes(b"esds", 0, &body);
        let entry = bytes(b"mp4a", AUDIO_FIELDS_BYTES, &esds);
        assert_eq!(
            described(&entry).unwrap_err().reason(),
            "media_box_too_large"
        );
    }

    #[test]
    fn reads_short_and_escaped_audio_object_types() {
        assert_eq!(audio_object_type(&[0x11, 0x90]), Some(2));
        assert_eq!(audio_object_type(&[0xf9, 0x40]), Some(42));
        assert_eq!(audio_object_type(&[0xf9]), None);
    }
}
