//! The checks, each by itself: what is compared with what.

use super::Expectation;
use crate::check::Check;
use crate::error::Error;
use crate::explain::{Refusal, Trace};
use crate::policy::{Assurance, Policy, TrustRoots};
use crate::release::{self, CLOCK_SKEW_MS_MAX, Release, TrustRoot, Unverified, VerifiedRelease};
use wire::order::{Order, Parameters};
use wire::{Digest, OrderId, SpkiHash, UnixMs};

/// The desk sets the lease's end before the program has started and signs
/// afterwards: they may lie this far apart, in milliseconds.
const LAUNCH_MS_MAX: u64 = 5 * 60 * 1000;

pub(super) type Detail = Result<String, Error>;

pub(super) fn admission(expected: &Expectation, found: &SpkiHash) -> Detail {
    if expected.spki() != *found {
        return Err(Error::SpkiNotAdmitted {
            expected: expected.spki().short(),
            found: found.short(),
        });
    }
    Ok(format!("key {} was admitted", found.short()))
}

pub(crate) fn order(expected: &OrderId, found: &OrderId) -> Detail {
    if expected != found {
        return Err(Error::OrderMismatch {
            expected: expected.short(),
            found: found.short(),
        });
    }
    Ok(format!("order {}", found.short()))
}

/// The platform certified the relay for the order that its evidence shows.
pub(super) fn platform_order(expected: &OrderId, found: &OrderId) -> Detail {
    if expected != found {
        return Err(Error::PlatformOrderMismatch {
            expected: expected.short(),
            found: found.short(),
        });
    }
    Ok(format!("order {}", found.short()))
}

/// The release: in form, signed, in date, not rolled back, not denied.
pub(crate) fn release(
    trace: &mut Trace<'_>,
    json: &[u8],
    roots: &TrustRoots,
    policy: &Policy,
    now: UnixMs,
) -> Result<VerifiedRelease, Refusal> {
    let root = trace.derive(Check::Root, || root(roots, now))?;
    let unverified = trace.derive(Check::ReleaseForm, || {
        let unverified = Unverified::parse(json, policy.release_bytes_max())?;
        let detail = format!("{} bytes, file {}", json.len(), unverified.digest.short());
        Ok((unverified, detail))
    })?;
    trace.require(Check::ReleaseSignature, || {
        unverified
            .signed_by(root)
            .map(|()| format!("signed under root version {}", root.version()))
    })?;
    // Only now, after the signature: the release's own words.
    let release = trace.derive(Check::ReleaseForm, || {
        let release = unverified.decode()?;
        let name = release.name();
        Ok((release, name))
    })?;
    trace.subject.release = Some(release.name());
    trace.require(Check::ReleaseExpiry, || {
        release::in_date(&release, now).map(|()| format!("until {} ms", release.expires_ms))
    })?;
    trace.require(Check::ReleaseRollback, || rollback(policy, &release))?;
    trace.require(Check::ReleaseDenylist, || {
        denylist(policy, &release, &unverified.digest)
    })?;
    Ok(VerifiedRelease::checked(release, unverified.digest))
}

fn root(roots: &TrustRoots, now: UnixMs) -> Result<(&TrustRoot, String), Error> {
    let root = roots.release().ok_or(Error::RootMissing)?;
    root.in_date(now)?;
    Ok((root, format!("version {}", root.version())))
}

fn rollback(policy: &Policy, release: &Release) -> Detail {
    let (found, floor) = (release.security_version, policy.security_version_min());
    if found < floor {
        return Err(Error::ReleaseRolledBack { found, floor });
    }
    Ok(format!("security version {found}, floor {floor}"))
}

fn denylist(policy: &Policy, release: &Release, file: &Digest) -> Detail {
    let software = release.measurements.software.as_ref();
    let program = software.map(|software| Digest(software.executable_sha256.0));
    if policy.denies(file) || program.is_some_and(|program| policy.denies(&program)) {
        return Err(Error::ReleaseDenied);
    }
    Ok("neither file nor program is denied".into())
}

pub(super) fn channel(order: &Order, release: &Release) -> Detail {
    if order.channel.as_str() != release.channel {
        return Err(Error::ReleaseChannelMismatch);
    }
    Ok(format!("channel {}", release.channel))
}

/// The platform certified this release file.
pub(super) fn release_file(certified: &Digest, found: &Digest) -> Detail {
    if certified != found {
        return Err(Error::ReleaseMismatch);
    }
    Ok(format!("release file {}", found.short()))
}

pub(super) fn freshness(issued: UnixMs, parameters: &Parameters, now: UnixMs) -> Detail {
    if issued > now.plus_ms(CLOCK_SKEW_MS_MAX) {
        return Err(Error::PlatformFromFuture);
    }
    if parameters.lease_end <= now {
        return Err(Error::LeaseEnded);
    }
    let left_ms = parameters.lease_end.since_ms(now);
    Ok(format!("{left_ms} ms of the lease are left"))
}

pub(super) fn assurance(policy: &Policy, found: Assurance) -> Detail {
    if !policy.accepts(found) {
        return Err(Error::AssuranceNotAccepted(found.name()));
    }
    Ok(format!("assurance {} is accepted", found.name()))
}

pub(super) fn parameters(certified: &Digest, found: &Digest) -> Detail {
    if certified != found {
        return Err(Error::ParametersMismatch);
    }
    Ok(format!("parameters {}", found.short()))
}

/// The relay was started with what the order paid for: a desk can neither
/// sell an hour and start half of one, nor the other way round.
pub(super) fn terms(order: &Order, parameters: &Parameters, issued: UnixMs) -> Detail {
    if parameters.byte_cap != order.byte_cap {
        return Err(Error::TermsMismatch("byte cap"));
    }
    let paid_end = issued.plus_ms(order.lease_ms);
    if parameters.lease_end.0.abs_diff(paid_end.0) > LAUNCH_MS_MAX {
        return Err(Error::TermsMismatch("lease"));
    }
    Ok(format!(
        "{} bytes, {} ms",
        parameters.byte_cap, order.lease_ms
    ))
}
