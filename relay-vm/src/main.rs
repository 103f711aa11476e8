//! `roundcast-relay`: forwards blocks under permits, proves what it is, obeys
//! its holder, and ends with the paid time.

use clap::Parser;
use relay_vm::{Error, Options, Platform, SoftwarePlatform, guest, run};
use ring::rand::SystemRandom;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

const _: () = assert!(!certs::ABLATION, "a shipped relay has every control");
const _: () = assert!(!wire::ABLATION, "a shipped relay has every control");

/// A relay, started by a desk that speaks to it on standard input. As the
/// first process of a machine it takes no options.
#[derive(Debug, Parser)]
#[command(name = "roundcast-relay", version, about)]
struct Cli {
    /// Boot by the desk's lines on standard input.
    #[arg(long, required = true)]
    boot_stdio: bool,
    /// Tell events as JSON lines on standard output.
    #[arg(long)]
    json: bool,
    /// Give up all system calls but those that serving needs.
    #[arg(long)]
    confine: bool,
    /// Serve as the process that pid 1 of the image starts: with the
    /// machine's TPM, confined, and beating.
    #[arg(long, hide = true)]
    guest: bool,
}

fn main() -> ExitCode {
    if std::process::id() == guest::INIT_PID {
        guest::run();
    }
    let cli = Cli::parse();
    // A machine's console is for events: warnings name viewers' addresses.
    if !cli.guest {
        tracing_subscriber::fmt()
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_writer(std::io::stderr)
            .with_max_level(tracing::Level::WARN)
            .init();
    }
    match serve(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "roundcast-relay: {e}");
            ExitCode::from(1)
        }
    }
}

fn serve(cli: &Cli) -> Result<(), Error> {
    // Opened before the confinement: afterwards nothing can be.
    let (platform, pulse): (Box<dyn Platform>, _) = if cli.guest {
        (guest::platform()?, Some(guest::Pulse::connect()?))
    } else {
        let platform = SoftwarePlatform::new(&SystemRandom::new())?;
        (Box::new(platform), None)
    };
    // Before the first thread, so that every thread is.
    if cli.confine || cli.guest {
        guest::confine()?;
    }
    // One thread forwards: a shared runtime costs more than it gives.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let outcome = runtime.block_on(run(Options {
        json: cli.json,
        platform,
        pulse,
    }));
    // Standard input is read on a thread that cannot be stopped: it must not
    // keep a relay alive that has ended.
    runtime.shutdown_background();
    outcome
}
