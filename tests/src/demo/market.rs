//! Before the evening: the desk opens, and B and D buy a voucher each.

use super::cast::{self, DESK};
use super::command::command;
use super::error::Error;
use super::log::Log;
use super::patience;
use super::provider::{Cloud, Provider};
use super::stage::Stage;
use super::world::World;
use crate::process::{self, Launch};
use serde::Deserialize;

/// What B and D buy: the smallest round.
const CLASS: &str = "small.local.1h.45gb";
/// Who buys before the evening.
const BUYERS: [&str; 2] = ["B", "D"];

/// Opens the desk and sells two vouchers.
///
/// # Errors
/// The step that failed.
pub async fn open(world: &mut World, stage: &mut Stage) -> Result<(), Error> {
    world.start(DESK, &cast::desk(stage))?;
    let ready = |log: &Log| log.of(DESK, "desk_ready").next().is_some();
    world.wait("the desk opens", patience::READY, ready).await?;
    let announced = world.log.of(DESK, "desk_ready").next();
    let uri = announced
        .and_then(|event| event.text("uri"))
        .map(str::to_owned);
    let Some(uri) = uri else {
        return Err(Error::Event {
            kind: "desk_ready",
            source_name: DESK.to_owned(),
            field: "uri",
        });
    };
    let offer = codes(stage).await?;
    for (buyer, code) in BUYERS.into_iter().zip(&offer.codes) {
        buy(stage, buyer, &uri, &offer.class, code).await?;
        world.narrator.say(&format!(
            "         {buyer} has bought a voucher at the desk"
        ));
    }
    if stage.provider == Provider::Qemu && stage.cloud != Cloud::Disbelieved {
        stage.operator = Some(format!("demo-desk={uri}"));
    }
    stage.desk_uri = Some(uri);
    Ok(())
}

/// What `roundcast-desk codes make` prints.
#[derive(Debug, Deserialize)]
struct Offer {
    /// The class with today's key epoch.
    class: String,
    codes: Vec<String>,
}

/// The operator's purchase codes.
async fn codes(stage: &Stage) -> Result<Offer, Error> {
    let launch = Launch::new(&stage.programs.desk, stage.log("codes"))
        .flag("codes")
        .flag("make")
        .option("--class", CLASS)
        .option("--count", BUYERS.len().to_string())
        .option("--data", stage.data(DESK))
        .flag("--json");
    let text = command("make purchase codes", &launch, patience::COMMAND).await?;
    serde_json::from_str(&text).map_err(|error| Error::Command {
        step: "make purchase codes",
        exit: format!("an answer that cannot be read ({error})"),
        log: process::tail(&launch.log),
    })
}

async fn buy(stage: &Stage, buyer: &str, desk: &str, class: &str, code: &str) -> Result<(), Error> {
    let log = stage.log(&format!("{buyer}-buys"));
    let launch = Launch::new(&stage.programs.roundcast, log)
        .flag("wallet")
        .flag("buy")
        .option("--desk", desk)
        .option("--code", code)
        .option("--class", class)
        .option("--data", stage.data(buyer))
        .flag("--json");
    command("buy a voucher", &launch, patience::COMMAND)
        .await
        .map(drop)
}
