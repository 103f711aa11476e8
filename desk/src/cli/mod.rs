//! The command line of `roundcast-desk`.

mod codes;
mod config;

use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::event::{Events, Stdout};
use crate::guard;
use crate::serve::{ProviderKind, Settings, run};
use clap::{Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Sells relay-hours blindly and starts relays for them.
#[derive(Debug, Parser)]
#[command(name = "roundcast-desk", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a shop and a desk in one process.
    ///
    /// Who runs both can link a purchase to a redemption by its time and the
    /// client's address; vouchers hide buyers from the two apart.
    Serve(ServeArgs),
    /// Make and list purchase codes.
    #[command(subcommand)]
    Codes(CodesCommand),
    /// List the classes for sale, with their prices.
    Classes(ClassesArgs),
    /// Check the configuration file.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Keep the programs of one machine from outliving the desk that started
    /// this one.
    #[command(hide = true)]
    Guard,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProviderName {
    /// Processes of this machine: for development.
    Local,
    /// Measured boots of the image in emulated machines of this one.
    Qemu,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// Who runs the relays.
    #[arg(long)]
    provider: ProviderName,
    /// The folder of keys and ledger; made if it is missing.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// The release: `release.json` beside `roundcast-relay` (local), or beside
    /// `disk.img` and `OVMF_VARS.fd` (qemu).
    #[arg(long, value_name = "DIR")]
    release: PathBuf,
    /// The developer's root: the release's signatures are checked before the
    /// start (local). Without it, only its form, its dates and its program are.
    #[arg(long, value_name = "FILE")]
    trust_root: Option<PathBuf>,
    /// The configuration, TOML, instead of the XDG one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Addresses for the relays, taken in turn; instead of the configuration's.
    #[arg(long, value_name = "ADDR")]
    relay_address: Vec<std::net::IpAddr>,
    /// This desk's name in its events.
    #[arg(long, default_value = "desk")]
    name: String,
    /// Events as JSON, one object per line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum CodesCommand {
    /// Make purchase codes.
    Make(codes::MakeArgs),
}

#[derive(Debug, clap::Args)]
struct ClassesArgs {
    /// The configuration, TOML, instead of the XDG one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Cli {
    /// Does what the command line says; 0 done, 1 failure, 2 usage or a bad
    /// configuration (clap's own code for usage).
    #[must_use]
    pub fn main(self) -> ExitCode {
        match self.dispatch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(
                    std::io::stderr(),
                    "roundcast-desk: {}: {error}",
                    error.reason()
                );
                ExitCode::from(error.exit_code())
            }
        }
    }

    fn dispatch(self) -> Result<(), Error> {
        match self.command {
            Command::Serve(args) => serve(args),
            Command::Codes(CodesCommand::Make(args)) => codes::make(&args),
            Command::Classes(args) => classes(&args),
            Command::Config(command) => config::run(&command),
            Command::Guard => guard::main(),
        }
    }
}

fn serve(args: ServeArgs) -> Result<(), Error> {
    let provider = match args.provider {
        ProviderName::Local => ProviderKind::Local,
        ProviderName::Qemu => ProviderKind::Qemu,
    };
    let mut config = Config::load(args.config.as_deref())?;
    if !args.relay_address.is_empty() {
        config.qemu.relay_addresses = args.relay_address.clone();
        config.local.relay_addresses = args.relay_address;
    }
    let settings = Settings {
        config,
        data: args.data,
        provider,
        release: args.release,
        trust_root: args.trust_root,
        listen: args.listen,
    };
    let events: Arc<dyn Events> = Arc::new(Stdout::new(args.name, args.json));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::file("start the runtime in", Path::new(".")))?;
    runtime.block_on(async { run(settings, events, interrupted()).await })
}

/// Done at SIGINT, SIGTERM or the line `quit` on standard input.
async fn interrupted() {
    tokio::select! {
        () = signalled() => {}
        () = told_to_quit() => {}
    }
}

/// Done at the line `quit`; never if standard input ends without it, as a
/// service's does.
async fn told_to_quit() {
    let (tell, told) = tokio::sync::oneshot::channel();
    // A terminal's input cannot be cancelled: it is read on its own thread.
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(Result::ok);
        if lines.any(|line| line.trim() == "quit") {
            let _ = tell.send(());
        }
    });
    if told.await.is_err() {
        std::future::pending().await
    }
}

/// Done at SIGINT or SIGTERM; never if they cannot be heard.
async fn signalled() {
    let heard = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    match heard {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

fn classes(args: &ClassesArgs) -> Result<(), Error> {
    let classes = Config::load(args.config.as_deref())?.classes(clock::now()?)?;
    if args.json {
        let rows: Vec<_> = classes
            .iter()
            .map(|(class, price)| serde_json::json!({ "class": class, "price": price }))
            .collect();
        let document = serde_json::json!({ "schema": "roundcast.classes/1", "classes": rows });
        return say(&document.to_string());
    }
    classes
        .iter()
        .try_for_each(|(class, price)| say(&format!("{class}  {price}")))
}

fn say(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{line}").map_err(Error::file("write to", Path::new("stdout")))
}
