//! An attacker who was invited: a member of the least kind, who joins, hears
//! the coordinator and answers asks.

use super::program::Attacker;
use crate::Failure;
use crate::scene::stream::{self, self_made};
use crate::scene::{loopback, now, random, rng, within};
use certs::bundle::{self, MemberSecrets, SealingKeyPair};
use certs::{SigningKey, Verified};
use link::{Endpoint, Identity, Link, Patience, Receiver, Sender, open_channel};
use std::net::SocketAddr;
use std::sync::Arc;
use wire::codec::{List, Text};
use wire::invite::Invite;
use wire::message::StreamKind;
use wire::message::control::{
    Admission, Admitted, Answer, Choice, Down, Empty, Introduce, Join, Name, Up,
};
use wire::statement::{Ask, CapacityClaim, Permit, RunStatement, Signed};
use wire::{AskId, Decode, Nonce, Reason, SpkiHash};

/// How long the station may take to admit, in milliseconds.
const ADMISSION_MS_MAX: u64 = 10_000;
/// How long a grant, or the word on an introduction, may take: several
/// members may be asked before, in milliseconds.
const WORD_MS_MAX: u64 = 40_000;

/// A member of the stream.
#[derive(Debug)]
pub struct Guest {
    /// Key and membership certificate.
    pub identity: Identity,
    /// Its socket.
    pub endpoint: Arc<Endpoint>,
    /// The run.
    pub run: Verified<RunStatement>,
    /// The run, as it travels.
    pub signed_run: Signed<RunStatement>,
    /// What the coordinator sealed to it.
    pub secrets: MemberSecrets,
    up: Sender,
    down: Receiver<Down>,
    link: Link,
}

impl Guest {
    /// Joins the stream and claims this upload, in bit/s.
    ///
    /// # Errors
    /// The station is not there, or does not admit.
    pub async fn join(attacker: &Attacker, upload_bps: u64) -> Result<Self, Failure> {
        let options = &attacker.options;
        let identity = stream::stranger()?;
        attacker.ready(identity.spki());
        let endpoint = Arc::new(Endpoint::bind(options.listen, &identity)?);
        let guest = Self::admitted(&options.invite()?, &options.name, identity, endpoint).await;
        let mut guest = guest?;
        attacker.joined(guest.spki());
        guest.claim(upload_bps).await?;
        Ok(guest)
    }

    /// Joins the stream of a stage, and claims this upload, in bit/s.
    ///
    /// # Errors
    /// The station is not there, or does not admit.
    pub async fn enter(invite: &Invite, name: &str, upload_bps: u64) -> Result<Self, Failure> {
        Self::enter_from(loopback(), invite, name, upload_bps).await
    }

    /// The same from this address.
    ///
    /// # Errors
    /// As [`Guest::enter`], or the address is not this machine's.
    pub async fn enter_from(
        listen: SocketAddr,
        invite: &Invite,
        name: &str,
        upload_bps: u64,
    ) -> Result<Self, Failure> {
        let identity = stream::stranger()?;
        let endpoint = Arc::new(Endpoint::bind(listen, &identity)?);
        let mut guest = Self::admitted(invite, name, identity, endpoint).await?;
        guest.claim(upload_bps).await?;
        Ok(guest)
    }

    async fn admitted(
        invite: &Invite,
        name: &str,
        mut identity: Identity,
        endpoint: Arc<Endpoint>,
    ) -> Result<Self, Failure> {
        let me = identity.spki();
        let station = invite
            .addresses
            .first()
            .ok_or(Failure::Stage("the invite has no address"))?;
        let link = endpoint.dial(*station, None, Patience::Control).await?;
        let sealing = SealingKeyPair::generate(&rng())?;
        let nonce = Nonce(random()?);
        let exporter = link.exporter()?;
        let join = Join {
            name: Name::new(name)?,
            nonce,
            proof: certs::invite_proof::prove(&invite.secret, &exporter, &nonce, &me),
            sealing_key: sealing.public(),
            addresses: List::new(vec![Text::new(endpoint.address()?.to_string())?])?,
            relay_only: false,
            never_ask: false,
        };
        let mut channel = open_channel(&link, StreamKind::Control).await?;
        channel.send(&Up::Join(join)).await?;
        let reply = channel.expect::<Down>("no admission");
        let admitted = match within(ADMISSION_MS_MAX, "admission", reply).await?? {
            Down::Admitted(admitted) => *admitted,
            _ => return Err(Failure::Stage("the station does not admit the attacker")),
        };
        let Admitted {
            run,
            certificate,
            secrets,
            ..
        } = admitted;
        let signed_run = run;
        let run = certs::run::verify(&signed_run, &invite.stream, now())?;
        let secrets = bundle::open(&secrets, &sealing, &run.scope, &me)?;
        identity.certificate = certificate.to_vec();
        endpoint.adopt(&identity)?;
        let (up, down) = channel.split();
        Ok(Self {
            identity,
            endpoint,
            run,
            signed_run,
            secrets,
            up,
            down,
            link,
        })
    }

