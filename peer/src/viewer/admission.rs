//! Joining: prove the invite, check who answered, take on the membership.

use super::{Options, self_signed};
use crate::Error;
use certs::bundle::{self, MemberSecrets, SealingKeyPair};
use certs::{SigningKey, Verified};
use link::{Channel, Clock, Endpoint, Identity, Link, Node, Patience, open_channel};
use ring::rand::SystemRandom;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::codec::{List, Text};
use wire::message::StreamKind;
use wire::message::control::{Addresses, Admitted, Down, Join, Name, Rejoin, Up};
use wire::statement::{
    CapacityClaim, Held, Holding, JoinReply, Permit, RunStatement, Scope, Signed,
};
use wire::{Decode, Nonce, Reason, SpkiHash, StreamId, UnixMs};

/// How long the station may take to let us in.
const ADMISSION_MS_MAX: u64 = 10_000;

/// What an admission gives.
pub(super) struct Membership {
    pub(super) identity: Identity,
    /// When the certificate ends.
    pub(super) not_after: UnixMs,
    pub(super) sealing: SealingKeyPair,
    pub(super) run: Verified<RunStatement>,
    pub(super) signed_run: Signed<RunStatement>,
    pub(super) secrets: MemberSecrets,
    pub(super) station: Name,
    /// Rates of the stream's renditions, the best first, in bit/s.
    pub(super) renditions_bps: Vec<u64>,
    /// Nobody pushes in this run.
    pub(super) pull_only: bool,
    pub(super) link: Link,
}

/// A fresh key that nobody knows yet.
pub(super) fn stranger() -> Result<Identity, Error> {
    self_signed(Arc::new(SigningKey::generate(&SystemRandom::new())?))
}

/// A join that has been asked for.
struct Joining {
    identity: Identity,
    sealing: SealingKeyPair,
    nonce: Nonce,
    link: Link,
    channel: Channel,
}

/// How a member comes back.
pub(super) struct Back {
    /// The place in the trees is the one of before.
    pub(super) kept: bool,
    /// Parents whose edges were told to work.
    pub(super) told: BTreeSet<SpkiHash>,
}

/// Joins the invite's stream.
pub(super) async fn join(
    endpoint: &Endpoint,
    identity: Identity,
    address: SocketAddr,
    options: &Options,
    clock: &Clock,
) -> Result<(Membership, Channel), Error> {
    let mut joining = Joining::begin(endpoint, identity, options, clock).await?;
    let join = joining.request(address, options)?;
    let (admitted, _) = joining.ask(Up::Join(join)).await?;
    joining.end(endpoint, admitted, options, clock)
}

/// Joins once more, with what `node` still has of the run that `scope` names.
pub(super) async fn rejoin(
    endpoint: &Endpoint,
    identity: Identity,
    options: &Options,
    clock: &Clock,
    (node, scope): (&Node, &Scope),
) -> Result<(Membership, Channel, Back), Error> {
    // This machine may have another address than an hour ago.
    let address = crate::station::advertised(endpoint.address()?);
    let mut joining = Joining::begin(endpoint, identity, options, clock).await?;
    let held = node.held();
    let parent = |held: &Held| Some(Permit::from_bytes(held.permit.body()).ok()?.parent);
    let told = held.iter().filter_map(parent).collect();
    let holding = Holding {
        scope: scope.clone(),
        member: joining.identity.spki(),
        nonce: joining.nonce,
        edges: List::new(held)?,
        issued: clock.unix(),
    };
    let rejoin = Rejoin {
        join: joining.request(address, options)?,
        holding: certs::sign(&joining.identity.key, &holding),
    };
    let (admitted, kept) = joining.ask(Up::Rejoin(Box::new(rejoin))).await?;
    let (membership, channel) = joining.end(endpoint, admitted, options, clock)?;
    Ok((membership, channel, Back { kept, told }))
}

async fn dial(endpoint: &Endpoint, addresses: &[SocketAddr]) -> Result<Link, Error> {
    let mut last = Error::StationGone(Reason::PeerGone);
    for address in addresses {
        match endpoint.dial(*address, None, Patience::Control).await {
            Ok(link) => return Ok(link),
            Err(e) => last = e.into(),
        }
    }
    Err(last)
}

fn addresses(address: SocketAddr, options: &Options) -> Result<Addresses, Error> {
    if options.relay_only {
        return Ok(Addresses::default());
    }
    Ok(List::new(vec![Text::new(address.to_string())?])?)
}

impl Joining {
    /// Opens a control link.
    async fn begin(
        endpoint: &Endpoint,
        identity: Identity,
        options: &Options,
        clock: &Clock,
    ) -> Result<Self, Error> {
        crate::clock::check(clock.unix())?;
        let link = dial(endpoint, &options.invite.addresses).await?;
        let mut nonce = [0u8; 32];
        getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
        Ok(Self {
            identity,
            sealing: SealingKeyPair::generate(&SystemRandom::new())?,
            nonce: Nonce(nonce),
            channel: open_channel(&link, StreamKind::Control).await?,
            link,
        })
    }

