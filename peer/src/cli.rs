//! The command line: parsed here, resolved with the configuration file, and
//! handed on as plain options.

use crate::config::File;
use crate::trust::TrustOptions;
use crate::{Error, sponsor, station, viewer};
use certs::receipt::ReceiptCheck;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use wire::Stripes;

/// Live video without a server bill.
///
/// Exit codes: 0 done, 1 a failure, 2 the command cannot begin (an option, the
/// configuration or the invite is wrong), 3 something was refused or has
/// expired, 4 it cannot be judged, 5 the round could not be paid. A malformed
/// invite is 2 where it was to be used, and 3 in `verify`, whose verdict about
/// it that is.
#[derive(Debug, Parser)]
#[command(name = "roundcast", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Send a stream.
    Broadcast(Box<Broadcast>),
    /// Watch a stream, pass it on, and sponsor a relay if you like.
    Watch(Box<Watch>),
    /// Buy and list vouchers.
    Wallet(Wallet),
    /// Explain an invite, a relay's evidence or a release, offline.
    Verify(Verify),
    /// Check the configuration file.
    Config(ConfigVerb),
}

/// What broadcast and watch share.
#[derive(Debug, Args)]
pub struct Common {
    /// Tell events as JSON lines on standard output.
    #[arg(long)]
    pub json: bool,
    /// How others see you.
    #[arg(long)]
    pub name: Option<String>,
    /// Where to listen for others, IP:PORT; port 0 takes a free one.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Where your own page listens; loopback only.
    #[arg(long)]
    pub page: Option<SocketAddr>,
    /// No page.
    #[arg(long, conflicts_with = "page")]
    pub no_page: bool,
    /// Where state is kept, instead of the XDG folders.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// The configuration file, instead of the XDG one.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// One event per chunk (for tests and comparisons).
    #[arg(long, requires = "json")]
    pub trace_chunks: bool,
    /// The newest release.json that you know of: what it revokes is refused
    /// from the start.
    #[arg(long, value_name = "FILE")]
    pub release: Option<PathBuf>,
    /// Which developers and assurances to believe.
    #[command(flatten)]
    pub trust: TrustOptions,
}

/// `roundcast broadcast`.
#[derive(Debug, Args)]
pub struct Broadcast {
    /// Fragmented MP4 from a file, or `-` for standard input (then what you
    /// type is read from the terminal). Say it again for each smaller rendition
    /// of the same, the best first; then all are files, four at most.
    #[arg(long, required = true)]
    pub input: Vec<PathBuf>,
    /// What becomes of viewers for whom there is no upload: `refuse` them, or
    /// `degrade` free riders to a smaller rendition first.
    #[arg(long, value_enum, default_value_t = WhenFull::Refuse)]
    pub when_full: WhenFull,
    /// Begin the file again at its end; the stream stays continuous.
    #[arg(long)]
    pub r#loop: bool,
    /// Send any bytes, not only MP4.
    #[arg(long, conflicts_with = "loop")]
    pub raw: bool,
    /// What you can upload, in Mbit/s.
    #[arg(long)]
    pub upload_mbps: Option<f64>,
    /// The stream's rate in Mbit/s; read off the file or measured if left out.
    /// A raw file is sent at this rate.
    #[arg(long)]
    pub stream_mbps: Option<f64>,
    /// How the stream is cut into trees, K+M: each carries a K-th of it, and
    /// any K of K+M are enough to watch. A node that goes takes at most M of a
    /// viewer's trees along where uploads suffice.
    #[arg(long, value_name = "K+M", default_value_t = Stripes::USUAL)]
    pub stripes: Stripes,
    /// No trees, for a small audience: viewers pull all of the stream from each
    /// other and from you, and nobody is asked for a relay.
    #[arg(long)]
    pub mesh: bool,
    /// How long a viewer may think about an ask.
    #[arg(long)]
    pub ask_deadline_ms: Option<u64>,
    /// The shortest time between two asks to the same viewer.
    #[arg(long)]
    pub ask_interval_ms: Option<u64>,
    /// How much of the stream is kept for those who fell behind.
    #[arg(long)]
    pub kept_ms: Option<u64>,
    /// Write what was published to this file, too.
    #[arg(long)]
    pub keep: Option<PathBuf>,
    /// Take up the run that was cut short, with its invite and its viewers; a
    /// file goes on where it stopped. Without this a new run begins.
    #[arg(long)]
    pub resume: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// What becomes of viewers for whom there is no upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhenFull {
    /// They get a smaller rendition, as long as there is a place for it.
    Degrade,
    /// They are refused.
    Refuse,
}

