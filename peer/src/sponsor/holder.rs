//! The holder of an order: redeems, verifies the relay against the order he
//! made, commands it with the holder key, and introduces it.

use super::redeem::{Ordered, redeem};
use super::{Report, Setting, Step};
use crate::Error;
use attest::Expectation;
use link::{Channel, Endpoint, Link, Patience, Proof, open_channel};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use voucher::DeskUri;
use wire::codec::Text;
use wire::message::StreamKind;
use wire::message::command::{Command, CommandReply, Serve};
use wire::message::control::{Admission, Empty, Introduce};
use wire::statement::Introduction;
use wire::{AskId, SpkiHash};

/// How long a relay may take to obey.
const REPLY_MS_MAX: u64 = 5_000;
/// Tries to reach a relay that the desk says is running.
const DIAL_TRIES: u32 = 3;

/// A relay that obeys this sponsor.
pub(crate) struct Held {
    pub(crate) relay: SpkiHash,
    stop: mpsc::UnboundedSender<()>,
}

impl Held {
    pub(crate) fn stop(&self) {
        let _ = self.stop.send(());
    }
}

/// What the way from a grant to an introduced relay needs.
pub(crate) struct Introducing {
    pub(crate) ask: AskId,
    pub(crate) desk: DeskUri,
    pub(crate) setting: Setting,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
}

impl Introducing {
    pub(crate) async fn run(self) {
        let ask = self.ask;
        let reports = self.reports.clone();
        match self.introduce().await {
            Ok((endpoint, link, channel)) => hold(endpoint, link, channel, reports).await,
            Err(e) => {
                let _ = reports.send(Report::Step(Step::Failed(ask, e)));
            }
        }
    }

    async fn introduce(&self) -> Result<(Endpoint, Link, Channel), Error> {
        let ordered = redeem(&self.desk, &self.setting.data).await?;
        self.tell(
            "redeemed",
            json!({
                "order": ordered.order_id.to_hex(), "ask": self.ask.0,
                "lease_end_ms": ordered.lease_end.0,
            }),
        );
        let key = Arc::new(ordered.holder.clone());
        let identity = crate::viewer::self_signed(key)?;
        let holder = identity.spki();
        let endpoint = Endpoint::bind(SocketAddr::new(self.setting.local_ip, 0), &identity)?;
        let link = dial(&endpoint, &ordered).await?;
        let proof = self.verify(&link, holder, &ordered).await?;
        self.tell(
            "relay_verified",
            crate::station::verified_fields(ordered.relay, &proof),
        );
        let mut channel = open_channel(&link, StreamKind::Command).await?;
        let serve = Command::Serve(Serve {
            run: self.setting.signed_run.clone(),
            coordinator: self.setting.run.coordinator,
            rate_bps_max: proof.boot.parameters().rate_bps,
        });
        match command(&mut channel, &serve).await? {
            CommandReply::Done(Empty {}) => {}
            CommandReply::Refused(_) | CommandReply::Status(_) => {
                return Err(Error::Relay("it refused to serve the stream"));
            }
        }
        let introduce = self.introduction(&ordered)?;
        let step = Step::Introduce(Box::new(introduce));
        let _ = self.reports.send(Report::Step(step));
        Ok((endpoint, link, channel))
    }

    /// Against the order that this sponsor made: not against the relay's or
    /// the desk's word (threat A7).
    async fn verify(
        &self,
        link: &Link,
        holder: SpkiHash,
        ordered: &Ordered,
    ) -> Result<Proof, Error> {
        let expectation = Expectation::of_order(ordered.relay, &ordered.order);
        let Setting { trust, clock, .. } = &self.setting;
        Ok(trust.verify(link, &expectation, holder, clock).await?)
    }

    fn introduction(&self, ordered: &Ordered) -> Result<Introduce, Error> {
        let introduction = Introduction {
            scope: self.setting.run.scope.clone(),
            order: ordered.order_id,
            relay: ordered.relay,
            sponsor: self.setting.me,
            address: Text::new(ordered.address.to_string())?,
            issued: self.setting.clock.unix(),
        };
        Ok(Introduce {
            ask: self.ask,
            admission: Admission {
                order: ordered.order.clone(),
                introduction: certs::sign(&ordered.holder, &introduction),
            },
        })
    }

    fn tell(&self, kind: &'static str, fields: serde_json::Value) {
        let _ = self.reports.send(Report::Step(Step::Tell(kind, fields)));
    }
}

async fn dial(endpoint: &Endpoint, ordered: &Ordered) -> Result<Link, Error> {
    let mut tries = 1;
    loop {
        let dialled = endpoint
            .dial(ordered.address, Some(ordered.relay), Patience::Control)
            .await;
        match dialled {
            Ok(link) => return Ok(link),
            Err(e) if tries >= DIAL_TRIES || e.is_refusal() => return Err(e.into()),
            Err(_) => tries += 1,
        }
    }
}

async fn command(channel: &mut Channel, command: &Command) -> Result<CommandReply, Error> {
    channel.send(command).await?;
    let patience = Duration::from_millis(REPLY_MS_MAX);
    let reply = tokio::time::timeout(patience, channel.expect("no reply to a command"))
        .await
        .map_err(|_| link::Error::Timeout("reply to a command"))??;
    Ok(reply)
}

/// Keeps the command channel until the relay ends.
async fn hold(
    endpoint: Endpoint,
    link: Link,
    mut channel: Channel,
    reports: mpsc::UnboundedSender<Report>,
) {
    let (stop, mut stopped) = mpsc::unbounded_channel();
    let relay = link.peer;
    let _ = reports.send(Report::Held(Held { relay, stop }));
    tokio::select! {
        _ = link.connection.closed() => {}
        Some(()) = stopped.recv() => {
            let outcome = command(&mut channel, &Command::Stop(Empty {})).await;
            let done = matches!(outcome, Ok(CommandReply::Done(Empty {})));
            let fields = json!({"relay": relay.to_hex(), "obeyed": done});
            let _ = reports.send(Report::Step(Step::Tell("relay_stop", fields)));
        }
    }
    let _ = reports.send(Report::Ended(relay));
    endpoint.close(wire::Reason::Done).await;
}
