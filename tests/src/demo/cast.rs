//! Who plays: names, upload, and the programs' command lines.

use super::provider::Provider;
use super::stage::{Host, Stage};
use crate::process::Launch;
use wire::Stripes;

/// The station.
pub const STATION: &str = "S";
/// Shop and desk.
pub const DESK: &str = "desk";
/// The viewers, in the order in which they come.
pub const VIEWERS: [&str; 5] = ["A", "B", "C", "D", "E"];
/// Who attacks.
pub const ATTACKER: &str = "X";

/// Who saves the evidence of relays: E hangs under both of an evening.
const WITNESS: &str = "E";

/// What the stream needs, in Mbit/s: the clip has 0.95 on average, and key
/// frames come in bursts.
const STREAM_MBPS: &str = "1.1";
/// The station's upload in slots: two, with head room for their overhead, and
/// not three. A slot is what one viewer needs of all stripes, parity included.
const STATION_SLOTS: f64 = 2.33;
/// B's upload: one slot in the same way.
const B_SLOTS: f64 = 1.16;
/// What the stream needs, as a number.
const STREAM: f64 = 1.1;
/// Head room of a slot over the stream's average rate, as stations plan it.
const SLOT_SHARE: f64 = 1.25;
/// Friends may be asked again at once, for another shortage: an evening is
/// short.
const ASK_INTERVAL_MS: &str = "0";
/// The most that a viewer would pay for a round, in minor units of the desk's
/// currency.
const PRICE_MAX_MINOR: &str = "1000";

/// The slots that a member has to have for the evening to take its course.
#[must_use]
pub fn slots(name: &str) -> u64 {
    match name {
        STATION => 2,
        "B" => 1,
        _ => 0,
    }
}

/// So many slots in Mbit/s. With stripes an upload is counted in edges, k+m to
/// a slot: the head room beyond whole slots is kept below one edge, else
/// somebody would find part of a place where the story has none.
fn upload_mbps(stripes: Stripes, slots: f64) -> String {
    let (k, count) = (f64::from(stripes.k()), f64::from(stripes.count()));
    let edge_mbps = STREAM * SLOT_SHARE / k;
    let whole = slots.floor() * count;
    let beyond = (slots.fract() * count).min(0.75);
    format!("{:.3}", (whole + beyond) * edge_mbps)
}

/// The station's command line.
#[must_use]
pub fn station(stage: &Stage) -> Launch {
    let deadline_ms = super::patience::ASK_DEADLINE.as_millis();
    let mut launch = Launch::new(&stage.programs.roundcast, stage.log(STATION))
        .flag("broadcast")
        .option("--input", stage.clip())
        .flag("--loop")
        .option("--stripes", stage.stripes.to_string())
        .option("--upload-mbps", upload_mbps(stage.stripes, STATION_SLOTS))
        .option("--stream-mbps", STREAM_MBPS)
        .option("--ask-deadline-ms", deadline_ms.to_string())
        .option("--ask-interval-ms", ASK_INTERVAL_MS);
    if let Some(file) = stage.kept_stream(STATION) {
        launch = launch.option("--keep", file);
    }
    common(launch, stage, STATION, Host::Station)
}

/// A viewer's command line; `position` counts from 0.
#[must_use]
pub fn viewer(stage: &Stage, name: &str, position: u8, invite: &str) -> Launch {
    let share_mbps = if slots(name) > 0 {
        upload_mbps(stage.stripes, B_SLOTS)
    } else {
        "0".to_owned()
    };
    let mut launch = Launch::new(&stage.programs.roundcast, stage.log(name))
        .flag("watch")
        .flag(invite)
        .option("--share-mbps", share_mbps);
    // Without a desk there is nothing to sponsor with: they are not asked.
    launch = match &stage.desk_uri {
        Some(desk) => launch
            .option("--sponsor", "ask")
            .option("--max-price", PRICE_MAX_MINOR)
            .option("--desk", desk),
        None => launch.option("--sponsor", "never"),
    };
    if let Some(file) = stage.kept_stream(name) {
        launch = launch.option("--out", file);
    }
    if let (WITNESS, Some(folder)) = (name, stage.kept_evidence()) {
        launch = launch.option("--save-evidence", folder);
    }
    common(launch, stage, name, Host::Viewer(position))
}

fn common(launch: Launch, stage: &Stage, name: &str, host: Host) -> Launch {
    let launch = match (stage.provider, &stage.operator) {
        (Provider::Local, _) => launch.flag("--trust-development"),
        (Provider::Qemu, Some(operator)) => launch.option("--trust-operator", operator),
        (Provider::Qemu, None) => launch,
    };
    launch
        .option("--kept-ms", stage.provider.kept_ms().to_string())
        .flag("--json")
        .flag("--trace-chunks")
        .option("--name", name)
        .option("--listen", stage.listen(host))
        .option("--data", stage.data(name))
        .option("--trust-root", stage.trust_root())
}

/// The desk's command line.
#[must_use]
pub fn desk(stage: &Stage) -> Launch {
    Launch::new(&stage.programs.desk, stage.log(DESK))
        .flag("serve")
        .option("--provider", stage.provider.name())
        .option("--data", stage.data(DESK))
        .option("--listen", stage.listen(Host::Desk))
        .option("--release", stage.release())
        .option("--relay-address", stage.address(Host::Relay(0)))
        .option("--relay-address", stage.address(Host::Relay(1)))
        .flag("--json")
}
