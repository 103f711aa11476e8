//! What a host's operator asks of a relay's TPM before it vouches for it.
//!
//! The desk manufactured the TPM and knows by what name. Vouched for is an
//! attestation key (AK) that lives in that TPM, in this boot, and signs
//! nothing but the TPM's own statements. Whether the image is the developer's
//! is not asked here: the verifier compares the TPM's quotes himself.

use super::{Dialogue, Opening, unhex};
use crate::clock;
use crate::error::LaunchFailure;
use crate::platform::Activated;
use attest::tpm2::credential::Challenge;
use attest::tpm2::ek::{self, Development, Endorsed, Roots};
use attest::tpm2::public::AkPublic;
use certs::SigningKey;
use data_encoding::HEXLOWER;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tokio::io::{AsyncBufRead, AsyncWrite};
use wire::{Encode, SpkiHash, UnixMs};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

/// Who vouches, and for which boot.
pub(in crate::provider) struct Host<'a> {
    /// Whose TPMs are this desk's.
    pub(in crate::provider) roots: &'a Roots<Development>,
    /// This boot's name, which the desk had written into its TPM's
    /// certificate.
    pub(in crate::provider) boot: [u8; 16],
    pub(in crate::provider) desk: &'a SigningKey,
    /// End of the lease, and of what is vouched for.
    pub(in crate::provider) until: UnixMs,
    pub(in crate::provider) rng: &'a (dyn SecureRandom + Sync),
}

/// The relay's keys.
struct Keys {
    spki: SpkiHash,
    ek_certificate: Vec<u8>,
    ek_public: Vec<u8>,
    ak_public: Vec<u8>,
}

/// Leads a relay through the whole conversation; its key, and where it
/// listens. There is one activation per boot: whatever fails ends the boot.
pub(in crate::provider) async fn certify<W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin>(
    dialogue: &mut Dialogue<'_, W, R>,
    opening: Opening<'_>,
    host: &Host<'_>,
) -> Result<(SpkiHash, SocketAddr), LaunchFailure> {
    dialogue.open(opening).await?;
    let keys = keys(dialogue).await?;
    let endorsed = host.endorsed(&keys)?;
    let ak = AkPublic::parse(&keys.ak_public).map_err(told(LaunchFailure::AttestationKey))?;
    let (challenge, credential) = Challenge::new(endorsed.public(), &ak, host.rng)
        .map_err(told(LaunchFailure::Endorsement))?;
    challenge
        .check(&activated(dialogue, &credential).await?)
        .map_err(told(LaunchFailure::Activation))?;
    let statement = Activated {
        ak_public: &keys.ak_public,
        ek_certificate: *endorsed.certificate_digest(),
        boot: host.boot,
        order: opening.order,
        parameters: opening.parameters,
        release: opening.release.as_bytes(),
        until: host.until,
    };
    let now = clock::now().map_err(|_| LaunchFailure::Platform)?;
    let platform = statement.certify(host.desk, now)?;
    let address = dialogue.finish(&platform.to_bytes(), &keys.spki).await?;
    Ok((keys.spki, address))
}

async fn keys<W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin>(
    dialogue: &mut Dialogue<'_, W, R>,
) -> Result<Keys, LaunchFailure> {
    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Line {
        BootRequest {
            spki: String,
            ek_public: String,
            ek_certificate: String,
            ak_public: String,
        },
    }
    let Line::BootRequest {
        spki,
        ek_public,
        ek_certificate,
        ak_public,
    } = dialogue.hear().await?;
    Ok(Keys {
        spki: SpkiHash::from_hex(&spki).ok_or(LaunchFailure::Protocol)?,
        ek_certificate: unhex(&ek_certificate)?,
        ek_public: unhex(&ek_public)?,
        ak_public: unhex(&ak_public)?,
    })
}

/// Hands the credential over; the secret that the TPM found in it. It is worth
/// nothing once it was told.
async fn activated<W: AsyncWrite + Unpin, R: AsyncBufRead + Unpin>(
    dialogue: &mut Dialogue<'_, W, R>,
    credential: &[u8],
) -> Result<Vec<u8>, LaunchFailure> {
    #[derive(Serialize)]
    struct Credential {
        credential: String,
    }
    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
    enum Line {
        Activated { secret: String },
    }
    dialogue
        .send(&Credential {
            credential: HEXLOWER.encode(credential),
        })
        .await?;
    let Line::Activated { secret } = dialogue.hear().await?;
    unhex(&secret)
}

impl Host<'_> {
    /// The endorsement key is one of this desk's TPMs, and of this boot's: a
    /// key of a machine beside it is under the same CA.
    fn endorsed(&self, keys: &Keys) -> Result<Endorsed<Development>, LaunchFailure> {
        let now = clock::now().map_err(|_| LaunchFailure::Platform)?;
        let endorsed = ek::verify(&keys.ek_certificate, &keys.ek_public, self.roots, now)
            .map_err(told(LaunchFailure::Endorsement))?;
        let named = common_name(&keys.ek_certificate);
        if named.as_deref() == Some(&*HEXLOWER.encode(&self.boot)) {
            Ok(endorsed)
        } else {
            Err(LaunchFailure::OtherBoot)
        }
    }
}

/// The subject's only common name.
fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}

/// Keeps the check's own reason in the log.
fn told(failure: LaunchFailure) -> impl Fn(attest::Error) -> LaunchFailure {
    move |error| {
        tracing::warn!(
            reason = error.reason(),
            "vouch for the relay's TPM: {error}"
        );
        failure
    }
}

#[cfg(test)]
mod tests;
