//! The keys of a run: made fresh at every start, vouched for by the stream
//! key, which signs once and is not needed again.

use super::saved::{Keyring, Saved, Secret};
use crate::Error;
use crate::wallet::{read_secret, write_secret};
use certs::seal::EpochSecret;
use certs::x509::{MemberRequest, StreamCa};
use certs::{SigningKey, Verified};
use link::Identity;
use ring::rand::{SecureRandom, SystemRandom};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use wire::invite::AudienceSecret;
use wire::limits::RUN_LIFE_MS_MAX;
use wire::statement::{RunStatement, Scope, Signed};
use wire::{Epoch, PublicKey, RunId, StreamId, Stripes, UnixMs};
use zeroize::Zeroizing;

/// How long a run lasts at most: as long as its keys are good for.
pub const RUN_MS: u64 = 24 * 60 * 60 * 1000;
const _: () = assert!(RUN_MS <= RUN_LIFE_MS_MAX);
/// Viewers' clocks may be behind the station's by this.
const EARLY_MS: u64 = 10 * 60 * 1000;
/// The file with the stream key's seed.
const STREAM_KEY_FILE: &str = "stream.key";
/// The rights of everybody but a file's owner.
const OTHERS: u32 = 0o077;

/// Everything that a station signs with.
pub(super) struct Keys {
    pub(super) run: Verified<RunStatement>,
    pub(super) signed_run: Signed<RunStatement>,
    pub(super) ca: StreamCa,
    pub(super) permit: SigningKey,
    pub(super) beacon: SigningKey,
    pub(super) identity: Identity,
    pub(super) audience: AudienceSecret,
    pub(super) epoch: Epoch,
    pub(super) epoch_secret: EpochSecret,
    /// The seeds of all that, and the chunk key's, for saving them.
    pub(super) keyring: Keyring,
    /// How often the run was taken up.
    pub(super) lives: u32,
    pub(super) rng: SystemRandom,
}

/// The key that leaves for the publisher.
pub(super) struct ChunkKey(pub(super) SigningKey);

impl Keys {
    /// Makes a run of the stream whose key is in `data` (made if missing).
    /// It ends after `run_ms`, and its chunks are cut as `stripes` says.
    pub(super) fn make(
        data: &Path,
        name: &str,
        now: UnixMs,
        run_ms: u64,
        stripes: Stripes,
    ) -> Result<(Self, ChunkKey), Error> {
        let rng = SystemRandom::new();
        let stream = stream_key(data, &rng)?;
        let keyring = Keyring::generate(&rng)?;
        let start = UnixMs(now.0.saturating_sub(EARLY_MS));
        let end = now.plus_ms(run_ms);
        let stream_id = StreamId(*stream.public().as_bytes());
        let node = keyring.node.key().public();
        let statement = RunStatement {
            scope: Scope {
                stream: stream_id,
                run: RunId(random(&rng)?),
                epoch: Epoch(0),
            },
            start,
            end,
            ca_key: keyring.ca.key().public(),
            chunk_key: keyring.chunk.key().public(),
            permit_key: keyring.permit.key().public(),
            beacon_key: keyring.beacon.key().public(),
            coordinator: certs::x509::spki_of_public(&node),
            stripes,
        };
        let signed_run = certs::sign(&stream, &statement);
        let run = certs::run::verify(&signed_run, &stream_id, now)?;
        let mut keys = Self::of(keyring, signed_run, run, Epoch(0), rng)?;
        // As long as the run: whoever takes the station's node key has taken
        // the CA's with it, so that a shorter life would take nothing back.
        keys.identity.certificate = keys.ca.issue(&MemberRequest {
            key: node,
            name,
            serial: random(&keys.rng)?,
            not_before: start,
            not_after: end,
        })?;
        let chunk = keys.keyring.chunk.key();
        Ok((keys, ChunkKey(chunk)))
    }

    /// The keys of a run that goes on, in the epoch after its last one: nothing
    /// that was sealed before shares a key with what is sealed from now on,
    /// however old the saved state is (threat D11).
    pub(super) fn resume(
        data: &Path,
        saved: &Saved,
        now: UnixMs,
    ) -> Result<(Self, ChunkKey), Error> {
        let rng = SystemRandom::new();
        let stream = stream_key(data, &rng)?;
        let stream_id = StreamId(*stream.public().as_bytes());
        let run = certs::run::verify(&saved.run, &stream_id, now)?;
        let epoch = Epoch(saved.epoch.0.saturating_add(1));
        let mut keys = Self::of(saved.keyring.clone(), saved.run.clone(), run, epoch, rng)?;
        keys.identity.certificate = saved.certificate.to_vec();
        keys.lives = saved.lives.saturating_add(1);
        let chunk = keys.keyring.chunk.key();
        Ok((keys, ChunkKey(chunk)))
    }

    /// Everything but the station's certificate.
    fn of(
        keyring: Keyring,
        signed_run: Signed<RunStatement>,
        run: Verified<RunStatement>,
        epoch: Epoch,
        rng: SystemRandom,
    ) -> Result<Self, Error> {
        let ca = StreamCa::new(keyring.ca.key(), keyring.ca_serial, run.start, run.end)?;
        Ok(Self {
            run,
            signed_run,
            ca,
            permit: keyring.permit.key(),
            beacon: keyring.beacon.key(),
            identity: Identity {
                key: Arc::new(keyring.node.key()),
                certificate: Vec::new(),
            },
            audience: AudienceSecret::new(*keyring.audience.expose()),
            epoch,
            epoch_secret: EpochSecret::generate(&rng)?,
            keyring,
            lives: 0,
            rng,
        })
    }

