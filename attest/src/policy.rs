//! What this viewer accepts, and whose roots he trusts.

mod revocations;

pub use revocations::{REVOCATIONS_BYTES_MAX, Revocations};

use crate::check::Check;
use crate::error::Error;
use crate::release::{RELEASE_BYTES_MAX, TrustRoot, VerifiedRelease};
use std::collections::BTreeSet;
use wire::{Digest, SpkiHash};

/// Against whom evidence proves anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// The cloud's platform is trusted; desk and sponsor are not.
    Platform,
    /// A TPM certified by the host's operator: nothing against that operator.
    Operator,
    /// Software: proves nothing.
    Development,
}

impl Assurance {
    /// The stable name, as shown beside every verdict.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Operator => "operator",
            Self::Development => "development",
        }
    }
}

/// What a viewer accepts. The default takes [`Assurance::Platform`] alone;
/// the rest is added on the viewer's own command line, never by an invite, a
/// coordinator, a relay or the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    accepted: BTreeSet<Assurance>,
    operators: BTreeSet<SpkiHash>,
    revocations: Revocations,
    #[cfg(feature = "ablation")]
    removed: BTreeSet<Check>,
    #[cfg(feature = "ablation")]
    unbounded: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            accepted: BTreeSet::from([Assurance::Platform]),
            operators: BTreeSet::new(),
            revocations: Revocations::default(),
            #[cfg(feature = "ablation")]
            removed: BTreeSet::new(),
            #[cfg(feature = "ablation")]
            unbounded: false,
        }
    }
}

impl Policy {
    /// Also takes a TPM that this desk certified, as operator of the host;
    /// `desk` is the hash of its key, as in its URI. The caller shows a
    /// banner for as long as this is in force.
    #[must_use]
    pub fn with_operator(mut self, desk: SpkiHash) -> Self {
        self.accepted.insert(Assurance::Operator);
        self.operators.insert(desk);
        self
    }

    /// Also takes software evidence, which proves nothing. The caller shows
    /// a banner for as long as this is in force.
    #[must_use]
    pub fn with_development(mut self) -> Self {
        self.accepted.insert(Assurance::Development);
        self
    }

    /// Raises the floor of security versions; it never sinks.
    #[must_use]
    pub fn with_security_version_min(mut self, floor: u64) -> Self {
        let min = &mut self.revocations.security_version_min;
        *min = floor.max(*min);
        self
    }

    /// Denies a program (SHA-256 of its executable) or a release (SHA-256 of
    /// its `release.json`).
    #[must_use]
    pub fn with_denied(mut self, digest: Digest) -> Self {
        self.revocations.denied.insert(digest);
        self
    }

    /// Takes over what was kept of earlier releases.
    #[must_use]
    pub fn with_revocations(mut self, kept: &Revocations) -> Self {
        self.revocations.merge(kept);
        self
    }

    /// Takes over the floor and the revocations of a verified release: the
    /// newest metadata wins, whoever handed it over (a freeze, threat B15).
    /// Tells whether there was anything new.
    pub fn learn(&mut self, release: &VerifiedRelease) -> bool {
        self.revocations.merge(&release.into())
    }

    /// Floor and denylist, to be kept.
    #[must_use]
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Lowest security version that is accepted.
    #[must_use]
    pub const fn security_version_min(&self) -> u64 {
        self.revocations.security_version_min
    }

    /// Whether `assurance` is accepted.
    #[must_use]
    pub fn accepts(&self, assurance: Assurance) -> bool {
        self.accepted.contains(&assurance)
    }

    /// Whether this desk's word about its own hosts is believed.
    #[must_use]
    pub fn trusts_operator(&self, desk: &SpkiHash) -> bool {
        self.operators.contains(desk)
    }

    pub(crate) fn denies(&self, digest: &Digest) -> bool {
        self.revocations.denied.contains(digest)
    }

    #[cfg(not(feature = "ablation"))]
    #[allow(clippy::unused_self)]
    pub(crate) const fn requires(&self, _check: Check) -> bool {
        true
    }

    #[cfg(feature = "ablation")]
    pub(crate) fn requires(&self, check: Check) -> bool {
        !self.removed.contains(&check)
    }

    /// Longest `release.json` that is read, in bytes.
    #[cfg(not(feature = "ablation"))]
    #[allow(clippy::unused_self)]
    pub(crate) const fn release_bytes_max(&self) -> usize {
        RELEASE_BYTES_MAX
    }

    /// Longest `release.json` that is read, in bytes.
    #[cfg(feature = "ablation")]
    pub(crate) const fn release_bytes_max(&self) -> usize {
        if self.unbounded {
            usize::MAX
        } else {
            RELEASE_BYTES_MAX
        }
    }

    /// The same policy, which reads release statements of any length.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_unbounded(mut self) -> Self {
        let _ = certs::ablation::marker();
        self.unbounded = true;
        self
    }

    /// The same policy with one control removed, to show that the attack
    /// which it stops then succeeds. Checks that yield the value on which
    /// the later ones work (certificate, forms) cannot be removed.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_without(mut self, check: Check) -> Self {
        let _ = certs::ablation::marker();
        self.removed.insert(check);
        self
    }
}

/// The roots of trust. There is no production root until a developer makes
/// one: a build without a root can only say `unknown`.
#[derive(Debug, Clone, Default)]
pub struct TrustRoots {
    release: Option<TrustRoot>,
}

impl TrustRoots {
    /// The developer's root, compiled in.
    const COMPILED_IN: Option<&'static [u8]> = None;

    /// The roots that this build carries.
    ///
    /// # Errors
    /// The compiled-in root does not verify: a broken build.
    pub fn compiled_in() -> Result<Self, Error> {
        Self::COMPILED_IN.map_or_else(|| Ok(Self::default()), Self::from_root_file)
    }

    /// The roots with the developer's root from a file (`--trust-root`).
    ///
    /// # Errors
    /// See [`TrustRoot::parse`].
    pub fn from_root_file(json: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            release: Some(TrustRoot::parse(json)?),
        })
    }

    /// The developer's root, if there is one.
    #[must_use]
    pub const fn release(&self) -> Option<&TrustRoot> {
        self.release.as_ref()
    }
}

impl From<TrustRoot> for TrustRoots {
    fn from(root: TrustRoot) -> Self {
        Self {
            release: Some(root),
        }
    }
}