/// Whether to be asked for a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SponsorMode {
    /// Ask me.
    Ask,
    /// Never ask me.
    Never,
    /// Accept up to `--max-price`.
    Auto,
}

/// `roundcast watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The invite.
    pub invite: String,
    /// What you give to others, in Mbit/s.
    #[arg(long)]
    pub share_mbps: Option<f64>,
    /// Link to the station and relays only: no viewer sees your address.
    #[arg(long)]
    pub relay_only: bool,
    /// Whether to be asked for a round.
    #[arg(long, value_enum)]
    pub sponsor: Option<SponsorMode>,
    /// The most that `auto` may spend on one round, in minor units.
    #[arg(long)]
    pub max_price: Option<u64>,
    /// Your desk's URI; it pins the desk's key.
    #[arg(long)]
    pub desk: Option<String>,
    /// How much of the stream is kept, to be caught up with after a pause.
    #[arg(long)]
    pub kept_ms: Option<u64>,
    /// Play live: do without what has not come so long after it was published.
    /// Without this the whole stream is waited for as long as others keep it, as
    /// a recording needs it.
    #[arg(long, value_name = "MS")]
    pub live_delay_ms: Option<u64>,
    /// Save the evidence of each relay that was verified into this folder,
    /// for `roundcast verify`.
    #[arg(long, value_name = "DIR")]
    pub save_evidence: Option<PathBuf>,
    /// Write the stream to a file, or `-` for standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `roundcast wallet`.
#[derive(Debug, Args)]
pub struct Wallet {
    /// What to do.
    #[command(subcommand)]
    pub verb: WalletVerb,
}

