//! Serves the page with sample data and a clip that plays in a loop, to work
//! on the page without a stream: `cargo run -p page --example sample [CLIP]`.
//! The sample holds hostile names on purpose. Replies are printed.

mod clip;
mod view;

use std::{error::Error, path::PathBuf, time::Duration};

use page::{Config, Feed, Reply, Running, Server};
use tokio::time::{MissedTickBehavior, interval, sleep};

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/media/clip.mp4");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or(CLIP.into(), PathBuf::from);
    let clip = clip::Clip::parse(std::fs::read(&path)?.into())?;
    let feed = Feed::new();
    feed.push_init(clip.mime.clone(), clip.init.clone())?;
    let mut running = Server::start(Config::default(), feed.clone()).await?;
    println!("{}", running.link().reveal());
    println!("{}", running.live_link().reveal());
    let mut answers = running.answers().ok_or("the replies were taken")?;
    tokio::spawn(play(feed, clip));
    let mut sample = view::Sample::default();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = second.tick() => show(&running, &sample)?,
            Some(reply) = answers.recv() => {
                println!("{reply:?}");
                match reply {
                    Reply::Answer(answer) => sample.answered(answer.answer),
                    Reply::Stop(_) => sample.stopped(),
                }
            }
        }
    }
}

fn show(running: &Running, sample: &view::Sample) -> Result<(), page::Error> {
    running.set_view(sample.view())
}

/// Plays the clip again and again. Its times begin anew each time, as those of
/// a publisher who comes back.
async fn play(feed: Feed, clip: clip::Clip) -> Result<(), page::Error> {
    loop {
        let mut at_us = 0;
        for fragment in &clip.fragments {
            feed.push_fragment(fragment.bytes.clone(), fragment.keyframe, at_us)?;
            sleep(Duration::from_micros(fragment.duration_us)).await;
            at_us += fragment.duration_us;
        }
    }
}
