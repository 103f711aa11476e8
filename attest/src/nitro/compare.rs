//! What a document's registers must be.

use super::{KIND, document::Document};
use crate::appraise::{Profiles, image_checks};
use crate::check::Check;
use crate::explain::{Refusal, Step, Trace};
use crate::policy::Policy;
use crate::release::{Release, VerifiedRelease};

/// The registers are those of one of the release's profiles for this kind,
/// and no other's; nothing came from beside the image, and it is not revoked.
/// Whose word the document is, is not asked here.
///
/// # Errors
/// `pcr_selection_mismatch`, `image_denied`, `pcr_injected`,
/// `pcr_mismatch`, `measurement_missing`.
pub fn compare(
    document: &Document,
    release: &VerifiedRelease,
    policy: &Policy,
) -> Result<Vec<Step>, Refusal> {
    let mut trace = Trace::new(policy);
    let pcrs = trace.derive(Check::PcrSelection, || {
        let pcrs = document.pcrs()?;
        Ok((pcrs, "the released registers are there".into()))
    })?;
    image_checks(&mut trace, &pcrs, released(release), policy)?;
    Ok(trace.finish().1)
}

/// What a release says of instances with NitroTPM.
pub(crate) fn released(release: &Release) -> Profiles<'_> {
    Profiles {
        kind: KIND,
        list: &release.measurements.nitro_tpm,
    }
}
