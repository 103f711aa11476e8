//! The same with a release that is revoked by name: its `release.json`, or its
//! image by the digest of its registers.

use super::{boot_the_old, learnt};
use crate::proof::{assert_refused, assert_succeeds};
use crate::scene::cloud::{Cloud, release};
use crate::scene::machine::released;
use crate::scene::{self, rng};
use crate::{Control, Failure, Outcome};
use attest::Check;
use attest::release::KeyRing;
use wire::Digest;

async fn boot_a_revoked(revoked: Revoked, control: Control) -> Result<Outcome, Failure> {
    let developer = KeyRing::generate(&rng())?;
    let cloud = Cloud::of(&developer, &release(1)?)?;
    let (digest, check) = match revoked {
        Revoked::Release => {
            let digest = voucher::encoding::sha256(cloud.release_json());
            (Digest(digest), Check::ReleaseDenylist)
        }
        Revoked::Image => (released()?.digest(), Check::ImageDenylist),
    };
    let mut newer = release(2)?;
    newer.denied.push(digest.into());
    let policy = learnt(&cloud, &developer, &newer)?;
    let policy = match control {
        Control::On => policy,
        Control::Removed => policy.dangerously_without(check),
    };
    boot_the_old(cloud, policy, "a revoked release passes").await
}

#[derive(Clone, Copy)]
enum Revoked {
    Release,
    Image,
}

#[test]
fn what_is_revoked_is_stopped() {
    for (revoked, reason) in [
        (Revoked::Release, "release_denied"),
        (Revoked::Image, "image_denied"),
    ] {
        assert_refused(reason, scene::stage(boot_a_revoked(revoked, Control::On)));
    }
}

#[test]
fn what_is_revoked_passes_without_the_control() {
    for revoked in [Revoked::Release, Revoked::Image] {
        assert_succeeds(scene::stage(boot_a_revoked(revoked, Control::Removed)));
    }
}