    /// Asks in these words; the admission, and whether the place is the one of
    /// before.
    async fn ask(&mut self, words: Up) -> Result<(Admitted, bool), Error> {
        self.channel.send(&words).await?;
        let patience = Duration::from_millis(ADMISSION_MS_MAX);
        let reply = self.channel.expect::<Down>("no admission");
        let reply = tokio::time::timeout(patience, reply)
            .await
            .map_err(|_| link::Error::Timeout("admission"))??;
        match (reply, words) {
            (Down::Admitted(admitted), _) => Ok((*admitted, false)),
            (Down::Readmitted(admitted), Up::Rejoin(_)) => Ok((*admitted, true)),
            (Down::Refused(reason), _) => Err(Error::Refused(reason)),
            _ => Err(link::Error::OutOfTurn("no admission").into()),
        }
    }

    /// Takes the membership on.
    fn end(
        self,
        endpoint: &Endpoint,
        admitted: Admitted,
        options: &Options,
        clock: &Clock,
    ) -> Result<(Membership, Channel), Error> {
        let (membership, channel) = self.accept(admitted, &options.invite.stream, clock.unix())?;
        endpoint.adopt(&membership.identity)?;
        Ok((membership, channel))
    }

    fn request(&self, address: SocketAddr, options: &Options) -> Result<Join, Error> {
        let me = self.identity.spki();
        let secret = &options.invite.secret;
        let exporter = self.link.exporter()?;
        Ok(Join {
            name: Name::new(options.shared.name.clone()).map_err(|_| {
                Error::Usage("--name has at most 64 bytes, without control characters")
            })?,
            nonce: self.nonce,
            proof: certs::invite_proof::prove(secret, &exporter, &self.nonce, &me),
            sealing_key: self.sealing.public(),
            addresses: addresses(address, options)?,
            relay_only: options.relay_only,
            never_ask: options.mode == crate::sponsor::Mode::Never,
        })
    }

    /// Checks every part of the admission before anything of it is used.
    fn accept(
        self,
        admitted: Admitted,
        stream: &StreamId,
        now: UnixMs,
    ) -> Result<(Membership, Channel), Error> {
        let me = self.identity.spki();
        let run = self.verify_run(&admitted, stream, now)?;
        if self.link.peer != run.coordinator {
            return Err(link::Error::SpkiNotAdmitted.into());
        }
        certs::join_reply::verify(&admitted.reply, &run, &self.nonce, &me, now)?;
        certs::x509::verify_ca(&admitted.ca, &run.ca_key, now)?;
        let member = certs::x509::verify_member(&admitted.certificate, &run.ca_key, now)?;
        if member.spki != me {
            return Err(link::Error::SpkiNotAdmitted.into());
        }
        let secrets = bundle::open(&admitted.secrets, &self.sealing, &run.scope, &me)?;
        let membership = Membership {
            identity: Identity {
                certificate: admitted.certificate.to_vec(),
                ..self.identity
            },
            not_after: member.not_after,
            sealing: self.sealing,
            run,
            signed_run: admitted.run,
            secrets,
            station: admitted.station,
            renditions_bps: admitted.renditions_bps.to_vec(),
            pull_only: admitted.pull_only,
            link: self.link,
        };
        Ok((membership, self.channel))
    }

    /// The run, if it is on now. If it seems to be over, or not to have begun,
    /// because this clock and the station's are apart, that is the error.
    fn verify_run(
        &self,
        admitted: &Admitted,
        stream: &StreamId,
        now: UnixMs,
    ) -> Result<Verified<RunStatement>, Error> {
        use certs::Error::{RunExpired, RunNotStarted};
        match certs::run::verify(&admitted.run, stream, now) {
            Err(e @ (RunExpired | RunNotStarted)) => {
                Err(self.clock_off(admitted, stream, now).unwrap_or(e).into())
            }
            other => Ok(other?),
        }
    }

    /// Whether the station's reply was made at a time when its run was on,
    /// and is fresh all the same: then the clocks are apart. What the reply
    /// says of its time is a hint here, and nothing is admitted by it.
    fn clock_off(
        &self,
        admitted: &Admitted,
        stream: &StreamId,
        now: UnixMs,
    ) -> Option<certs::Error> {
        let issued = JoinReply::from_bytes(admitted.reply.body()).ok()?.issued;
        let run = certs::run::verify(&admitted.run, stream, issued).ok()?;
        let me = self.identity.spki();
        let reply = certs::join_reply::verify(&admitted.reply, &run, &self.nonce, &me, now);
        reply.err()
    }
}

impl Membership {
    /// This viewer's claim, signed with its own key.
    pub(super) fn claim(&self, upload_bps: u64, now: UnixMs) -> Signed<CapacityClaim> {
        let mut scope = self.run.scope.clone();
        scope.epoch = self.secrets.epoch;
        let claim = CapacityClaim {
            scope,
            node: self.identity.spki(),
            upload_bps,
            issued: now,
        };
        certs::sign(&self.identity.key, &claim)
    }
}
