//! The smaller renditions: each with its own input, chain of headers and init
//! segment, published beside the best one.

use super::ingest::{self, Ingest, Output};
use super::keys::Keys;
use super::{Input, Options, Parts};
use crate::Error;
use certs::SigningKey;
use certs::seal::Heads;
use link::{Clock, Emitter};
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use wire::Rendition;

/// How long the end of the best rendition waits for that of the others.
const LAST_MS_MAX: u64 = 1_000;

/// Rates of the smaller renditions, the best first, in bit/s.
///
/// # Errors
/// A file cannot be read; [`Error::NoLadder`] if a rate is unknown or not
/// smaller than the one before.
pub(super) fn rates(options: &Options, best_bps: u64) -> Result<Vec<u64>, Error> {
    let mut rates = Vec::with_capacity(options.smaller.len());
    let mut before_bps = best_bps;
    for path in &options.smaller {
        let rate = ingest::file_rate_bps(path)?.filter(|bps| *bps < before_bps);
        before_bps = rate.ok_or_else(|| Error::NoLadder(path.clone()))?;
        rates.push(before_bps);
    }
    Ok(rates)
}

/// Inputs that are published beside the best one.
pub(super) struct Smaller(Vec<(Ingest, Options)>);

impl Smaller {
    /// One ingest for each smaller input.
    pub(super) fn new(
        options: &Options,
        (keys, chunk_key): (&Keys, &SigningKey),
        parts: &mut Parts,
        (clock, emit): (&Clock, &Emitter),
    ) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(options.smaller.len());
        for (path, rendition) in options.smaller.iter().zip(1..) {
            let (epochs, epoch_changes) = mpsc::unbounded_channel();
            parts.epochs.push(epochs);
            let rendition = Rendition(rendition);
            let publisher = super::publisher(chunk_key.clone(), keys, rendition, Heads::default())?;
            let published = watch::channel(None).0;
            let output = Output::new(&parts.node, epoch_changes, published, &parts.events);
            let options = of_file(options, path);
            let ingest = Ingest::new(publisher, output, clock.clone(), emit.clone(), &options)?;
            all.push((ingest, options));
        }
        Ok(Self(all))
    }

    /// Publishes all of them beside `best`, until that ends or one fails. Then
    /// each has its last chunk.
    pub(super) async fn beside(
        &mut self,
        best: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let (over, _) = watch::channel(false);
        let mut running = JoinSet::new();
        for (ingest, options) in std::mem::take(&mut self.0) {
            running.spawn(publish(ingest, options, over.subscribe()));
        }
        tokio::pin!(best);
        let outcome = loop {
            tokio::select! {
                outcome = &mut best => break outcome,
                Some(ended) = running.join_next() => if let Ok(Err(e)) = ended {
                    break Err(e);
                },
            }
        };
        let last = Duration::from_millis(LAST_MS_MAX);
        let all = async { while running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(last, all).await;
        over.send_replace(true);
        while running.join_next().await.is_some() {}
        outcome
    }
}

fn of_file(options: &Options, path: &Path) -> Options {
    Options {
        input: Input::File(path.into()),
        smaller: Vec::new(),
        keep: None,
        ..options.clone()
    }
}

async fn publish(
    mut ingest: Ingest,
    options: Options,
    mut over: watch::Receiver<bool>,
) -> Result<(), Error> {
    let outcome = tokio::select! {
        // A file sets its own pace.
        outcome = ingest.run(&options, 0) => outcome,
        _ = over.wait_for(|over| *over) => Ok(()),
    };
    outcome.and(ingest.finish())
}
