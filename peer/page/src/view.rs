//! What the page shows: plain values that the client fills. Times that end in
//! `_at_ms` are Unix milliseconds of this machine's clock; the page counts
//! ages and remaining times on by itself. Names come from other members and
//! are hostile: the page inserts them as text alone.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

mod line;

pub use line::path_line;

/// The name of this form of the view.
pub const SCHEMA: &str = "roundcast.page/1";

/// Everything that one page shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Whose page it is.
    pub role: Role,
    /// The stream's name, as its sender gives it.
    pub stream: String,
    /// The stream key's fingerprint.
    pub fingerprint: String,
    /// The verdict over the whole path.
    pub status: Status,
    /// Stands at the top for as long as it is set: development roots are on.
    pub banner: Option<String>,
    /// From this client to the station.
    pub path: Vec<Hop>,
    /// Whether this viewer misses nothing when any one node but the station
    /// dies, by the station's word; none where it has not said so.
    pub guaranteed: Option<bool>,
    /// Relays that this client refused, the latest first.
    pub refused: Vec<Hop>,
    /// The tree, as far as this client knows it.
    pub tree: Vec<TreeNode>,
    /// From the sender's clock to this client's: as right as the two agree.
    pub delay_ms: Option<u64>,
    /// The delay cannot be measured: the two clocks are too far apart.
    pub clocks_disagree: bool,
    /// What this client gives to others.
    pub upload: Upload,
    /// The rounds that run now.
    pub rounds: Vec<Round>,
    /// The ask that waits for an answer. One ask never changes its terms.
    pub prompt: Option<Prompt>,
    /// The invite, at a station only.
    pub invite: Option<Invite>,
    /// Counters by name, such as `chunks_verified`.
    pub counters: BTreeMap<String, u64>,
    /// What happened, the latest first.
    pub notices: Vec<Notice>,
}

impl Default for View {
    /// A viewer that is not connected yet.
    fn default() -> Self {
        Self {
            schema: SCHEMA.into(),
            role: Role::Viewer,
            stream: String::new(),
            fingerprint: String::new(),
            status: Status::Unknown,
            banner: None,
            path: Vec::new(),
            guaranteed: None,
            refused: Vec::new(),
            tree: Vec::new(),
            delay_ms: None,
            clocks_disagree: false,
            upload: Upload::default(),
            rounds: Vec::new(),
            prompt: None,
            invite: None,
            counters: BTreeMap::new(),
            notices: Vec::new(),
        }
    }
}

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The broadcaster.
    Station,
    /// Anybody who watches.
    Viewer,
}

/// The four words of every verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Checked, and right.
    Verified,
    /// Checked, and wrong.
    Refused,
    /// Could not be checked.
    Unknown,
    /// Was right, and is too old.
    Expired,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// This client.
    You,
    /// Another member.
    Peer,
    /// A relay that somebody pays for.
    Relay,
    /// The broadcaster.
    Station,
}

/// Who checked a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verifier {
    /// This client itself.
    ByMe,
    /// Others say so.
    Reported,
}

/// Against whom the evidence of a relay protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assurance {
    /// A cloud's TPM: the cloud is trusted, desk and sponsor are not.
    Platform,
    /// A TPM certified by the host's operator: nothing against that operator.
    Operator,
    /// Software: proves nothing.
    Development,
}

/// One node of the path.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// The node's name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Who checked it.
    pub verified: Verifier,
    /// The verdict.
    pub status: Status,
    /// Of a relay.
    pub assurance: Option<Assurance>,
    /// Of a relay: the release's version.
    pub release: Option<String>,
    /// Of a relay: the kind of evidence, such as `nitro_tpm` or `software`.
    pub evidence: Option<String>,
    /// When this client last verified it.
    pub verified_at_ms: Option<u64>,
    /// The checks behind the verdict, where this client made any.
    pub explanation: Option<Explanation>,
    /// The evidence with the relay's answer, as `roundcast verify` takes it
    /// from a file; the page offers it for saving.
    pub saved: Option<String>,
}

/// What `roundcast verify --json` prints (`roundcast.explanation/1`), word
/// for word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Explanation(pub serde_json::Value);

/// One node of the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeNode {
    /// Unique within the view.
    pub id: String,
    /// The node's name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The `id` of each parent, the one that stripe 0 comes from first; none
    /// for the station.
    pub parents: Vec<String>,
    /// Edges it can carry: a child takes one for each stripe.
    pub slots: u32,
    /// Edges it carries.
    pub children: u32,
    /// Of a relay: who bought it, if the sponsor shows the name.
    pub sponsor: Option<String>,
    /// Whether this client speaks of it by itself, or the station does.
    pub verified: Verifier,
    /// Measured delay from the sender.
    pub delay_ms: Option<u64>,
    /// Measured upload.
    pub upload_bps: Option<u64>,
}

/// What this client gives to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// Since the start.
    pub bytes: u64,
    /// Now.
    pub rate_bps: u64,
    /// What the user allowed; none for no limit.
    pub limit_bps: Option<u64>,
}

/// A round that somebody bought.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The sponsor, if the name is shown.
    pub sponsor: Option<String>,
    /// Whether this user bought it, and so may stop it.
    pub mine: bool,
    /// Whether this client knows it from the relay itself, or the station
    /// says so.
    pub verified: Verifier,
    /// When the paid time ends.
    pub ends_at_ms: u64,
    /// Viewers that the relay carries.
    pub carries: u32,
    /// Bytes left until its cap.
    pub left_bytes: Option<u64>,
}

/// Why more upload is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody wants to join.
    Join,
    /// Somebody who carried others left.
    Leave,
}

/// An ask to buy a round: everything that a person must know before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The ask's id; the answer carries it. Each id is answered once: asking
    /// again takes a new one.
    pub ask: String,
    /// Whom the coordinator asks at this step, such as `leaves`.
    pub step: String,
    /// Why.
    pub cause: Cause,
    /// What is missing, such as `short 14 Mbit/s`.
    pub deficit: String,
    /// From the viewer's own desk, in the currency's minor units.
    pub price_minor: u64,
    /// ISO 4217.
    pub currency: String,
    /// Paid time.
    pub hours: u32,
    /// Paid traffic, in 10^9 bytes.
    pub gigabytes: u32,
    /// What bounds the cost, in words.
    pub cap: String,
    /// When the round would end.
    pub ends_at_ms: u64,
    /// Until when an answer counts.
    pub answer_by_ms: u64,
    /// What happens with the money if it fails, in words.
    pub on_failure: String,
    /// What the sponsor gets for it, in words.
    pub gets: String,
}

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be.
    Warning,
    /// Something failed.
    Error,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// How grave.
    pub level: Level,
    /// When.
    pub at_ms: u64,
    /// What, and what to do.
    pub text: String,
}

/// An invite: a bearer secret, shown on the station's own page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Invite(String);

impl Invite {
    /// Takes a `roundcast:` URI.
    #[must_use]
    pub fn new(uri: String) -> Self {
        Self(uri)
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