/// The wallet's commands.
#[derive(Debug, Subcommand)]
pub enum WalletVerb {
    /// Buy a voucher with an operator's purchase code.
    Buy {
        /// The desk's URI.
        #[arg(long)]
        desk: String,
        /// The purchase code.
        #[arg(long)]
        code: String,
        /// The class, if the desk sells several.
        #[arg(long)]
        class: Option<String>,
        /// Where the wallet is, instead of the XDG folder.
        #[arg(long)]
        data: Option<PathBuf>,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// List the vouchers and their states.
    List {
        /// Where the wallet is, instead of the XDG folder.
        #[arg(long)]
        data: Option<PathBuf>,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// `roundcast verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// An invite, a relay's certificate (DER file) or evidence (as `watch
    /// --save-evidence` or the page saved it, or CMW), a platform's document
    /// (CBOR file), a saved quote of a cloud's instance (JSON file), or a
    /// release folder.
    pub what: String,
    /// Judge a saved certificate or evidence at its own time, not now.
    #[arg(long)]
    pub archived: bool,
    /// The release.json that a platform's document or a saved quote is
    /// compared with.
    #[arg(long, value_name = "FILE")]
    pub release: Option<PathBuf>,
    /// Where a viewer keeps what it has learnt of revoked releases, instead
    /// of the XDG folder.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The nonce that a platform's document was asked for with, in
    /// hexadecimal digits: judge it now; else it is judged at its own time.
    #[arg(long, value_name = "HEX", conflicts_with = "archived")]
    pub nonce: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
    /// Which developers and assurances to believe.
    #[command(flatten)]
    pub trust: TrustOptions,
}

/// `roundcast config`.
#[derive(Debug, Args)]
pub struct ConfigVerb {
    /// What to do.
    #[command(subcommand)]
    pub verb: ConfigAction,
}

/// The configuration's commands.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Read the file, name what is wrong with it, and say which file it was.
    Check {
        /// The file, instead of the XDG one.
        #[arg(long)]
        config: Option<PathBuf>,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const PAGE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Common {
    /// `unnamed` is who tells no name.
    fn resolve(self, file: &File, unnamed: &str) -> Result<crate::viewer::Shared, Error> {
        let data = crate::config::data_dir(self.data)?;
        let newest = self.release.as_deref();
        let now = crate::wallet::now();
        Ok(viewer::Shared {
            audience: self.json.into(),
            name: self
                .name
                .or_else(|| file.name.clone())
                .unwrap_or_else(|| unnamed.into()),
            listen: self.listen.or(file.listen).unwrap_or(ANY),
            page: (!self.no_page).then(|| self.page.or(file.page).unwrap_or(PAGE)),
            trace_chunks: self.trace_chunks,
            trust: self.trust.resolve_learning(&data, newest, now)?,
            data,
        })
    }
}

pub(crate) fn bps(mbps: f64, what: &'static str) -> Result<u64, Error> {
    let bps = mbps * 1e6;
    if bps.is_finite() && (0.0..=1e12).contains(&bps) {
        // In range and finite, so the conversion is exact enough.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(bps as u64)
    } else {
        Err(Error::Usage(what))
    }
}

impl Broadcast {
    /// With the configuration file's values where the command line is silent.
    ///
    /// # Errors
    /// The configuration file or an option is wrong.
    pub fn resolve(self) -> Result<station::Options, Error> {
        let file = File::load(self.common.config.as_ref())?;
        let upload = self.upload_mbps.or(file.upload_mbps).ok_or(Error::Usage(
            "say what you can upload: --upload-mbps N (measure it, and give about 80% of it)",
        ))?;
        let stream_bps = self
            .stream_mbps
            .map(|m| bps(m, "--stream-mbps must be a rate in Mbit/s"))
            .transpose()?;
        let (best, smaller) = self.inputs()?;
        let is_stdin = best.as_os_str() == "-";
        if is_stdin && self.r#loop {
            return Err(Error::Usage(
                "--loop needs a file: standard input cannot be read again",
            ));
        }
        if self.raw && !is_stdin && stream_bps.is_none() {
            return Err(Error::Usage(
                "a raw file has no clock of its own: say how fast to send it, --stream-mbps N",
            ));
        }
        let input = if is_stdin {
            station::Input::Stdin
        } else {
            station::Input::File(best)
        };
        Ok(station::Options {
            input,
            smaller,
            when_full: match self.when_full {
                WhenFull::Degrade => station::WhenFull::Degrade,
                WhenFull::Refuse => station::WhenFull::Refuse,
            },
            looped: self.r#loop,
            raw: self.raw,
            upload_bps: bps(upload, "--upload-mbps must be a rate in Mbit/s")?,
            stream_bps,
            ask_deadline_ms: self.ask_deadline_ms.unwrap_or(20_000),
            ask_interval_ms: self.ask_interval_ms.unwrap_or(120_000),
            kept_ms: self.kept_ms.unwrap_or(KEPT_MS),
            keep: self.keep,
            resume: self.resume,
            membership_ms: station::MEMBERSHIP_MS,
            run_ms: station::RUN_MS,
            stripes: self.stripes,
            mesh: self.mesh,
            receipts: ReceiptCheck::default(),
            saving: crate::station::SavingCheck::default(),
            judging: crate::station::Judging::default(),
            shared: self.common.resolve(&file, "station")?,
        })
    }
}

/// Renditions of one broadcast: more than an encoder's ladder has as a rule.
const INPUTS_MAX: usize = 4;

impl Broadcast {
    /// The best input and the smaller ones, if they can be broadcast together.
    fn inputs(&self) -> Result<(PathBuf, Vec<PathBuf>), Error> {
        let usage = |text| Err(Error::Usage(text));
        let Some((best, smaller)) = self.input.split_first() else {
            return usage("say what to broadcast: --input FILE");
        };
        if smaller.is_empty() {
            return match self.when_full {
                WhenFull::Degrade => usage(
                    "--when-full degrade needs a smaller rendition: say --input again, the best first",
                ),
                WhenFull::Refuse => Ok((best.clone(), Vec::new())),
            };
        }
        if self.input.len() > INPUTS_MAX {
            return usage("--input can be said four times at most");
        }
        if self.raw || self.input.iter().any(|path| path.as_os_str() == "-") {
            return usage(
                "several inputs are files of fragmented MP4: no --raw, no standard input",
            );
        }
        if self.mesh || self.resume {
            return usage("several inputs go with neither --mesh nor --resume yet");
        }
        Ok((best.clone(), smaller.to_vec()))
    }
}

/// The kept window without an option.
const KEPT_MS: u64 = 10_000;

impl Watch {
    /// With the configuration file's values where the command line is silent.
    ///
    /// # Errors
    /// The invite, the configuration file or an option is wrong.
    pub fn resolve(self) -> Result<viewer::Options, Error> {
        let file = File::load(self.common.config.as_ref())?;
        let share = self.share_mbps.or(file.share_mbps).unwrap_or(0.0);
        let mode = self.sponsor.or(file.sponsor.map(Into::into));
        let mode = match (mode.unwrap_or(SponsorMode::Ask), self.max_price) {
            (SponsorMode::Ask, _) => sponsor::Mode::Ask,
            (SponsorMode::Never, _) => sponsor::Mode::Never,
            (SponsorMode::Auto, Some(max)) => sponsor::Mode::Auto {
                price_minor_max: max,
            },
            (SponsorMode::Auto, None) => {
                return Err(Error::Usage("--sponsor auto needs --max-price MINOR"));
            }
        };
        let media_on_stdout = self.out.as_deref() == Some(std::path::Path::new("-"));
        if media_on_stdout && self.common.json {
            return Err(Error::Usage(
                "--out - and --json both want standard output: leave one of them out",
            ));
        }
        let desk = self.desk.or_else(|| file.desk.clone());
        let desk = desk
            .map(|uri| uri.parse::<voucher::DeskUri>())
            .transpose()?;
        Ok(viewer::Options {
            invite: wire::invite::Invite::parse(&self.invite)?,
            share_bps: bps(share, "--share-mbps must be a rate in Mbit/s")?,
            kept_ms: self.kept_ms.unwrap_or(KEPT_MS),
            live_delay_ms: self.live_delay_ms,
            relay_only: self.relay_only || file.relay_only.unwrap_or(false),
            mode,
            desk,
            save_evidence: self.save_evidence,
            out: self.out,
            controls: viewer::Controls::default(),
            shared: self.common.resolve(&file, "viewer")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use wire::StreamId;
    use wire::invite::{AudienceSecret, Invite};

    #[test]
    fn who_tells_no_name_is_called_by_what_he_does() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        std::fs::write(&config, "").unwrap();
        let invite = Invite {
            stream: StreamId([1; 32]),
            secret: AudienceSecret::new([2; 32]),
            addresses: vec!["127.0.0.1:1".parse().unwrap()],
        };
        let invite = invite.to_uri();
        let parsed = |words: &[&str]| {
            let places = ["--config", config.to_str().unwrap(), "--data"];
            let place = folder.path().to_str().unwrap();
            let line = ["roundcast"].iter().chain(words).chain(&places);
            Cli::try_parse_from(line.chain(&[place])).unwrap().verb
        };
        let Verb::Broadcast(station) = parsed(&["broadcast", "--input", "-", "--upload-mbps", "1"])
        else {
            panic!("another verb")
        };
        assert_eq!(station.resolve().unwrap().shared.name, "station");
        let Verb::Watch(viewer) = parsed(&["watch", invite.as_str()]) else {
            panic!("another verb")
        };
        assert_eq!(viewer.resolve().unwrap().shared.name, "viewer");
    }
}
