//! The local page of every viewer and of the station.
//!
//! A small web server on a loopback address plays the stream in a browser
//! (Media Source Extensions fed by a WebSocket), hands it to other players
//! (`/live.mp4`), and shows what the client knows: the path of the stream and
//! how each hop of it was verified, the tree, the rounds that were bought, and
//! the prompt by which a sponsor is asked.
//!
//! The package knows nothing of the overlay. The client fills a [`View`] and a
//! [`Feed`], and reads what the user decided from [`Running::answers`].
//!
//! ```text
//!   Feed ──fragments──> /media (WebSocket), /live.mp4
//!   View ──JSON───────> /events (server-sent events), /view.json
//!   Reply <──POST────── /answer, /stop
//! ```
//!
//! Any other web site in the same browser, any other program and any other
//! user of the machine can reach a loopback port; [`Guard`] says what keeps
//! them out. What it does not keep out: a program that runs as the same user,
//! and, since browsers do not separate cookies by port, a hostile web server
//! on another port of this very machine that the user visits and that then
//! speaks to this page from outside of the browser.

#[cfg(feature = "ablation")]
mod ablation;
mod answer;
mod config;
mod error;
mod feed;
mod guard;
mod limits;
mod routes;
mod server;
mod view;

pub use answer::{Answer, Choice, Reply, Stop, Stopped};
pub use config::Config;
pub use error::Error;
pub use feed::{Feed, Item, Listener, Stats};
pub use guard::{CSP, CspPolicy, Guard, HostPolicy, LIVE_CSP, Link, OriginPolicy, TokenPolicy};
pub use server::{Running, Server};
pub use view::{
    Assurance, Cause, Explanation, Hop, Invite, Kind, Level, Notice, Prompt, Role, Round, SCHEMA,
    Status, TreeNode, Upload, Verifier, View, path_line,
};

/// Whether this build can be given a guard with a control removed. A shipped
/// program asserts at compile time that it is false.
pub const ABLATION: bool = cfg!(feature = "ablation");
