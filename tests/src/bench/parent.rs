//! The contender's parent: every block leaves at its planned time.

use super::Error;
use super::plan::{GROUP_CHUNKS, Point, Window};
use super::usage::mono_us;
use certs::seal::{OVERHEAD_BYTES, Publisher, SealedChunk};
use link::{Clock, Link};
use std::time::Duration;
use tokio::sync::mpsc;
use wire::codec::{Blob, put_varint};
use wire::limits::BLOCK_BYTES_MAX;
use wire::message::StreamKind;
use wire::message::group::{Block, GroupStart, Record};
use wire::statement::ChunkFlags;
use wire::{Encode, Rendition, Sequence};

/// Ticks that may wait while a write does.
const TICKS_MAX: usize = 1_024;

/// When which block leaves, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) start_us: u64,
    pub(super) end_us: u64,
    pub(super) point: Point,
}

impl Schedule {
    fn at_us(&self, block: u64) -> u64 {
        let after = block.saturating_mul(self.point.block_us());
        self.start_us.saturating_add(after)
    }

    /// Blocks that are planned within the window.
    pub(super) fn count(&self, window: Window) -> u64 {
        let inside = |n: &u64| self.at_us(*n) >= window.from_us;
        let blocks = (0..).take_while(|n| self.at_us(*n) < window.until_us.min(self.end_us));
        u64::try_from(blocks.filter(inside).count()).unwrap_or(u64::MAX)
    }

    /// The blocks' numbers, each at its time: the runtime's own timers are
    /// too coarse for latencies of single milliseconds.
    fn ticks(self) -> mpsc::Receiver<u64> {
        let (sender, ticks) = mpsc::channel(TICKS_MAX);
        std::thread::spawn(move || {
            for block in (0..).take_while(|n| self.at_us(*n) < self.end_us) {
                let left = self.at_us(block).saturating_sub(mono_us());
                std::thread::sleep(Duration::from_micros(left));
                if sender.blocking_send(block).is_err() {
                    return;
                }
            }
        });
        ticks
    }
}

/// What the blocks are made of.
pub(super) enum Source {
    /// Signed chunks, for the relay.
    Signed(Box<Signed>),
    /// Bytes that begin with their planned time, for the bare fan-out.
    Plain,
}

/// The chunk that is being sent.
pub(super) struct Signed {
    publisher: Publisher,
    /// Until it is sent.
    init: Option<SealedChunk>,
    chunk: Option<SealedChunk>,
}

impl Source {
    pub(super) fn signed(publisher: Publisher) -> Self {
        Self::Signed(Box::new(Signed {
            publisher,
            init: None,
            chunk: None,
        }))
    }
}

/// Sends the whole schedule over `link`, in groups.
pub(super) async fn feed(link: Link, schedule: Schedule, mut source: Source) -> Result<(), Error> {
    let chunk_blocks = schedule.point.chunk_blocks();
    let group_blocks = chunk_blocks.saturating_mul(GROUP_CHUNKS);
    source.prepare(&schedule, 0)?;
    let mut ticks = schedule.ticks();
    let mut group = None;
    while let Some(number) = ticks.recv().await {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES_MAX + 1_024);
        if number.is_multiple_of(group_blocks) {
            let fresh = link.connection.open_uni().await;
            group = Some(fresh.map_err(link::Error::from)?);
            source.begin_group(number / chunk_blocks, &mut bytes)?;
        }
        source.block(&schedule, number, &mut bytes)?;
        if let Some(group) = &mut group {
            group.write_all(&bytes).await.map_err(link::Error::from)?;
        }
        let next = number.saturating_add(1);
        if next.is_multiple_of(chunk_blocks) {
            source.prepare(&schedule, next)?;
        }
    }
    // A dropped stream would be reset before its last bytes are there.
    if let Some(mut group) = group {
        let _ = group.finish();
        let _ = tokio::time::timeout(Duration::from_secs(1), group.stopped()).await;
    }
    Ok(())
}

impl Source {
    /// Makes the chunk that begins with block `first`, before its time.
    fn prepare(&mut self, schedule: &Schedule, first: u64) -> Result<(), Error> {
        let Self::Signed(signed) = self else {
            return Ok(());
        };
        let blocks = schedule.point.chunk_blocks();
        let data_blocks = usize::try_from(schedule.point.chunk_data_blocks()).unwrap_or(1);
        let len = data_blocks * BLOCK_BYTES_MAX - OVERHEAD_BYTES;
        let flags = ChunkFlags {
            key: (first / blocks).is_multiple_of(GROUP_CHUNKS),
            ..ChunkFlags::default()
        };
        let now = Clock::new().unix();
        if first == 0 {
            let init = ChunkFlags {
                init: true,
                ..ChunkFlags::default()
            };
            signed.init = Some(signed.publisher.publish(b"init", 0, 0, now, init)?);
        }
        signed.chunk = Some(signed.publisher.publish(
            &vec![0x5a; len],
            schedule.at_us(first),
            blocks.saturating_mul(schedule.point.block_us()),
            now,
            flags,
        )?);
        Ok(())
    }

    fn begin_group(&mut self, first: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let Self::Signed(signed) = self else {
            return Ok(());
        };
        out.extend_from_slice(&StreamKind::Group.to_bytes());
        GroupStart {
            rendition: Rendition(0),
            first: Sequence(first),
        }
        .encode(out);
        if let Some(init) = signed.init.take() {
            put_header(&init, out);
            for index in 0..u16::try_from(init.blocks.len()).unwrap_or(u16::MAX) {
                put_block(&init, index, out)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, schedule: &Schedule, number: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Plain => {
                let end = out.len().saturating_add(BLOCK_BYTES_MAX);
                out.extend_from_slice(&schedule.at_us(number).to_be_bytes());
                out.resize(end, 0x5a);
                Ok(())
            }
            Self::Signed(signed) => {
                let index = number.checked_rem(schedule.point.chunk_blocks());
                let index = index.and_then(|index| u16::try_from(index).ok());
                let chunk = signed.chunk.as_ref().zip(index);
                let (chunk, index) = chunk.ok_or(Error::Answer("publish a chunk"))?;
                if index == 0 {
                    put_header(chunk, out);
                }
                put_block(chunk, index, out)
            }
        }
    }
}

fn put_record(record: &Record, out: &mut Vec<u8>) {
    let body = record.to_bytes();
    put_varint(out, body.len() as u64);
    out.extend_from_slice(&body);
}

fn put_header(chunk: &SealedChunk, out: &mut Vec<u8>) {
    put_record(&Record::Header(chunk.signed.clone()), out);
}

fn put_block(chunk: &SealedChunk, index: u16, out: &mut Vec<u8>) -> Result<(), Error> {
    let place = usize::from(index);
    let block = chunk.blocks.get(place).zip(chunk.paths.get(place));
    let (data, path) = block.ok_or(Error::Answer("publish a chunk"))?;
    let block = Block {
        chunk: chunk.header.key(),
        index,
        path: path.clone(),
        data: Blob::new(data.clone())?,
    };
    put_record(&Record::Block(block), out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_the_blocks_planned_in_it() {
        let point = Point {
            children: 1,
            stream_bps: 16_384 * 8,
            stripes: wire::Stripes::SINGLE,
        };
        let schedule = Schedule {
            start_us: 1_000_000,
            end_us: 60_000_000,
            point,
        };
        let window = Window {
            from_us: 2_000_000,
            until_us: 5_000_000,
        };
        assert_eq!(schedule.count(window), 3);
    }
}
