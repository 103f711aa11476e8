//! Scenario files: who watches, over what links, and what happens to them.

use super::Error;
use serde::Deserialize;
use std::path::Path;
use wire::Stripes;

/// A whole scenario, as its file says it; the command line may change the
/// first few.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows, for the report.
    pub about: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Viewers that the audience is planned for.
    pub viewers: u32,
    /// Length in virtual seconds.
    pub seconds: u64,
    /// Stripes, `K+M`.
    pub stripes: String,
    /// The stream.
    pub stream: Stream,
    /// The station.
    pub station: Station,
    /// How the viewers come and go.
    pub arrivals: Arrivals,
    /// What they can upload.
    pub uploads: Uploads,
    /// Delay and loss between them.
    pub links: Links,
    /// Who buys rounds.
    pub sponsors: Sponsors,
    /// Who lies.
    #[serde(default)]
    pub cheats: Cheats,
    /// The rules of the programs around the state machines.
    #[serde(default)]
    pub rules: Rules,
    /// What happens to all of them at once.
    pub event: Option<Event>,
    /// What must come out of it.
    pub promise: Promise,
}

/// The stream.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Rate of the media, in bit/s.
    pub rate_bps: u64,
    /// Media time of a chunk.
    pub chunk_ms: u64,
    /// Media time from one key frame to the next.
    pub group_ms: u64,
    /// A chunk is due so long after it was published.
    pub playout_delay_ms: u64,
}

/// The station's uplink.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Rate in bit/s, of which control messages are paid, too.
    pub upload_bps: u64,
}

/// How viewers come and go.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrivals {
    /// The audience comes evenly over this time, from the beginning on.
    pub over_ms: u64,
    /// Then everybody who goes is followed by somebody who comes.
    pub sessions: Option<Sessions>,
}

/// How long viewers stay: lognormal.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Mean of the logarithm of seconds.
    pub mu: f64,
    /// Deviation of the logarithm of seconds.
    pub sigma: f64,
    /// How many of a thousand go without a word.
    pub abrupt_permille: u32,
}

/// What viewers can upload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    /// How many of a thousand upload nothing.
    pub free_riders_permille: u32,
    /// How much of his uplink a contributor gives, in percent.
    pub given_percent: u64,
    /// Uplinks: (permille of the contributors, bit/s), in order; between two
    /// points the rate is interpolated.
    pub quantiles: Vec<(u64, u64)>,
}

/// Delay and loss.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Share of each region, in permille; the station is in the first.
    pub regions: Vec<u64>,
    /// One-way delay between regions, in ms.
    pub delay_ms: Vec<Vec<u64>>,
    /// Delay of one's own access line, one way: from, to.
    pub access_ms: [u64; 2],
    /// Lost packets in a million.
    pub loss_ppm: u64,
    /// Download rate as a multiple of the upload, and at least.
    pub download_bps_min: u64,
}

/// Who buys rounds, and what he gets.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sponsors {
    /// How many of a thousand say yes.
    pub accept_permille: u32,
    /// How many of a thousand never answer.
    pub silent_permille: u32,
    /// Time to think: from, to.
    pub think_ms: [u64; 2],
    /// From the grant to a relay that serves: from, to.
    pub boot_ms: [u64; 2],
    /// A relay's uplink, in bit/s.
    pub relay_bps: u64,
    /// Of a thousand viewers so many bring a relay along.
    pub relays_at_start_permille: u32,
}

/// Cheats, in permille of the contributors.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cheats {
    /// Take children and send them nothing.
    pub silent_permille: u32,
    /// Claim this many times what they have, see `boast`.
    pub boasting_permille: u32,
    /// Send everything late, see `late_ms`.
    pub late_permille: u32,
    /// Factor of the claim.
    #[serde(default)]
    pub boast: u64,
    /// How late.
    #[serde(default)]
    pub late_ms: u64,
}

/// How the programs around planner and forwarder notice failure, and what they
/// do about it. Each can be taken out (0, or false), to see what it is worth.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// A child reports a stripe of which nothing has come for so long.
    pub silence_ms: u64,
    /// A node reports parents if it is so far behind the newest beacon and
    /// does not catch up.
    pub late_ms: u64,
    /// A member that others call gone is given up when its control link has
    /// been silent for so long, and not only when that is closed.
    pub suspect_ms: u64,
    /// Who resumes does not ask for what could not be played in time any more.
    pub skips_late: bool,
    /// The coordinator gives another parent to who has lost one.
    pub mends: bool,
    /// What parents do not bring is pulled from neighbours.
    pub repairs: bool,
    /// The station feeds fewer the more it has to say.
    pub makes_room: bool,
    /// See `overlay::planner::Config`.
    pub lifts_max: u32,
    /// See `overlay::planner::Config`; 0: no place is chosen by round trip.
    pub nears_max: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            silence_ms: 500,
            late_ms: 1_500,
            suspect_ms: 2_000,
            skips_late: true,
            mends: true,
            repairs: true,
            makes_room: true,
            lifts_max: 2,
            nears_max: 2,
        }
    }
}

/// What happens at once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at_ms: u64,
    /// To whom.
    pub lost: Lost,
}

/// Who is lost, without a word.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Lost {
    /// So many of a thousand viewers.
    ViewersPermille(u32),
    /// Everybody and everything in this region.
    Region(usize),
    /// Every relay.
    Relays,
    /// The viewer that has most children.
    BusiestViewer,
    /// The relay that has most children.
    BusiestRelay,
}

/// What must come out. A check from outside reads it from the report.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Mean continuity of all viewers, at least.
    pub continuity_min: f64,
    /// The same of the minute after the event.
    pub continuity_after_min: Option<f64>,
    /// 95 of 100 joins, at most.
    pub join_ms_p95_max: Option<u64>,
    /// Depth as a multiple of the optimum, at most.
    pub depth_ratio_max: f64,
    /// Sponsors' median less free riders' median, at least.
    pub sponsor_over_free_rider_min: f64,
    /// Refused viewers, in permille of all, at most.
    pub refused_permille_max: f64,
    /// Share of all edges that is in use before somebody is asked, at least.
    pub used_share_at_ask_min: f64,
}

impl Scenario {
    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Scenario`], [`Error::Value`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Reads a scenario from its text.
    ///
    /// # Errors
    /// [`Error::Scenario`], [`Error::Value`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// k and m.
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn stripes(&self) -> Result<Stripes, Error> {
        let parsed = self.stripes.parse();
        parsed.map_err(|_| Error::Value("stripes must be K+M, e.g. 4+1"))
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Value`] names what is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what| Err(Error::Value(what));
        self.stripes()?;
        let stream = &self.stream;
        if stream.chunk_ms == 0 || !stream.group_ms.is_multiple_of(stream.chunk_ms) {
            return wrong("group_ms must be a multiple of chunk_ms");
        }
        if self.viewers == 0 || self.seconds == 0 || stream.rate_bps == 0 {
            return wrong("viewers, seconds and rate_bps must be more than 0");
        }
        let regions = self.links.regions.len();
        let square = self.links.delay_ms.iter().all(|row| row.len() == regions);
        if regions == 0 || self.links.delay_ms.len() != regions || !square {
            return wrong("delay_ms must have a row and a column for each region");
        }
        let quantiles = &self.uploads.quantiles;
        if quantiles.len() < 2 || !quantiles.is_sorted() {
            return wrong("quantiles must be two or more points in order");
        }
        Ok(())
    }

    /// The chunks that are published in all.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.seconds * 1_000 / self.stream.chunk_ms
    }
}
