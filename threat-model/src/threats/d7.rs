//! D7: a stranger announces and sends one message of 16 MiB.
//!
//! The control is the bound of a frame, checked before memory is taken. It is
//! removed by receiving with another bound.

use crate::attack::attack;
use crate::scene::{self, loopback, stream};
use crate::{Control, Failure, Outcome};
use link::{Channel, Endpoint, Patience, open_channel};
use std::sync::Arc;
use wire::codec::Blob;
use wire::message::StreamKind;

mod countless;

attack!("D7", run,
    "a member sends one message after the other" => "rate_limited": countless::run,
);

/// What the stranger sends, in bytes.
const MESSAGE_BYTES: usize = 16 << 20;
/// A message of any length.
type Anything = Blob<{ MESSAGE_BYTES + 16 }>;

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(send_a_huge_message(control))
}

async fn send_a_huge_message(control: Control) -> Result<Outcome, Failure> {
    let victim = Arc::new(Endpoint::bind(loopback(), &stream::stranger()?)?);
    let address = victim.address()?;
    let flood = tokio::spawn(async move {
        let attacker = Endpoint::bind(loopback(), &stream::stranger()?)?;
        let link = attacker.dial(address, None, Patience::Control).await?;
        let mut channel = open_channel(&link, StreamKind::Control).await?;
        let message = Anything::new(vec![0x5a; MESSAGE_BYTES])?;
        // Refused in the middle of it, if the control is on.
        let _ = channel.send(&message).await;
        link.connection.closed().await;
        Ok::<_, Failure>(())
    });
    let accepting = victim
        .accept()
        .await
        .ok_or(Failure::Stage("the victim's socket is closed"))?;
    let link = accepting.finish().await?;
    let (send, mut recv) = link
        .connection
        .accept_bi()
        .await
        .map_err(link::Error::from)?;
    if link::stream_kind(&mut recv).await != Some(StreamKind::Control) {
        return Err(Failure::Stage("another stream came first"));
    }
    let mut channel = Channel { send, recv };
    let received = match control {
        Control::On => channel.recv::<Anything>().await,
        Control::Removed => channel.dangerously_recv::<Anything>(usize::MAX).await,
    };
    let outcome = match received {
        Ok(Some(message)) => Outcome::succeeded(format!(
            "the receiver holds one message of {} bytes from a stranger",
            message.len()
        )),
        Ok(None) => return Err(Failure::Stage("the stranger sent nothing")),
        Err(refusal) => {
            link.close(refusal.wire_reason());
            Outcome::stopped(refusal.reason())
        }
    };
    link.close(wire::Reason::Done);
    flood
        .await
        .map_err(|_| Failure::Stage("the stranger broke"))??;
    Ok(outcome)
}
