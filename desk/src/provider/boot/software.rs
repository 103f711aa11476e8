//! What a relay of evidence kind `software` asks to be certified.

use super::{Dialogue, Opening};
use crate::error::LaunchFailure;
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncWrite};
use wire::{PublicKey, SpkiHash};

/// The relay's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::provider) struct BootRequest {
    pub(in crate::provider) spki: SpkiHash,
    pub(in crate::provider) boot_key: PublicKey,
}

/// Tells the relay what it is, and hears its keys.
pub(in crate::provider) async fn begin<W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin>(
    dialogue: &mut Dialogue<'_, W, R>,
    opening: Opening<'_>,
) -> Result<BootRequest, LaunchFailure> {
    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Line {
        BootRequest { spki: String, boot_key: String },
    }
    dialogue.open(opening).await?;
    let Line::BootRequest { spki, boot_key } = dialogue.hear().await?;
    Ok(BootRequest {
        spki: SpkiHash::from_hex(&spki).ok_or(LaunchFailure::Protocol)?,
        boot_key: PublicKey::from_hex(&boot_key).ok_or(LaunchFailure::Protocol)?,
    })
}
