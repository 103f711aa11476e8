//! F2: a curious member offers upload in order to see who hangs under him.
//!
//! The control is the viewer's choice to link to station and relays alone,
//! which the planner keeps. It is removed by not making the choice.

use crate::attack::attack;
use crate::scene::stream::Stream;
use crate::scene::{self, loopback};
use crate::{Control, Failure, Outcome};
use link::{Endpoint, Patience};
use overlay::planner::{Action, Config, Peer, Planner};
use wire::SpkiHash;

attack!("F2", run);

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(offer_upload_and_look(control))
}

async fn offer_upload_and_look(control: Control) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (curious, viewer) = (stream.member("curious")?, stream.member("viewer")?);
    // The station's only slot is the curious member's.
    let mut planner = Planner::new(stream.station.spki(), 1, Config::default(), 1);
    let never_ask = true;
    planner.join(
        0,
        curious.spki(),
        Peer {
            slots: 4,
            never_ask,
            relay_only: false,
        },
    )?;
    planner.join(
        1,
        viewer.spki(),
        Peer {
            slots: 0,
            never_ask,
            relay_only: control.is_on(),
        },
    )?;
    match place(&mut planner, viewer.spki())? {
        Place::Refused(reason) => Ok(Outcome::stopped(reason)),
        Place::Under(parent) if parent == curious.spki() => {
            let seen_by = Endpoint::bind(loopback(), &curious)?;
            let address = seen_by.address()?;
            let dialler = Endpoint::bind(loopback(), &viewer)?;
            let (dialled, seen) = tokio::join!(
                dialler.dial(address, Some(curious.spki()), Patience::Edge),
                async {
                    let accepting = seen_by.accept().await?;
                    let link = accepting.finish().await.ok()?;
                    Some(link.connection.remote_address())
                }
            );
            dialled?;
            match seen {
                Some(seen) if seen == dialler.address()? => Ok(Outcome::succeeded(format!(
                    "the curious member sees the viewer's address {seen}"
                ))),
                _ => Err(Failure::Stage("the curious member saw nobody")),
            }
        }
        Place::Under(_) => Err(Failure::Stage("the viewer found another place")),
    }
}

enum Place {
    Under(SpkiHash),
    Refused(&'static str),
}

fn place(planner: &mut Planner<SpkiHash>, viewer: SpkiHash) -> Result<Place, Failure> {
    while let Some(action) = planner.poll_action() {
        match action {
            Action::Attach { child, parent, .. } if child == viewer => {
                return Ok(Place::Under(parent));
            }
            Action::Refuse { node, reason } if node == viewer => {
                return Ok(Place::Refused(reason.name()));
            }
            _ => {}
        }
    }
    Err(Failure::Stage("the planner decided nothing"))
}