    #[cfg(feature = "ablation")]
    pub(super) fn dangerously_exposed(&self, chunk: &ChunkKey) -> Vec<(&'static str, [u8; 32])> {
        let _ = certs::ablation::marker();
        vec![
            ("CA key", *self.ca.dangerously_exposed()),
            ("chunk key", *chunk.0.seed()),
            ("permit key", *self.permit.seed()),
            ("beacon key", *self.beacon.seed()),
            ("node key", *self.identity.key.seed()),
            ("audience secret", *self.audience.expose()),
            ("epoch secret", *self.epoch_secret.expose()),
        ]
    }

    /// The scope of statements made now.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            epoch: self.epoch,
            ..self.run.scope.clone()
        }
    }

    /// A membership certificate for `life_ms` from now on, or for what is
    /// left of the run.
    pub(super) fn admit(
        &self,
        key: PublicKey,
        name: &str,
        now: UnixMs,
        life_ms: u64,
    ) -> Result<Vec<u8>, Error> {
        let early = UnixMs(now.0.saturating_sub(EARLY_MS));
        Ok(self.ca.issue(&MemberRequest {
            key,
            name,
            serial: random(&self.rng)?,
            not_before: early.max(self.run.start),
            not_after: now.plus_ms(life_ms).min(self.run.end),
        })?)
    }
}

impl Keyring {
    fn generate(rng: &SystemRandom) -> Result<Self, Error> {
        let key = || Ok::<_, Error>(Secret::of(&SigningKey::generate(rng)?));
        Ok(Self {
            ca: key()?,
            ca_serial: random(rng)?,
            chunk: key()?,
            permit: key()?,
            beacon: key()?,
            node: key()?,
            audience: Secret::new(&Zeroizing::new(random(rng)?)),
        })
    }
}

pub(super) fn random<const N: usize>(rng: &SystemRandom) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    rng.fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

/// The stream's key: whoever has this file is the stream.
fn stream_key(data: &Path, rng: &SystemRandom) -> Result<SigningKey, Error> {
    let path = data.join(STREAM_KEY_FILE);
    let failed = |source| Error::file("stream key", &path)(source);
    match read_own(&path) {
        Ok(key) => Ok(key),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let key = SigningKey::generate(rng)?;
            std::fs::create_dir_all(data).map_err(failed)?;
            write_secret(&path, key.seed()).map_err(failed)?;
            Ok(key)
        }
        Err(e) => Err(failed(e)),
    }
}

/// Reads a key that nobody else may have read: a lost one cannot be replaced.
fn read_own(path: &Path) -> io::Result<SigningKey> {
    if std::fs::metadata(path)?.mode() & OTHERS != 0 {
        let text = "others may read it: `chmod 600` it if nobody did, or make a new stream";
        return Err(io::Error::other(text));
    }
    let bytes = read_secret(path, 32)?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice());
    seed.map(SigningKey::from_seed)
        .map_err(|_| io::Error::other("it is not 32 bytes long: restore it from a backup"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn made() -> Keys {
        let folder = tempfile::tempdir().unwrap();
        Keys::make(
            folder.path(),
            "S",
            UnixMs(1_800_000_000_000),
            RUN_MS,
            Stripes::SINGLE,
        )
        .unwrap()
        .0
    }

    fn ends(keys: &Keys, now: UnixMs, life_ms: u64) -> UnixMs {
        let key = SigningKey::generate(&keys.rng).unwrap().public();
        let certificate = keys.admit(key, "member", now, life_ms).unwrap();
        let ca_key = &keys.run.ca_key;
        let late = UnixMs(now.0 - EARLY_MS + 1_000);
        certs::x509::verify_member(&certificate, ca_key, late.max(keys.run.start)).unwrap();
        certs::x509::verify_member(&certificate, ca_key, now)
            .unwrap()
            .not_after
    }

    #[test]
    fn a_stream_key_that_others_may_read_or_that_is_damaged_is_named_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STREAM_KEY_FILE);
        let rng = SystemRandom::new();
        let made = stream_key(folder.path(), &rng).unwrap().public();
        assert_eq!(stream_key(folder.path(), &rng).unwrap().public(), made);
        let readable = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, readable).unwrap();
        let refused = |named| {
            let error = stream_key(folder.path(), &rng).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        };
        refused("chmod 600");
        write_secret(&path, &[7; 33]).unwrap();
        refused("not 32 bytes");
    }

    #[test]
    fn a_membership_ends_after_its_life_and_never_after_the_run() {
        let keys = made();
        let begun = keys.run.start.plus_ms(EARLY_MS);
        let end = keys.run.end;
        assert_eq!(ends(&keys, begun, 60_000), begun.plus_ms(60_000));
        let late = UnixMs(end.0 - 10_000);
        assert_eq!(ends(&keys, late, 60_000), end);
    }
}