    /// The member's key.
    #[must_use]
    pub fn spki(&self) -> SpkiHash {
        self.identity.spki()
    }

    async fn claim(&mut self, upload_bps: u64) -> Result<(), Failure> {
        let mut scope = self.run.scope.clone();
        scope.epoch = self.secrets.epoch;
        let claim = CapacityClaim {
            scope,
            node: self.spki(),
            upload_bps,
            issued: now(),
        };
        let claim = certs::sign(&self.identity.key, &claim);
        self.say(&Up::Claim(claim)).await
    }

    /// Tells the coordinator something.
    ///
    /// # Errors
    /// The link has ended.
    pub async fn say(&mut self, message: &Up) -> Result<(), Failure> {
        Ok(self.up.send(message).await?)
    }

    /// The coordinator's next word.
    ///
    /// # Errors
    /// The link has ended.
    pub async fn hear(&mut self) -> Result<Down, Failure> {
        self.down
            .recv()
            .await?
            .ok_or(Failure::Stage("the station has gone"))
    }

    /// Hears the coordinator until it hangs this member under somebody.
    ///
    /// # Errors
    /// No place in time.
    pub async fn place(&mut self) -> Result<Permit, Failure> {
        let me = self.spki();
        within(WORD_MS_MAX, "place in the tree", async {
            loop {
                match self.hear().await? {
                    Down::Edge(order) => {
                        let permit = Permit::from_bytes(order.permit.body())?;
                        if permit.child == me {
                            return Ok(permit);
                        }
                    }
                    Down::Ask(ask) => {
                        self.answer(&ask, Choice::Decline).await?;
                    }
                    Down::Refused(_) => return Err(Failure::Stage("a guest was put out")),
                    _ => {}
                }
            }
        })
        .await?
    }

    /// Answers an ask; returns which one it was.
    ///
    /// # Errors
    /// The ask is not the coordinator's, or the link has ended.
    pub async fn answer(&mut self, ask: &Signed<Ask>, choice: Choice) -> Result<AskId, Failure> {
        let ask = certs::asking::verify_ask(ask, &self.run, &self.spki(), now())?.ask;
        let answer = Answer {
            ask,
            choice,
            show_name: false,
        };
        self.say(&Up::Answer(answer)).await?;
        Ok(ask)
    }

    /// Accepts whatever is asked until a round is granted.
    ///
    /// # Errors
    /// No grant in time.
    pub async fn granted(&mut self) -> Result<AskId, Failure> {
        let me = self.spki();
        let run = self.run.clone();
        within(WORD_MS_MAX, "grant", async {
            let mut accepted = None;
            loop {
                match (self.hear().await?, accepted) {
                    (Down::Ask(ask), _) => {
                        accepted = Some(self.answer(&ask, Choice::Accept).await?);
                    }
                    (Down::Granted(grant), Some(ask)) => {
                        return Ok(certs::asking::verify_grant(&grant, &run, &me, ask, now())?.ask);
                    }
                    (Down::Refused(_), _) => return Err(Failure::Stage("no round came about")),
                    _ => {}
                }
            }
        })
        .await?
    }

    /// Introduces a relay; the reason if it is refused, none if it is
    /// admitted.
    ///
    /// # Errors
    /// The coordinator says nothing in time.
    pub async fn introduce(
        &mut self,
        ask: AskId,
        admission: Admission,
    ) -> Result<Option<Reason>, Failure> {
        self.say(&Up::Introduce(Introduce { ask, admission }))
            .await?;
        within(WORD_MS_MAX, "word on the relay", async {
            loop {
                match self.hear().await? {
                    Down::RelayRefused(refusal) => return Ok(Some(refusal.reason)),
                    Down::RelayAdmitted(_) => return Ok(None),
                    Down::Ask(ask) => {
                        self.answer(&ask, Choice::Decline).await?;
                    }
                    Down::Refused(_) => return Err(Failure::Stage("the attacker was put out")),
                    _ => {}
                }
            }
        })
        .await?
    }

    /// Why the station has closed the link.
    pub async fn closed(&self) -> Reason {
        self.link.connection.closed().await;
        self.link.close_reason()
    }

    /// Leaves in form, so that the tree closes over the place.
    pub async fn leave(mut self) {
        let _ = self.say(&Up::Leave(Empty {})).await;
        self.up.finish().await;
        self.link.close(Reason::Done);
        self.endpoint.close(Reason::Done).await;
    }
}

/// A fresh holder key and the identity that commands with it.
///
/// # Errors
/// Randomness.
pub fn holder() -> Result<(SigningKey, Identity), Failure> {
    let key = SigningKey::generate(&rng())?;
    let identity = self_made(key.clone(), Vec::new())?;
    Ok((key, identity))
}
