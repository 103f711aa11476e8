//! The evening itself: the paper's figure 1, step by step, each begun when the
//! one before it has come about.

use super::attack::{self, Attack, Loot, Moment, Target};
use super::cast::{self, ATTACKER, DESK, STATION, VIEWERS};
use super::error::Error;
use super::log::Log;
use super::media;
use super::patience;
use super::prompts::Act;
use super::provider::Cloud;
use super::report::expected_exit;
use super::stage::Stage;
use super::world::{World, monotonic_us};
use crate::event::Event;
use crate::process::signal;
use crate::programs;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Why nobody believes a machine that only its own operator vouches for.
pub(super) const DISBELIEVED: &str = "assurance_not_accepted";

/// Who is no further behind watches live. A viewer that is told to go plays to
/// the newest head that it has heard of, which may be a beacon's time old.
const LIVE_CHUNKS: u64 = 1;

/// What kind of evening it is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long it lasts at least.
    pub length: Duration,
    /// What it has of the cloud.
    pub cloud: Cloud,
    /// The attack, and its program.
    pub attack: Option<(Attack, PathBuf)>,
}

/// One evening under way.
#[derive(Debug)]
pub struct Evening<'a> {
    world: &'a mut World,
    stage: &'a Stage,
    plan: &'a Plan,
    invite: String,
    started: Instant,
    /// Who hangs under B, and who of A and C hangs under the station.
    lodger: &'static str,
    lodged_above: &'static str,
}

/// Plays an evening up to the fall of the curtain; `started_us` is when it
/// begins.
///
/// # Errors
/// The step that did not come about.
pub async fn play(world: &mut World, stage: &Stage, plan: &Plan) -> Result<(), Error> {
    let mut evening = Evening {
        world,
        stage,
        plan,
        invite: String::new(),
        started: Instant::now(),
        lodger: "C",
        lodged_above: "A",
    };
    evening.open().await?;
    if plan.cloud != Cloud::Doubted {
        evening.gather().await?;
    }
    match plan.cloud {
        Cloud::Doubted => evening.doubt().await?,
        Cloud::Nothing => {
            evening.world.act = Act::Overload;
            evening.refuse("D", 3).await?;
            evening.refuse("E", 4).await?;
        }
        Cloud::Disbelieved => {
            evening.disbelieve().await?;
            evening.refuse("E", 4).await?;
        }
        Cloud::Believed => {
            evening.overload().await?;
            let first_picture = evening.join_under_relay().await?;
            evening.attack(Moment::AfterE).await?;
            evening.lose_relay(first_picture).await?;
        }
    }
    evening.play_out().await
}

