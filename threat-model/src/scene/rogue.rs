//! The station's end of a control link in an attacker's hands: it admits
//! whoever was invited, as a station does, and says what it likes.

use super::stream::Stream;
use super::{loopback, now, random, rng, within};
use crate::Failure;
use certs::bundle::{self, MemberSecrets};
use certs::receipt::ReceiptKey;
use certs::x509::MemberRequest;
use link::{Channel, Endpoint, Link, stream_kind};
use wire::codec::List;
use wire::invite::{AudienceSecret, Invite};
use wire::message::StreamKind;
use wire::message::control::{Admitted, Certificate, Down, Join, Name, Up};
use wire::statement::JoinReply;
use wire::{Digest, Epoch, SpkiHash};

/// How long a viewer may take to come, and to say what it has to, in
/// milliseconds.
const STEP_MS_MAX: u64 = 10_000;
/// The stage's stream, in bit/s.
const STREAM_BPS: u64 = 1_000_000;

/// A station that is none.
#[derive(Debug)]
pub struct Rogue {
    /// Its keys.
    pub stream: Stream,
    endpoint: Endpoint,
    secret: AudienceSecret,
}

/// A viewer that it has admitted.
#[derive(Debug)]
pub struct Captive {
    /// Its key.
    pub spki: SpkiHash,
    /// The control link, the station's end.
    pub channel: Channel,
    _link: Link,
}

impl Rogue {
    /// With the keys of a station of its own.
    ///
    /// # Errors
    /// Keys or the socket cannot be had.
    pub fn begin() -> Result<Self, Failure> {
        let stream = Stream::begin()?;
        Ok(Self {
            endpoint: Endpoint::bind(loopback(), &stream.station)?,
            secret: AudienceSecret::new(random()?),
            stream,
        })
    }

    /// The invite to it.
    ///
    /// # Errors
    /// The system does not tell the address.
    pub fn invite(&self) -> Result<String, Failure> {
        let invite = Invite {
            stream: self.stream.run.scope.stream,
            secret: self.secret.clone(),
            addresses: vec![self.endpoint.address()?],
        };
        Ok(invite.to_uri().to_string())
    }

    /// Admits whoever comes next.
    ///
    /// # Errors
    /// Nobody comes, or not as viewers do.
    pub async fn admit(&self) -> Result<Captive, Failure> {
        let accepting = within(STEP_MS_MAX, "viewer", self.endpoint.accept()).await?;
        let accepting = accepting.ok_or(Failure::Stage("the rogue's socket is closed"))?;
        let link = accepting.finish().await?;
        let accepted = link.connection.accept_bi().await;
        let (send, mut recv) = accepted.map_err(link::Error::from)?;
        if stream_kind(&mut recv).await != Some(StreamKind::Control) {
            return Err(Failure::Stage("the viewer opened another stream"));
        }
        let mut channel = Channel { send, recv };
        let Up::Join(join) = channel.expect("no join").await? else {
            return Err(Failure::Stage("the viewer does not join"));
        };
        let admitted = Box::new(self.admitted(&link, &join)?);
        channel.send(&Down::Admitted(admitted)).await?;
        match channel.expect("no claim").await? {
            Up::Claim(_) => Ok(Captive {
                spki: link.peer,
                channel,
                _link: link,
            }),
            _ => Err(Failure::Stage("the viewer claims nothing")),
        }
    }

    fn admitted(&self, link: &Link, join: &Join) -> Result<Admitted, Failure> {
        let Stream { run, ca, .. } = &self.stream;
        let certificate = ca.issue(&MemberRequest {
            key: certs::x509::public_key(&link.certificate)?,
            name: "viewer",
            serial: random()?,
            not_before: run.start,
            not_after: run.end,
        })?;
        let secrets = MemberSecrets {
            epoch: Epoch(0),
            epoch_secret: self.stream.secret.clone(),
            receipt_key: ReceiptKey::generate(&rng())?,
        };
        let reply = JoinReply {
            scope: run.scope.clone(),
            nonce: join.nonce,
            member: link.peer,
            head: None,
            header: Digest([0; 32]),
            issued: now(),
        };
        let to = &join.sealing_key;
        Ok(Admitted {
            run: self.stream.signed_run.clone(),
            reply: certs::sign(&self.stream.permit_key, &reply),
            certificate: Certificate::new(certificate)?,
            ca: Certificate::new(ca.certificate().to_vec())?,
            secrets: bundle::seal(&secrets, to, &run.scope, &link.peer, &rng())?,
            station: Name::new("station")?,
            renditions_bps: List::new(vec![STREAM_BPS])?,
            pull_only: false,
        })
    }
}
