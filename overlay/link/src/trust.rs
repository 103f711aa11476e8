//! How a member convinces itself of a relay before the first block.

use crate::node::{Node, lock};
use crate::{Clock, Error, Link, live};
use attest::live::LiveVerdict;
use attest::offline::{Live, SavedEvidence, Verdict};
use attest::release::VerifiedRelease;
use attest::{Appraised, Expectation, Policy, Revocations, TrustRoots};
use certs::Verified;
use certs::introduction::IntroductionCheck;
use std::sync::{Arc, Mutex};
use wire::message::control::{Admission, NodeKind, NodeRef};
use wire::statement::{Permit, RunStatement};
use wire::{SpkiHash, UnixMs};

/// Roots and policy: from the user's own command line, never from the
/// network. What verified releases announce (a floor of security versions,
/// revocations) is learnt from each relay that is good, and holds from then
/// on for all of them (threat B5).
#[derive(Debug)]
pub struct RelayTrust {
    roots: TrustRoots,
    learnt: Mutex<Learnt>,
    keeper: Option<Box<dyn Keeper>>,
    learning: Learning,
    introductions: IntroductionCheck,
}

#[derive(Debug)]
struct Learnt {
    policy: Arc<Policy>,
    /// Whether the keeper has all of it.
    kept: bool,
}

#[derive(Debug, Clone, Copy)]
enum Learning {
    FromReleases,
    #[cfg(feature = "ablation")]
    Never,
}

/// Where what was learnt outlasts the process.
pub trait Keeper: std::fmt::Debug + Send + Sync {
    /// Keeps all of `revocations`, besides what it had; tells whether it did.
    /// It is asked again at the next relay if not, and says itself what was
    /// wrong. Called seldom: once for each release that brings news.
    fn keep(&self, revocations: &Revocations) -> bool;
}

impl RelayTrust {
    /// Trust that ends with the process.
    #[must_use]
    pub fn new(roots: TrustRoots, policy: Policy) -> Self {
        Self {
            roots,
            learnt: Mutex::new(Learnt {
                policy: Arc::new(policy),
                kept: true,
            }),
            keeper: None,
            learning: Learning::FromReleases,
            introductions: IntroductionCheck::default(),
        }
    }

    /// Another check of whose word for a relay's key is taken (threat C7).
    #[must_use]
    pub const fn with_introductions(mut self, introductions: IntroductionCheck) -> Self {
        self.introductions = introductions;
        self
    }

    /// Whose word for a relay's key is taken (threat C7).
    #[must_use]
    pub const fn introductions(&self) -> IntroductionCheck {
        self.introductions
    }

    /// What is learnt goes to `keeper` too.
    #[must_use]
    pub fn kept_by(mut self, keeper: impl Keeper + 'static) -> Self {
        self.keeper = Some(Box::new(keeper));
        self
    }

    /// Learns nothing: an old release stays good, whatever a newer one says.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_unteachable(mut self) -> Self {
        let _ = certs::ablation::marker();
        self.learning = Learning::Never;
        self
    }

    /// Whose releases are believed.
    #[must_use]
    pub const fn roots(&self) -> &TrustRoots {
        &self.roots
    }

    /// What is accepted beyond that, at this moment.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        lock(&self.learnt).policy.clone()
    }

    /// Takes over what a verified release announces; tells whether that was
    /// news.
    pub fn learn(&self, release: &VerifiedRelease) -> bool {
        match self.learning {
            Learning::FromReleases => {}
            #[cfg(feature = "ablation")]
            Learning::Never => return false,
        }
        let mut learnt = lock(&self.learnt);
        let news = Arc::make_mut(&mut learnt.policy).learn(release);
        learnt.kept &= !news;
        if !learnt.kept {
            let keeper = self.keeper.as_ref();
            learnt.kept = keeper.is_none_or(|k| k.keep(learnt.policy.revocations()));
        }
        news
    }

    /// The relay that an admission names.
    ///
    /// # Errors
    /// The admission is not the holder's word, or of another run.
    pub fn expectation(
        &self,
        admission: &Admission,
        run: &Verified<RunStatement>,
    ) -> Result<Expectation, Error> {
        let introduction =
            self.introductions
                .verify(&admission.introduction, run, &admission.order, None)?;
        Ok(Expectation::of_introduction(&introduction))
    }

    /// Appraises a relay's certificate as of `at`, and learns from its
    /// release. One that brings news is judged by that, too.
    ///
    /// # Errors
    /// [`Error::Evidence`]: the first check that failed, by name.
    pub fn appraise(
        &self,
        certificate: &[u8],
        expectation: &Expectation,
        at: UnixMs,
    ) -> Result<Appraised, Error> {
        let boot = self.judge(certificate, expectation, at)?;
        match boot.verified_release() {
            Some(release) if self.learn(release) => self.judge(certificate, expectation, at),
            _ => Ok(boot),
        }
    }

    fn judge(
        &self,
        certificate: &[u8],
        expectation: &Expectation,
        at: UnixMs,
    ) -> Result<Appraised, Error> {
        let policy = self.policy();
        attest::appraise(certificate, expectation, &self.roots, &policy, at)
            .map_err(|refusal| Error::Evidence(Box::new(refusal)))
    }

    /// Appraises the relay at the other end of `link` against `expectation`
    /// and challenges it; `me` is this end's key.
    ///
    /// # Errors
    /// The first check that failed, by name.
    pub async fn verify(
        &self,
        link: &Link,
        expectation: &Expectation,
        me: SpkiHash,
        clock: &Clock,
    ) -> Result<Proof, Error> {
        let boot = self.appraise(&link.certificate, expectation, clock.unix())?;
        let live = live::challenge(link, me, &boot, &self.policy(), clock).await?;
        Ok(Proof::new(link, boot, live, clock))
    }
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
    /// What the relay presented in the handshake, DER.
    pub certificate: Arc<Vec<u8>>,
    /// Certificate, release, measurements, boot evidence.
    pub boot: Appraised,
    /// The answer to this node's own challenge on this link.
    pub live: LiveVerdict,
    /// When, on this machine's clock.
    pub at: UnixMs,
    /// When, in monotonic milliseconds.
    pub at_mono_ms: u64,
}

impl Proof {
    /// Of the relay at the other end of `link`, a moment ago.
    pub(crate) fn new(link: &Link, boot: Appraised, live: LiveVerdict, clock: &Clock) -> Self {
        Self {
            certificate: link.certificate.clone(),
            boot,
            live,
            at: clock.unix(),
            at_mono_ms: clock.mono_ms(),
        }
    }

    /// Every check with its result, for the page.
    #[must_use]
    pub fn verdict(&self) -> Verdict<Live> {
        Verdict::of_relay(&self.boot, &self.live)
    }

    /// What `roundcast verify` checks again.
    #[must_use]
    pub fn saved(&self) -> SavedEvidence {
        SavedEvidence {
            saved: self.at,
            order: self.boot.order(),
            certificate: self.certificate.to_vec(),
            answer: self.live.answer().clone(),
        }
    }
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
    let expectation = trust.expectation(admission, run)?;
    trust.verify(link, &expectation, me, clock).await
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
