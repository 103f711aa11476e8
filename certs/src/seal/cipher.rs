//! The cipher of one stream, run, epoch, rendition and sort of chunk.

use super::EpochSecret;
use crate::limits::{CHUNK_KEYS_MAX, EPOCH_SECRETS_MAX};
use crate::{Error, Verified};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use std::collections::BTreeMap;
use wire::statement::ChunkHeader;
use wire::{Epoch, Rendition, RunId, Scope, Sequence, StreamId};

const SALT: &[u8] = b"roundcast/seal/v1";
const MEDIA_LABEL: &[u8] = b"roundcast/seal-media/v1\0";
const INIT_LABEL: &[u8] = b"roundcast/seal-init/v1\0";

/// Seals chunks. One sealer must see each sequence once: [`super::Publisher`]
/// keeps the count.
pub struct ChunkSealer(LessSafeKey);

impl ChunkSealer {
    /// The sealer of a scope, rendition and sort (`init`: init segments).
    ///
    /// # Errors
    /// `seal_invalid` if the key cannot be derived.
    pub fn new(
        secret: &EpochSecret,
        scope: &Scope,
        rendition: Rendition,
        init: bool,
    ) -> Result<Self, Error> {
        derive(secret, scope, rendition, init).map(Self)
    }

    /// Seals in place; the buffer grows by [`super::OVERHEAD_BYTES`].
    ///
    /// # Errors
    /// `seal_invalid`.
    pub fn seal(
        &self,
        sequence: Sequence,
        associated_data: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.0
            .seal_in_place_append_tag(nonce(sequence), Aad::from(associated_data), buffer)
            .map_err(|_| Error::SealInvalid)
    }

    #[cfg(feature = "ablation")]
    pub(crate) fn from_unscoped(secret: &EpochSecret) -> Result<Self, Error> {
        expand(secret, &[b"unscoped"]).map(Self)
    }
}

/// Opens chunks of one scope, rendition and sort.
pub struct ChunkOpener(LessSafeKey);

impl ChunkOpener {
    /// The opener that fits the sealer of the same arguments.
    ///
    /// # Errors
    /// `seal_invalid` if the key cannot be derived.
    pub fn new(
        secret: &EpochSecret,
        scope: &Scope,
        rendition: Rendition,
        init: bool,
    ) -> Result<Self, Error> {
        derive(secret, scope, rendition, init).map(Self)
    }

    /// Opens in place; what is left of the buffer is the plaintext.
    ///
    /// # Errors
    /// `seal_invalid`.
    pub fn open(
        &self,
        sequence: Sequence,
        associated_data: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let len = self
            .0
            .open_in_place(nonce(sequence), Aad::from(associated_data), buffer)
            .map_err(|_| Error::SealInvalid)?
            .len();
        buffer.truncate(len);
        Ok(())
    }
}

/// A member's epoch secrets of one run and the keys derived from them.
pub struct Openers {
    stream: StreamId,
    run: RunId,
    secrets: BTreeMap<Epoch, EpochSecret>,
    derived: BTreeMap<(Epoch, Rendition, bool), ChunkOpener>,
}

impl Openers {
    /// No secrets yet.
    #[must_use]
    pub const fn new(stream: StreamId, run: RunId) -> Self {
        Self {
            stream,
            run,
            secrets: BTreeMap::new(),
            derived: BTreeMap::new(),
        }
    }

    /// Adds an epoch's secret; the oldest goes when there are too many.
    pub fn add(&mut self, epoch: Epoch, secret: EpochSecret) {
        self.derived.retain(|(of, _, _), _| *of != epoch);
        self.secrets.insert(epoch, secret);
        while self.secrets.len() > EPOCH_SECRETS_MAX {
            if let Some((oldest, _)) = self.secrets.pop_first() {
                self.derived.retain(|(of, _, _), _| *of != oldest);
            }
        }
    }

    /// The newest epoch that can be opened.
    #[must_use]
    pub fn newest(&self) -> Option<Epoch> {
        self.secrets.keys().next_back().copied()
    }

    /// Opens what [`super::assemble`] gave for the same header.
    ///
    /// # Errors
    /// `epoch_secret_missing`, `seal_invalid`, `header_wrong_run`.
    pub fn open(
        &mut self,
        header: &Verified<ChunkHeader>,
        mut sealed: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        if header.scope.stream != self.stream || header.scope.run != self.run {
            return Err(Error::HeaderWrongRun);
        }
        self.opener(header)?
            .open(header.sequence, &header.associated_data(), &mut sealed)?;
        Ok(sealed)
    }

    fn opener(&mut self, header: &ChunkHeader) -> Result<&ChunkOpener, Error> {
        let name = (header.scope.epoch, header.rendition, header.flags.init);
        if !self.derived.contains_key(&name) {
            let secret = self
                .secrets
                .get(&header.scope.epoch)
                .ok_or(Error::EpochSecretMissing)?;
            let opener =
                ChunkOpener::new(secret, &header.scope, header.rendition, header.flags.init)?;
            while self.derived.len() >= CHUNK_KEYS_MAX {
                self.derived.pop_first();
            }
            self.derived.insert(name, opener);
        }
        self.derived.get(&name).ok_or(Error::EpochSecretMissing)
    }
}

macro_rules! redacted {
    ($($t:ty),*) => {$(
        impl std::fmt::Debug for $t {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($t), "([redacted])"))
            }
        }
    )*};
}
redacted!(ChunkSealer, ChunkOpener, Openers);

fn derive(
    secret: &EpochSecret,
    scope: &Scope,
    rendition: Rendition,
    init: bool,
) -> Result<LessSafeKey, Error> {
    let label = if init { INIT_LABEL } else { MEDIA_LABEL };
    let parts: [&[u8]; 5] = [
        label,
        scope.stream.as_bytes(),
        scope.run.as_bytes(),
        &scope.epoch.0.to_be_bytes(),
        &[rendition.0],
    ];
    expand(secret, &parts)
}

fn expand(secret: &EpochSecret, info: &[&[u8]]) -> Result<LessSafeKey, Error> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret.expose());
    let okm = prk
        .expand(info, &AES_128_GCM)
        .map_err(|_| Error::SealInvalid)?;
    Ok(LessSafeKey::new(UnboundKey::from(okm)))
}

fn nonce(sequence: Sequence) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().skip(4).zip(sequence.0.to_be_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}
