//! The relay bench: the real relay program with every check on, beside a bare
//! QUIC fan-out with the same sockets, transport and TLS, or beside moq-relay,
//! in turns.
//!
//! This process is desk, holder, coordinator and parent of the relay. The
//! children live in a process of their own. The contender has one core for
//! itself; everything else shares the others.

mod arguments;
mod bare;
mod children;
mod cores;
mod error;
mod moq;
mod parent;
mod part;
mod plan;
pub mod priority;
mod relay;
mod report;
mod round;
mod stream;
mod usage;

pub use arguments::Arguments;
pub use error::Error;

use arguments::Part;
use cores::Cores;
use moq::Programs;
use plan::{Plan, Point};
use report::Report;
use round::Round;
use std::process::ExitCode;

/// Runs the part of the bench that the arguments name.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    finish("relay-bench", runtime, part(arguments))
}

/// Runs a bench to its end; false is a failure that was told already.
fn finish(
    name: &str,
    runtime: std::io::Result<tokio::runtime::Runtime>,
    bench: impl Future<Output = Result<bool, Error>>,
) -> ExitCode {
    let outcome = runtime.map_err(Error::Start).and_then(|runtime| {
        let outcome = runtime.block_on(bench);
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn part(arguments: &Arguments) -> Result<bool, Error> {
    match &arguments.part {
        None => bench(arguments).await,
        Some(Part::Children) => children::serve().await.map(|()| true),
        Some(Part::Bare { parent }) => bare::serve(parent).await.map(|()| true),
    }
}

/// The whole bench; false if data were lost.
async fn bench(arguments: &Arguments) -> Result<bool, Error> {
    let cores = Cores::split()?;
    cores.take_load()?;
    let plan = Plan::new(arguments);
    let relay = arguments.relay()?;
    let moq = arguments.moq().map(Programs::find).transpose()?;
    let mut report = Report::new(plan.against, arguments.commit.as_deref(), &relay)?;
    for point in &plan.points {
        report.add(measure(&plan, *point, (&relay, moq.as_ref()), &cores).await?);
    }
    println!("{}", report.json());
    Ok(report.complete())
}

async fn measure(
    plan: &Plan,
    point: Point,
    (relay, moq): (&std::path::Path, Option<&Programs>),
    cores: &Cores,
) -> Result<report::Measured, Error> {
    let mut measured = report::Measured::new(point);
    for _ in 0..plan.rounds {
        for contender in plan.against.contenders() {
            let round = Round {
                point: contender.point(point),
                contender: *contender,
                warm_up: plan.warm_up,
                window: plan.window,
                relay,
                moq,
                cores,
            };
            let figures = round.run().await?;
            eprintln!("{point}: {contender}: {figures}");
            measured.add(*contender, figures);
        }
    }
    Ok(measured)
}
