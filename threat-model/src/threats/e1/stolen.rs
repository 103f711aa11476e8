//! The other half of E1: the permit is in order, and the membership is that
//! of a member who left long ago; who evicted or robbed him has it still.
//!
//! The control is the membership's short life. It is removed in the controls
//! that the victim's node is made with.

use super::{STREAM_MS_MAX, feeding, take};
use crate::scene::edge::accept_order;
use crate::scene::stream::Stream;
use crate::scene::{self, now, within};
use crate::{Control, Failure, Outcome};
use link::{Controls, MemberCheck};
use wire::UnixMs;

/// How long ago the membership has ended, in milliseconds.
const ENDED_MS: u64 = 2_000;

pub(super) fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(show_a_kept_membership(control))
}

async fn show_a_kept_membership(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let parent = stream.member("parent")?;
    let ended = UnixMs(now().0.saturating_sub(ENDED_MS));
    let kept = stream.member_until("gone", ended)?;
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.members = MemberCheck::dangerously_any();
    }
    let mut victim = feeding(&stream, &parent, controls)?;
    let permit = stream.permit(parent.spki(), kept.spki());
    let permit = certs::permit::sign(&stream.permit_key, &permit);
    let order = accept_order(permit.clone(), kept.spki())?;
    victim.node.order_edge(order)?;
    let address = victim.endpoint.address()?;
    let taken = take(&kept, address, parent.spki(), permit);
    if let Ok(bytes) = within(STREAM_MS_MAX, "first bytes", taken).await? {
        return Ok(Outcome::succeeded(format!(
            "the node fed {bytes} bytes to a membership that has ended"
        )));
    }
    Ok(Outcome::stopped(victim.edge_end().await?))
}
