//! The publisher: a frame per block, each at its planned time, a group per
//! group of pictures.

use crate::client::{AGE_MAX, BROADCAST, TRACK, client, link};
use crate::clock::left;
use crate::error::Error;
use crate::lines::{Input, Schedule, Stage};
use bytes::{BufMut, Bytes, BytesMut};
use moq_net::{Timestamp, group, track};
use tokio::sync::mpsc;

/// Ticks that may wait while a write does.
const TICKS_MAX: usize = 1_024;

/// The program: links, says `ready`, reads the schedule, sends, says `done`.
pub(crate) async fn serve() -> Result<(), Error> {
    let mut input = Input::new();
    let stage: Stage = input.hear().await?;
    let origin = moq_tokio::origin::spawn();
    let broadcast = origin
        .create_broadcast(BROADCAST)
        .map_err(Error::step("publish"))?;
    let info = track::Info::default().with_max_age(AGE_MAX);
    let track = broadcast
        .create_track(TRACK, info)
        .map_err(Error::step("make the track"))?;
    broadcast
        .announce(Default::default())
        .map_err(Error::step("announce"))?;
    let client = client()?.with_publisher(&origin);
    let _connection = link(&client, &stage.address).await?;
    println!("ready");
    let schedule: Schedule = input.hear().await?;
    send(&track, schedule).await?;
    println!("done");
    input.end().await;
    Ok(())
}

async fn send(track: &track::Producer, schedule: Schedule) -> Result<(), Error> {
    let mut ticks = ticks(schedule);
    let mut current: Option<group::Producer> = None;
    while let Some(number) = ticks.recv().await {
        if number.is_multiple_of(schedule.group_blocks.max(1)) {
            finish(current.take())?;
            let fresh = track.append_group();
            current = Some(fresh.map_err(Error::step("begin a group"))?);
        }
        if let Some(group) = &mut current {
            let written = group.write_frame(Timestamp::now(), block(&schedule, number));
            written.map_err(Error::step("write a frame"))?;
        }
    }
    finish(current)
}

fn finish(group: Option<group::Producer>) -> Result<(), Error> {
    let finished = group.map(|group| group.finish()).transpose();
    finished.map_err(Error::step("end a group")).map(drop)
}

/// A block: its planned time, then filling.
fn block(schedule: &Schedule, number: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(schedule.block_bytes);
    bytes.put_u64(schedule.at_us(number));
    bytes.resize(schedule.block_bytes, 0x5a);
    bytes.freeze()
}

/// The blocks' numbers, each at its time: the runtime's own timers are too
/// coarse for latencies of single milliseconds.
fn ticks(schedule: Schedule) -> mpsc::Receiver<u64> {
    let (sender, ticks) = mpsc::channel(TICKS_MAX);
    std::thread::spawn(move || {
        for number in (0..).take_while(|n| schedule.at_us(*n) < schedule.end_us) {
            std::thread::sleep(left(schedule.at_us(number)));
            if sender.blocking_send(number).is_err() {
                return;
            }
        }
    });
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_with_its_planned_time_and_has_its_length() {
        let schedule = Schedule {
            start_us: 1_000,
            end_us: 9_000,
            block_us: 10,
            block_bytes: 64,
            group_blocks: 5,
        };
        let block = block(&schedule, 3);
        assert_eq!(block.len(), 64);
        assert_eq!(block[..8], 1_030u64.to_be_bytes());
    }
}
