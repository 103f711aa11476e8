//! How a member convinces itself of a relay before the first block.

use crate::node::Node;
use crate::{Clock, Error, Link, live};
use attest::live::LiveVerdict;
use attest::{Appraised, Expectation, Policy, TrustRoots};
use certs::Verified;
use certs::introduction::IntroductionCheck;
use std::sync::Arc;
use wire::message::control::{Admission, NodeKind, NodeRef};
use wire::statement::{Permit, RunStatement};
use wire::{SpkiHash, UnixMs};

/// Roots and policy: from the user's own command line, never from the network.
#[derive(Debug)]
pub struct RelayTrust {
    /// Whose releases are believed.
    pub roots: TrustRoots,
    /// What is accepted beyond that.
    pub policy: Policy,
    /// Whose word for a relay's key is taken (threat C7).
    pub introductions: IntroductionCheck,
}

/// What a node checks of the other end of an edge.
#[derive(Debug, Clone)]
pub enum Verification {
    /// A member: everything, for itself.
    Full(Arc<RelayTrust>),
    /// A relay: permits alone (the paper's "relatively stupid helper").
    PermitOnly,
}

/// A relay that was verified by this node.
#[derive(Debug)]
pub struct Proof {
    /// Certificate, release, measurements, boot evidence.
    pub boot: Appraised,
    /// The answer to this node's own challenge on this link.
    pub live: LiveVerdict,
    /// When, on this machine's clock.
    pub at: UnixMs,
    /// When, in monotonic milliseconds.
    pub at_mono_ms: u64,
}

/// Appraises the relay at the other end of `link` against its admission and
/// challenges it.
///
/// # Errors
/// The first check that failed, by name.
pub async fn verify_relay(
    link: &Link,
    admission: &Admission,
    me: SpkiHash,
    trust: &RelayTrust,
    run: &Verified<RunStatement>,
    clock: &Clock,
) -> Result<Proof, Error> {
    let boot = appraise(link, admission, trust, run, clock.unix())?;
    let live = live::challenge(link, me, &boot, &trust.policy, clock).await?;
    Ok(Proof {
        boot,
        live,
        at: clock.unix(),
        at_mono_ms: clock.mono_ms(),
    })
}

/// Appraises the evidence of the relay at the other end of `link` against its
/// admission, as of `at`.
///
/// # Errors
/// The first check that failed, by name.
pub(crate) fn appraise(
    link: &Link,
    admission: &Admission,
    trust: &RelayTrust,
    run: &Verified<RunStatement>,
    at: UnixMs,
) -> Result<Appraised, Error> {
    let introduction =
        trust
            .introductions
            .verify(&admission.introduction, run, &admission.order, None)?;
    let expectation = Expectation::of_introduction(&introduction);
    attest::appraise(
        &link.certificate,
        &expectation,
        &trust.roots,
        &trust.policy,
        at,
    )
    .map_err(|r| Error::Evidence(Box::new(r)))
}

/// Checks the other end of an edge by what it is: a member by a membership
/// that has not ended, a relay by its evidence.
///
/// # Errors
/// The first check that failed, by name.
pub(crate) async fn verify_end(
    node: &Node,
    link: &Link,
    other: &NodeRef,
    permit: &Permit,
    run: &Verified<RunStatement>,
) -> Result<Option<Arc<Proof>>, Error> {
    if link.peer != other.spki {
        return Err(Error::SpkiNotAdmitted);
    }
    match (other.kind, &node.config.verification) {
        (NodeKind::Relay, Verification::PermitOnly) => Ok(None),
        (NodeKind::Relay, Verification::Full(trust)) => {
            let admission = other.admission.as_ref().ok_or(Error::SpkiNotAdmitted)?;
            let order = Some(certs::order::id(&admission.order));
            if order != permit.parent_order && order != permit.child_order {
                return Err(Error::SpkiNotAdmitted);
            }
            verify_relay(link, admission, node.config.me, trust, run, &node.clock)
                .await
                .map(|p| Some(Arc::new(p)))
        }
        (NodeKind::Station | NodeKind::Peer, _) => {
            let now = node.clock.unix();
            let members = node.controls.members;
            let member = members.verify(&link.certificate, &run.ca_key, now)?;
            if member.spki == link.peer {
                Ok(None)
            } else {
                Err(Error::SpkiNotAdmitted)
            }
        }
    }
}
