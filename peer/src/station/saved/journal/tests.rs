#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::station::keys::{ChunkKey, Keys, RUN_MS};
use certs::seal::Publisher;
use wire::statement::ChunkFlags;
use wire::{Rendition, Sequence, Stripes};

const NOW: UnixMs = UnixMs(1_800_000_000_000);
const KEPT_MS: u64 = 1_000;

struct Scene {
    folder: tempfile::TempDir,
    keys: Keys,
    publisher: Publisher,
    published: u64,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stripes = Stripes::new(4, 1).unwrap();
        let made = Keys::make(folder.path(), "S", NOW, RUN_MS, stripes);
        let (keys, ChunkKey(key)) = made.unwrap();
        let (run, secret) = (&keys.run, &keys.epoch_secret);
        let publisher = Publisher::new(key, run, keys.epoch, secret, Rendition(0));
        Self {
            publisher: publisher.unwrap(),
            folder,
            keys,
            published: 0,
        }
    }

    fn init(&mut self) -> SealedChunk {
        let flags = ChunkFlags {
            init: true,
            ..ChunkFlags::default()
        };
        self.publisher.publish(b"init", 0, 0, NOW, flags).unwrap()
    }

    /// A chunk every 200 ms.
    fn media(&mut self) -> SealedChunk {
        self.published += 1;
        let at = NOW.plus_ms(self.published * 200);
        let flags = ChunkFlags::default();
        let chunk = self.publisher.publish(&[7; 9_000], 0, 200_000, at, flags);
        chunk.unwrap()
    }

    fn read(&self) -> Result<Published, Error> {
        let key = self.keys.keyring.chunk.key();
        read(self.folder.path(), &self.keys.run, &key)
    }

    fn path(&self, number: usize) -> PathBuf {
        paths(self.folder.path())[number].clone()
    }
}

fn sequences(published: &Published) -> Vec<u64> {
    let media = published.chunks.iter().filter(|c| !c.header.flags.init);
    media.map(|c| c.header.sequence.0).collect()
}

#[test]
fn what_was_published_last_is_read_back_and_the_files_stay_small() {
    let mut scene = Scene::new();
    let mut journal = Journal::begin(scene.folder.path(), KEPT_MS).unwrap();
    let init = scene.init();
    journal.append(&init).unwrap();
    for n in 0..40u64 {
        let chunk = scene.media();
        journal.append(&chunk).unwrap();
        let read = scene.read().unwrap();
        let held = sequences(&read);
        assert_eq!(*held.last().unwrap(), n);
        assert!(held.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let span = held.len() as u64;
        assert!(n < 5 || span >= KEPT_MS / 200, "{span} chunks of {n}");
        assert!(span <= 2 * KEPT_MS / 200 + 2, "{span} chunks");
        assert_eq!(read.chunks[0].header.digest(), init.header.digest());
        assert_eq!(read.heads.media.unwrap().header, chunk.header.digest());
        assert_eq!(read.last().unwrap().blocks, chunk.blocks);
    }
}

#[test]
fn a_record_that_was_cut_short_never_left_and_is_none() {
    let mut scene = Scene::new();
    let mut journal = Journal::begin(scene.folder.path(), KEPT_MS).unwrap();
    journal.append(&scene.init()).unwrap();
    journal.append(&scene.media()).unwrap();
    let whole = std::fs::read(scene.path(0)).unwrap();
    journal.append(&scene.media()).unwrap();
    let longer = std::fs::read(scene.path(0)).unwrap();
    let lens = (whole.len()..longer.len()).step_by(401);
    for len in lens.chain([whole.len() + 1, longer.len() - 1]) {
        std::fs::write(scene.path(0), &longer[..len]).unwrap();
        assert_eq!(sequences(&scene.read().unwrap()), [0], "{len}");
    }
}

#[test]
fn any_other_damage_is_an_error() {
    let mut scene = Scene::new();
    let mut journal = Journal::begin(scene.folder.path(), KEPT_MS).unwrap();
    journal.append(&scene.init()).unwrap();
    for _ in 0..8 {
        journal.append(&scene.media()).unwrap();
    }
    for number in [0, 1] {
        let whole = std::fs::read(scene.path(number)).unwrap();
        for at in (4..whole.len()).step_by(9_973) {
            let mut wrong = whole.clone();
            wrong[at] ^= 1;
            std::fs::write(scene.path(number), &wrong).unwrap();
            let refusal = scene.read().err().map(|e| e.reason());
            assert_eq!(refusal.as_deref(), Some("run_damaged"), "{number} {at}");
        }
        let endless = [&whole[..], &u32::MAX.to_be_bytes()].concat();
        std::fs::write(scene.path(number), endless).unwrap();
        assert_eq!(scene.read().err().unwrap().reason(), "run_damaged");
        std::fs::write(scene.path(number), &whole).unwrap();
    }
    assert_eq!(sequences(&scene.read().unwrap()).last(), Some(&7));
}

#[test]
fn the_next_life_keeps_what_the_last_one_published() {
    let mut scene = Scene::new();
    let mut journal = Journal::begin(scene.folder.path(), KEPT_MS).unwrap();
    journal.append(&scene.init()).unwrap();
    for _ in 0..9 {
        journal.append(&scene.media()).unwrap();
    }
    let first = scene.read().unwrap();
    let mut next = Journal::go_on(scene.folder.path(), KEPT_MS, &first).unwrap();
    let read = scene.read().unwrap();
    assert_eq!(sequences(&read), sequences(&first));
    next.append(&scene.media()).unwrap();
    let read = scene.read().unwrap();
    assert_eq!(read.heads.media.unwrap().sequence, Sequence(9));
    assert_eq!(read.heads.init, first.heads.init);
}
