//! `threat-model`: the report for an auditor, one threat explained, one
//! attack run.

use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use threat_model::catalogue::{Catalogue, Threat};
use threat_model::report::{Report, explain, page};
use threat_model::{Control, Failure, Outcome, threats};

/// The threats to Roundcast, the attacks, and what stops them.
#[derive(Debug, Parser)]
#[command(name = "threat-model", version, about)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs every attack with its control and without, and reports.
    Report(Form),
    /// Tells what is known of one threat.
    Explain {
        /// Its identifier, such as D1.
        id: String,
    },
    /// Runs one attack.
    Run {
        /// Its identifier, such as D1.
        id: String,
        /// Without its control.
        #[arg(long)]
        ablate: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Form {
    /// Writes one page to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints JSON on standard output.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Report(form) => report(&form),
        Verb::Explain { id } => threat(&id).and_then(|threat| print(&explain(&threat))),
        Verb::Run { id, ablate } => run(&id, ablate),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("threat-model: {failure}");
            ExitCode::from(1)
        }
    }
}

fn report(form: &Form) -> Result<bool, Failure> {
    let report = Report::make(|entry| {
        if let (Some(reason), Some(damage)) = (&entry.stopped.reason, &entry.ablated.damage) {
            let (stopped, ablated) = (entry.stopped.result, entry.ablated.result);
            eprintln!(
                "{:<4} {stopped}: {reason}; ablated {ablated}: {damage}",
                entry.id
            );
        }
    })?;
    if let Some(path) = &form.html {
        std::fs::write(path, page(&report))?;
    }
    if form.json {
        print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    Ok(report.holds())
}

fn run(id: &str, ablate: bool) -> Result<bool, Failure> {
    let threat = threat(id)?;
    let attack = threats::attack(&threat.id)
        .ok_or_else(|| Failure::Catalogue(format!("{id} is planned: there is no attack yet")))?;
    let control = if ablate {
        Control::Removed
    } else {
        Control::On
    };
    let main = ("", attack.run, threat.reason.as_str());
    let variants = attack.variants.iter();
    let variants = variants.map(|v| (v.name, v.run, v.reason));
    let mut held = true;
    for (name, way, wanted) in std::iter::once(main).chain(variants) {
        let outcome = way(control)?;
        let colon = if name.is_empty() { "" } else { ": " };
        print(&format!("{name}{colon}{outcome}\n"))?;
        held &= match outcome {
            Outcome::Stopped { reason } => !ablate && reason == wanted,
            Outcome::Succeeded { .. } => ablate,
        };
    }
    Ok(held)
}

fn threat(id: &str) -> Result<Threat, Failure> {
    Catalogue::load()?
        .threat(&id.to_uppercase())
        .cloned()
        .ok_or_else(|| Failure::Catalogue(format!("there is no threat {id}")))
}

fn print(text: &str) -> Result<bool, Failure> {
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(true)
}