impl Evening<'_> {
    /// The station goes on air.
    async fn open(&mut self) -> Result<(), Error> {
        self.world.start(STATION, &cast::station(self.stage))?;
        let ready = |log: &Log| log.told(STATION, "station_ready", STATION).is_some();
        self.wait("the station goes on air", patience::READY, ready)
            .await?;
        let announced = self.world.log.told(STATION, "station_ready", STATION);
        let text = |field| {
            announced
                .and_then(|event| event.text(field))
                .map(str::to_owned)
        };
        self.invite = text("invite").ok_or(missing("station_ready", STATION, "invite"))?;
        if let Some(page) = text("page") {
            self.world
                .narrator
                .say(&format!("         The station's page: {page}"));
        }
        let slots = announced.and_then(|event| event.number("slots"));
        check_slots(STATION, slots, self.plan.cloud)
    }

    /// A, B and C come while there is room.
    async fn gather(&mut self) -> Result<(), Error> {
        self.join_under("A", 0, STATION).await?;
        self.join_under("B", 1, STATION).await?;
        if self.attack_at(Moment::BeforeC).is_some() {
            self.begin_attack(Moment::BeforeC).await?;
            self.join("C", 2, None).await?;
            self.end_attack(Moment::BeforeC).await?;
            self.see_who_lodges().await?;
        } else {
            self.join_under("C", 2, "B").await?;
        }
        self.attack(Moment::BeforeD).await
    }

    /// X had a place for a moment: whoever was without one then is B's child.
    async fn see_who_lodges(&mut self) -> Result<(), Error> {
        let under_b = |log: &Log, name| log.chunk(name, Some("B"), 0).is_some();
        let awaited = "A or C has its picture from B";
        let either = |log: &Log| under_b(log, "A") || under_b(log, "C");
        self.wait(awaited, patience::REPAIR, either).await?;
        if under_b(&self.world.log, "A") {
            (self.lodger, self.lodged_above) = ("A", "C");
        }
        Ok(())
    }

    /// A viewer joins and gets its picture, at the latest in the end from this
    /// parent. Returns when the picture came.
    async fn join_under(
        &mut self,
        name: &'static str,
        position: u8,
        parent: &str,
    ) -> Result<Instant, Error> {
        self.join(name, position, Some(parent)).await
    }

    async fn join(
        &mut self,
        name: &'static str,
        position: u8,
        parent: Option<&str>,
    ) -> Result<Instant, Error> {
        let launch = cast::viewer(self.stage, name, position, &self.invite);
        self.world.start(name, &launch)?;
        let picture = |log: &Log| log.chunk(name, parent, 0).is_some();
        let from = parent.unwrap_or("somebody");
        let awaited = format!("{name} joins and has a picture from {from}");
        self.wait(&awaited, patience::FIRST_CHUNK, picture).await?;
        let joined = self.world.log.told(STATION, "joined", name);
        let slots = joined.and_then(|joined| joined.number("slots"));
        check_slots(name, slots, self.plan.cloud)?;
        let ready = self.world.log.told(name, "viewer_ready", name);
        let page = ready.and_then(|ready| ready.text("page"));
        if let Some(page) = page.map(|page| format!("         {name}'s page: {page}")) {
            self.world.narrator.say(&page);
        }
        Ok(Instant::now())
    }

    /// Somebody comes, finds no place and is refused by name.
    async fn refuse(&mut self, name: &'static str, position: u8) -> Result<(), Error> {
        self.world.may_leave(name);
        let launch = cast::viewer(self.stage, name, position, &self.invite);
        self.world.start(name, &launch)?;
        self.turned_away(name).await
    }

    async fn turned_away(&mut self, name: &str) -> Result<(), Error> {
        let refused = |log: &Log| log.refused_for_capacity(name);
        let awaited = format!("{name} is refused for want of capacity");
        self.wait(&awaited, patience::ASKING, refused).await?;
        let expected = expected_exit(name, self.plan.cloud);
        self.world.end(name, expected, patience::LEAVING).await
    }

    /// B buys a round, and its relay shows evidence of a kind that nobody
    /// here has chosen to believe: it never gets a place.
    async fn disbelieve(&mut self) -> Result<(), Error> {
        self.world.may_leave("D");
        self.buy().await?;
        self.relay_starts("R1", "B").await?;
        let refused = |log: &Log| {
            let mut told = log.of("B", "redeem_failed");
            told.any(|event| event.text("reason") == Some(DISBELIEVED))
        };
        let awaited = format!("B refuses R1 for {DISBELIEVED}");
        let patience = self.stage.provider.relay_patience();
        self.wait(&awaited, patience, refused).await?;
        self.turned_away("D").await
    }

    /// B buys a round when A finds no place, and station and B take its relay
    /// in. Each other viewer is sent there, refuses it by name, and finds no
    /// other place.
    async fn doubt(&mut self) -> Result<(), Error> {
        self.join_under("B", 1, STATION).await?;
        self.world.may_leave("A");
        self.start_and_ask("A", 0, &["A"]).await?;
        self.relay_comes("R1", "B").await?;
        self.world.act = Act::Doubt;
        self.refuses_the_relay("A").await?;
        for (name, position) in [("C", 2), ("D", 3), ("E", 4)] {
            self.world.may_leave(name);
            let launch = cast::viewer(self.stage, name, position, &self.invite);
            self.world.start(name, &launch)?;
            self.refuses_the_relay(name).await?;
        }
        Ok(())
    }

    async fn refuses_the_relay(&mut self, name: &'static str) -> Result<(), Error> {
        let refused = |log: &Log| {
            let mut told = log.of(name, "attack_refused");
            told.any(|event| event.text("reason") == Some(DISBELIEVED))
        };
        let awaited = format!("{name} refuses R1 for {DISBELIEVED}");
        self.wait(&awaited, patience::RELAY, refused).await?;
        self.turned_away(name).await
    }

    /// D's join is too much: B buys a round, and its relay carries it.
    async fn overload(&mut self) -> Result<(), Error> {
        let since_us = self.buy().await?;
        self.relay_comes("R1", "B").await?;
        let admitted = self
            .world
            .log
            .naming(STATION, "relay_admitted", "relay", "R1");
        let admitted_us = admitted.map_or(since_us, |event| event.mono_us);
        self.hang_under("R1", &["B", "D"], 0).await?;
        // The relay may have room for it, too, and is nearer to the root.
        let lodger = self.lodger;
        let carried = |log: &Log| {
            let mut above = ["B", "R1"].into_iter();
            above.any(|parent| log.chunk(lodger, Some(parent), admitted_us).is_some())
        };
        let awaited = format!("{lodger} has its picture from B or R1");
        self.wait(&awaited, patience::REPAIR, carried).await
    }

    /// D's join is too much, and B is granted the round. Returns when D came.
    async fn buy(&mut self) -> Result<u64, Error> {
        self.start_and_ask("D", 3, &["D", "A", "C"]).await
    }

    /// Somebody's join is too much: he and the others are asked in this order
    /// and do not buy, then B does. Returns when he came.
    async fn start_and_ask(
        &mut self,
        name: &'static str,
        position: u8,
        unwilling: &[&'static str],
    ) -> Result<u64, Error> {
        self.world.act = Act::Overload;
        let launch = cast::viewer(self.stage, name, position, &self.invite);
        // An attack before may have led to asks, too.
        let since_us = monotonic_us();
        self.world.start(name, &launch)?;
        let mut steps = vec![("sponsor_asked", name, "is asked, since there is no room")];
        steps.extend(unwilling.iter().map(|who| match *who {
            "C" => (
                "sponsor_timed_out",
                "C",
                "is asked and lets the deadline pass",
            ),
            who => ("sponsor_declined", who, "is asked and declines"),
        }));
        steps.push(("sponsor_accepted", cast::SPONSOR, "is asked and accepts"));
        steps.push(("sponsor_granted", cast::SPONSOR, "is granted the round"));
        for (kind, who, awaited) in steps {
            let told = |log: &Log| log.told_after(STATION, kind, who, since_us).is_some();
            let awaited = format!("{who} {awaited}");
            self.wait(&awaited, patience::ASKING, told).await?;
        }
        Ok(since_us)
    }

    /// A sponsor's relay is started.
    async fn relay_starts(&mut self, relay: &str, sponsor: &str) -> Result<(), Error> {
        self.wait(
            &format!("{sponsor}'s voucher is redeemed and {relay} is started"),
            self.stage.provider.relay_patience(),
            |log| log.naming(DESK, "relay_started", "relay", relay).is_some(),
        )
        .await
    }

    /// A sponsor's relay is started, verified and takes its place.
    async fn relay_comes(&mut self, relay: &str, sponsor: &str) -> Result<(), Error> {
        self.relay_starts(relay, sponsor).await?;
        for verifier in [sponsor, STATION] {
            self.wait(
                &format!("{verifier} verifies {relay}"),
                patience::RELAY,
                |log| {
                    log.naming(verifier, "relay_verified", "relay", relay)
                        .is_some()
                },
            )
            .await?;
        }
        self.wait(
            &format!("{relay} takes a place in the tree"),
            patience::RELAY,
            |log| {
                log.naming(STATION, "relay_admitted", "relay", relay)
                    .is_some()
            },
        )
        .await
    }

    /// Waits until viewers get their picture from `parent` after a time.
    async fn hang_under(
        &mut self,
        parent: &str,
        viewers: &[&str],
        after_us: u64,
    ) -> Result<(), Error> {
        for viewer in viewers {
            self.wait(
                &format!("{viewer} has its picture from {parent}"),
                patience::REPAIR,
                |log| log.chunk(viewer, Some(parent), after_us).is_some(),
            )
            .await?;
        }
        Ok(())
    }

    /// E joins under the relay. Returns when E's picture came.
    async fn join_under_relay(&mut self) -> Result<Instant, Error> {
        self.join_under("E", 4, "R1").await
    }

    /// The relay is killed; all resume, D buys the second round.
    async fn lose_relay(&mut self, first_picture: Instant) -> Result<(), Error> {
        let at = self.started + self.plan.length.mul_f64(0.6);
        let at = at.max(first_picture + patience::KILL_AFTER_E);
        self.world.play_until(at, "all watch").await?;
        let pid = self.pid("R1")?;
        let killed_us = monotonic_us();
        let killed = u32::try_from(pid)
            .map_err(|_| std::io::ErrorKind::InvalidInput.into())
            .and_then(|process| signal(process, Signal::KILL));
        killed.map_err(|source| Error::Kill { pid, source })?;
        self.world.narrator.say("         R1's process is killed");
        let lost = |log: &Log| log.naming(STATION, "relay_lost", "relay", "R1").is_some();
        self.wait("the loss of R1 is noticed", patience::REPAIR, lost)
            .await?;
        self.hang_under(STATION, &["B"], killed_us).await?;
        self.hang_under("B", &[self.lodger], killed_us).await?;
        let granted = |log: &Log| {
            log.told_after(STATION, "sponsor_granted", "D", killed_us)
                .is_some()
        };
        self.wait(
            "D is asked, accepts and is granted",
            patience::ASKING,
            granted,
        )
        .await?;
        self.relay_comes("R2", "D").await?;
        self.hang_under("R2", &[self.lodged_above, "D", "E"], killed_us)
            .await
    }

    /// The rest of the evening.
    async fn play_out(&mut self) -> Result<(), Error> {
        let end = self.started + self.plan.length;
        if !self.plan.cloud.carries_all() {
            return self.world.play_until(end, "all watch to the end").await;
        }
        // The last resume was awaited just before.
        let end = end.max(Instant::now() + patience::AFTER_RESUME);
        self.world.play_until(end, "all watch to the end").await?;
        // Nobody is told to go while he still watches what was long ago.
        let live = |log: &Log| {
            let mut viewers = VIEWERS.into_iter();
            viewers.all(|viewer| media::behind_chunks(log, viewer) <= LIVE_CHUNKS)
        };
        let awaited = "everybody has caught up with the station";
        self.wait(awaited, patience::CATCHING_UP, live).await
    }

    /// The evening's attack, if this is its moment.
    async fn attack(&mut self, moment: Moment) -> Result<(), Error> {
        self.begin_attack(moment).await?;
        self.end_attack(moment).await
    }

    async fn begin_attack(&mut self, moment: Moment) -> Result<(), Error> {
        let Some((attack, program)) = self.attack_at(moment) else {
            return Ok(());
        };
        let target = self.target();
        let launch = attack::launch(&program, self.stage, &self.invite, target.as_ref());
        self.world
            .narrator
            .say(&format!("         {}", attack.story()));
        self.world.may_leave(ATTACKER);
        self.world.start(ATTACKER, &launch)?;
        if moment == Moment::BeforeC {
            let placed = |log: &Log| {
                log.chunk(ATTACKER, None, 0).is_some()
                    || log.naming(STATION, "attached", "child", ATTACKER).is_some()
            };
            self.wait("X is placed where C will come", patience::ATTACK, placed)
                .await?;
        }
        Ok(())
    }

    async fn end_attack(&mut self, moment: Moment) -> Result<(), Error> {
        let Some((attack, _)) = self.attack_at(moment) else {
            return Ok(());
        };
        let expected = expected_exit(ATTACKER, self.plan.cloud);
        self.world.end(ATTACKER, expected, patience::ATTACK).await?;
        let refused = |log: &Log| {
            let told = super::story::entries(log);
            told.iter().any(|entry| entry.refuses(attack.reason()))
        };
        let awaited = format!("{} is refused for {}", attack.name(), attack.reason());
        self.wait(&awaited, patience::LAST_LINES, refused).await
    }

    fn attack_at(&self, moment: Moment) -> Option<(Attack, PathBuf)> {
        let planned = self.plan.attack.clone();
        planned.filter(|(attack, _)| attack.moment() == moment)
    }

    fn target(&self) -> Option<Target> {
        let started = self.relay_started("R1")?;
        Some(Target {
            address: started.text("address")?.to_owned(),
            spki: started.text("relay")?.to_owned(),
        })
    }

    fn pid(&self, relay: &str) -> Result<u64, Error> {
        let started = self.relay_started(relay);
        let pid = started.and_then(|started| started.number("pid"));
        pid.ok_or(missing("relay_started", DESK, "pid"))
    }

    fn relay_started(&self, relay: &str) -> Option<&Event> {
        self.world.log.naming(DESK, "relay_started", "relay", relay)
    }

    async fn wait(
        &mut self,
        awaited: &str,
        patience: Duration,
        until: impl Fn(&Log) -> bool,
    ) -> Result<(), Error> {
        self.world.wait(awaited, patience, until).await
    }
}

/// Finds or builds the program of an attack.
///
/// # Errors
/// [`Error::Programs`].
pub fn cast_attack(attack: Option<Attack>) -> Result<Option<(Attack, PathBuf)>, Error> {
    let Some(attack) = attack else {
        return Ok(None);
    };
    Ok(Some((attack, programs::attacker(&attack.program())?)))
}

/// Prepares what an attacker gets hold of.
///
/// # Errors
/// [`Error::Folder`].
pub fn lay_out_loot(stage: &Stage, attack: Option<Attack>) -> Result<(), Error> {
    match attack.map(Attack::loot) {
        Some(Loot::Wallet) => stage.steal("B"),
        Some(Loot::None) | None => Ok(()),
    }
}

fn missing(kind: &'static str, source: &str, field: &'static str) -> Error {
    Error::Event {
        kind,
        source_name: source.to_owned(),
        field,
    }
}

fn check_slots(name: &str, found: Option<u64>, cloud: Cloud) -> Result<(), Error> {
    let needed = cast::slots(name, cloud);
    match found {
        Some(found) if found == needed => Ok(()),
        Some(found) => Err(Error::Slots {
            name: name.to_owned(),
            found,
            needed,
        }),
        None => Err(missing("joined", STATION, "slots")),
    }
}
