//! An attacker who was invited: a member of the least kind, who joins, hears
//! the coordinator and answers asks.

use super::program::Attacker;
use crate::Failure;
use crate::scene::stream::{self, self_made};
use crate::scene::{now, random, rng, within};
use certs::bundle::{self, MemberSecrets, SealingKeyPair};
use certs::{SigningKey, Verified};
use link::{Endpoint, Identity, Link, Patience, Receiver, Sender, open_channel};
use std::sync::Arc;
use wire::codec::{List, Text};
use wire::message::StreamKind;
use wire::message::control::{
    Admission, Admitted, Answer, Choice, Down, Empty, Introduce, Join, Name, Up,
};
use wire::statement::{Ask, CapacityClaim, RunStatement, Signed};
use wire::{AskId, Nonce, Reason, SpkiHash};

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
        let invite = attacker.options.invite()?;
        let mut identity = stream::stranger()?;
        let me = identity.spki();
        attacker.ready(me);
        let endpoint = Arc::new(Endpoint::bind(attacker.options.listen, &identity)?);
        let station = invite
            .addresses
            .first()
            .ok_or(Failure::Stage("the invite has no address"))?;
        let link = endpoint.dial(*station, None, Patience::Control).await?;
        let sealing = SealingKeyPair::generate(&rng())?;
        let nonce = Nonce(random()?);
        let exporter = link.exporter()?;
        let join = Join {
            name: Name::new(attacker.options.name.clone())?,
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
        let run = certs::run::verify(&run, &invite.stream, now())?;
        let secrets = bundle::open(&secrets, &sealing, &run.scope, &me)?;
        identity.certificate = certificate.to_vec();
        endpoint.adopt(&identity)?;
        let (up, down) = channel.split();
        let mut guest = Self {
            identity,
            endpoint,
            run,
            secrets,
            up,
            down,
            link,
        };
        attacker.joined(me);
        guest.claim(upload_bps).await?;
        Ok(guest)
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
