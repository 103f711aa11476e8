//! Documents of a platform of the project's own, as NitroTPM makes them: the
//! stored set of `attest/vectors`, and the developer whose image it booted.

use crate::Failure;
use attest::TrustRoots;
use attest::nitro::Root;
use attest::release::{TrustRoot, VerifiedRelease, verify};
use attest::tpm2::ek::Development;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use wire::UnixMs;

const SET: &str = include_str!("../../../attest/vectors/nitro.json");
/// When the set's documents were made, and its release was good.
const AT: UnixMs = UnixMs(1_790_000_000_000);

/// The stored set.
#[derive(Debug, Deserialize)]
pub struct Documents {
    platform_root: String,
    release_root: String,
    /// The `release.json` that they are compared with.
    pub release: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    document: String,
}

impl Documents {
    /// Reads the set.
    ///
    /// # Errors
    /// It is not well formed.
    pub fn load() -> Result<Self, Failure> {
        Ok(serde_json::from_str(SET)?)
    }

    /// The document of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let case = self.cases.iter().find(|case| case.name == name);
        unhex(
            &case
                .ok_or(Failure::Stage("the set has no such document"))?
                .document,
        )
    }

    /// The platform's own root certificate, DER.
    ///
    /// # Errors
    /// It is not hexadecimal.
    pub fn platform_root(&self) -> Result<Vec<u8>, Failure> {
        unhex(&self.platform_root)
    }

    /// The same, as a root that is good for development alone.
    ///
    /// # Errors
    /// It is no certificate.
    pub fn development_root(&self) -> Result<Root<Development>, Failure> {
        Ok(Root::development(&self.platform_root()?)?)
    }

    /// The developer's root.
    ///
    /// # Errors
    /// It does not verify.
    pub fn roots(&self) -> Result<TrustRoots, Failure> {
        Ok(TrustRoots::from(self.root()?))
    }

    /// The release, verified at the documents' time.
    ///
    /// # Errors
    /// It does not verify.
    pub fn verified_release(&self) -> Result<VerifiedRelease, Failure> {
        Ok(verify(self.release.as_bytes(), &self.root()?, AT)?)
    }

    fn root(&self) -> Result<TrustRoot, Failure> {
        Ok(TrustRoot::parse(self.release_root.as_bytes())?)
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let bytes = HEXLOWER.decode(text.as_bytes());
    bytes.map_err(|_| Failure::Stage("the set is not hexadecimal"))
}
