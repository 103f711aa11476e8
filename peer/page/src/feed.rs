//! The media on its way to the players: one shared, bounded store, and a
//! cursor for each player. A player that falls behind the store is moved
//! forward to the latest key frame, so a slow browser costs no memory and
//! never slows another.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    error::Error,
    limits::{BACKLOG_US_MAX, FRAGMENT_BYTES_MAX, INIT_BYTES_MAX, KEPT_BYTES_MAX, MIME_BYTES_MAX},
};

/// The client's end: fragments go in, every player of the page gets them.
/// Clones share one store.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// What a player is handed, in order: an init segment, then fragments from a
/// key frame on. A later init segment starts the picture anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An init segment (`ftyp`, `moov`) and its media type.
    Init {
        /// Such as `video/mp4; codecs="avc1.64001f,mp4a.40.2"`.
        mime: Arc<str>,
        /// The segment.
        bytes: Bytes,
    },
    /// One media fragment (`moof`, `mdat`).
    Fragment {
        /// The fragment.
        bytes: Bytes,
        /// Whether it begins with a key frame.
        keyframe: bool,
    },
}

/// What the feed has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Players that listen now.
    pub players: usize,
    /// Fragments that slow players skipped, in all.
    pub fragments_skipped: u64,
    /// Bytes kept for players that join late.
    pub kept_bytes: usize,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    /// Wakes the listeners; the value carries no meaning.
    pushed: watch::Sender<()>,
    players: AtomicUsize,
    skipped: AtomicU64,
}

#[derive(Debug, Default)]
struct Store {
    init: Option<(Arc<str>, Bytes)>,
    /// Counts the starts of the picture; 0 before the first.
    generation: u64,
    fragments: VecDeque<Fragment>,
    /// Sequence number of the first fragment kept.
    first: u64,
    /// Sequence number of the latest key frame, while it is kept.
    key: Option<u64>,
    bytes: usize,
    decode_time_us: u64,
}

#[derive(Clone, Debug)]
struct Fragment {
    bytes: Bytes,
    keyframe: bool,
    decode_time_us: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// A feed without media yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                store: Mutex::default(),
                pushed: watch::Sender::new(()),
                players: AtomicUsize::new(0),
                skipped: AtomicU64::new(0),
            }),
        }
    }

    /// Sets the init segment. The same one again changes nothing; another
    /// starts the picture anew in every player.
    ///
    /// # Errors
    /// [`Error::MimeMalformed`] and [`Error::InitMalformed`]: both values come
    /// from the sender and are refused before they reach a browser.
    pub fn push_init(&self, mime: String, bytes: Bytes) -> Result<(), Error> {
        if !mime_well_formed(&mime) {
            return Err(Error::MimeMalformed);
        }
        let begins_with_ftyp = bytes.get(4..8) == Some(b"ftyp".as_slice());
        if !begins_with_ftyp || bytes.len() > INIT_BYTES_MAX {
            return Err(Error::InitMalformed);
        }
        let mut store = self.shared.store();
        let same = |(old_mime, old): &(Arc<str>, Bytes)| **old_mime == *mime && *old == bytes;
        if !store.init.as_ref().is_some_and(same) {
            store.init = Some((mime.into(), bytes));
            store.restart();
        }
        drop(store);
        self.shared.pushed.send_replace(());
        Ok(())
    }

    /// Adds a fragment. `decode_time_us` is its decode time within the stream;
    /// a key frame whose time goes backwards (a publisher that came back)
    /// starts the picture anew.
    ///
    /// # Errors
    /// [`Error::FragmentBeforeInit`], [`Error::FragmentTooLarge`].
    pub fn push_fragment(
        &self,
        bytes: Bytes,
        keyframe: bool,
        decode_time_us: u64,
    ) -> Result<(), Error> {
        if bytes.len() > FRAGMENT_BYTES_MAX {
            return Err(Error::FragmentTooLarge { bytes: bytes.len() });
        }
        let mut store = self.shared.store();
        if store.init.is_none() {
            return Err(Error::FragmentBeforeInit);
        }
        if keyframe && decode_time_us < store.decode_time_us {
            store.restart();
        }
        store.push(Fragment {
            bytes,
            keyframe,
            decode_time_us,
        });
        drop(store);
        self.shared.pushed.send_replace(());
        Ok(())
    }

    /// A new player: it gets the init segment, then fragments from the latest
    /// key frame on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        self.shared.players.fetch_add(1, Ordering::Relaxed);
        Listener {
            pushed: self.shared.pushed.subscribe(),
            shared: Arc::clone(&self.shared),
            generation: 0,
            cursor: None,
        }
    }

    /// What the feed has seen.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            players: self.shared.players.load(Ordering::Relaxed),
            fragments_skipped: self.shared.skipped.load(Ordering::Relaxed),
            kept_bytes: self.shared.store().bytes,
        }
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        // Every change of the store is complete before anything can panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn next_sequence(&self) -> u64 {
        self.first.saturating_add(self.fragments.len() as u64)
    }

    fn restart(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.first = self.next_sequence();
        self.fragments.clear();
        self.key = None;
        self.bytes = 0;
        self.decode_time_us = 0;
    }

    fn push(&mut self, fragment: Fragment) {
        if fragment.keyframe {
            self.key = Some(self.next_sequence());
        }
        self.decode_time_us = self.decode_time_us.max(fragment.decode_time_us);
        self.bytes = self.bytes.saturating_add(fragment.bytes.len());
        self.fragments.push_back(fragment);
        self.trim();
    }

    /// Drops what is too old, never behind the latest key frame; and what is
    /// too much, wherever it lies: then late players wait for a key frame.
    fn trim(&mut self) {
        while let Some(front) = self.fragments.front() {
            let age_us = self.decode_time_us.saturating_sub(front.decode_time_us);
            let before_key = self.key.is_none_or(|key| self.first < key);
            let stale = before_key && age_us > BACKLOG_US_MAX;
            if !stale && self.bytes <= KEPT_BYTES_MAX {
                return;
            }
            self.bytes = self.bytes.saturating_sub(front.bytes.len());
            self.key = self.key.filter(|key| *key != self.first);
            self.fragments.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }

    fn at(&self, sequence: u64) -> Option<&Fragment> {
        let index = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.fragments.get(index)
    }
}

/// A player's end of the feed.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    pushed: watch::Receiver<()>,
    generation: u64,
    /// The next fragment, once a key frame was found.
    cursor: Option<u64>,
}

impl Listener {
    /// The next item; waits for one. May be dropped while it waits.
    pub async fn next(&mut self) -> Item {
        loop {
            self.pushed.mark_unchanged();
            if let Some(item) = self.take() {
                return item;
            }
            // The sender lives in `shared`, which this listener holds.
            if self.pushed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self) -> Option<Item> {
        let store = self.shared.store();
        if self.generation != store.generation {
            let (mime, bytes) = store.init.clone()?;
            self.generation = store.generation;
            self.cursor = None;
            return Some(Item::Init { mime, bytes });
        }
        let at = match self.cursor {
            Some(at) if at >= store.first => at,
            Some(at) => {
                let key = store.key?;
                let skipped = key.saturating_sub(at);
                self.shared.skipped.fetch_add(skipped, Ordering::Relaxed);
                key
            }
            None => store.key?,
        };
        let fragment = store.at(at)?;
        self.cursor = Some(at.saturating_add(1));
        Some(Item::Fragment {
            bytes: fragment.bytes.clone(),
            keyframe: fragment.keyframe,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.players.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `video/mp4` or `audio/mp4`, with nothing but a list of codecs (RFC 6381).
fn mime_well_formed(mime: &str) -> bool {
    if mime.len() > MIME_BYTES_MAX {
        return false;
    }
    let codecs = mime
        .strip_prefix("video/mp4; codecs=\"")
        .or_else(|| mime.strip_prefix("audio/mp4; codecs=\""))
        .and_then(|rest| rest.strip_suffix('"'));
    codecs.is_some_and(|list| {
        list.split(',').all(|codec| {
            let codec = codec.trim();
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            !codec.is_empty() && codec.bytes().all(allowed)
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const MIME: &str = "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"";

    fn fed() -> Feed {
        let feed = Feed::new();
        let init = Bytes::from_static(b"\0\0\0\x08ftyp");
        feed.push_init(MIME.into(), init).unwrap();
        feed
    }

    fn push(feed: &Feed, name: &str, keyframe: bool, time_us: u64) {
        let bytes = Bytes::copy_from_slice(name.as_bytes());
        feed.push_fragment(bytes, keyframe, time_us).unwrap();
    }

    fn names(listener: &mut Listener) -> Vec<String> {
        std::iter::from_fn(|| listener.take())
            .map(|item| match item {
                Item::Init { .. } => "init".into(),
                Item::Fragment { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
            })
            .collect()
    }

    #[test]
    fn late_listener_starts_at_the_latest_key_frame() {
        let feed = fed();
        push(&feed, "k1", true, 0);
        push(&feed, "a", false, 200_000);
        push(&feed, "k2", true, 400_000);
        push(&feed, "b", false, 600_000);
        assert_eq!(names(&mut feed.listen()), ["init", "k2", "b"]);
    }

    #[test]
    fn listener_before_any_key_frame_waits_for_one() {
        let feed = fed();
        let mut listener = feed.listen();
        push(&feed, "a", false, 0);
        assert_eq!(names(&mut listener), ["init"]);
        push(&feed, "k", true, 200_000);
        assert_eq!(names(&mut listener), ["k"]);
    }

    #[test]
    fn slow_listener_is_moved_to_the_latest_key_frame() {
        let feed = fed();
        let mut slow = feed.listen();
        push(&feed, "k0", true, 0);
        assert_eq!(names(&mut slow), ["init", "k0"]);
        for second in 1..20_u64 {
            push(&feed, &format!("k{second}"), true, second * 1_000_000);
            push(&feed, &format!("p{second}"), false, second * 1_000_000 + 1);
        }
        assert_eq!(names(&mut slow), ["k19", "p19"]);
        assert!(feed.stats().fragments_skipped >= 30);
    }

    #[test]
    fn listener_a_little_behind_loses_nothing() {
        let feed = fed();
        let mut listener = feed.listen();
        push(&feed, "k0", true, 0);
        push(&feed, "k1", true, 1_000_000);
        assert_eq!(names(&mut listener), ["init", "k1"]);
        push(&feed, "a", false, 2_000_000);
        push(&feed, "k2", true, 3_000_000);
        push(&feed, "b", false, 4_000_000);
        assert_eq!(names(&mut listener), ["a", "k2", "b"]);
    }

    #[test]
    fn memory_is_bounded_without_any_key_frame() {
        let feed = fed();
        let fragment = Bytes::from(vec![0; 1024 * 1024]);
        push(&feed, "k", true, 0);
        for _ in 0..100 {
            feed.push_fragment(fragment.clone(), false, 0).unwrap();
        }
        assert!(feed.stats().kept_bytes <= KEPT_BYTES_MAX);
        assert_eq!(names(&mut feed.listen()), ["init"]);
    }

    #[test]
    fn publisher_that_comes_back_starts_the_picture_anew() {
        let feed = fed();
        let mut listener = feed.listen();
        push(&feed, "k9", true, 9_000_000);
        assert_eq!(names(&mut listener), ["init", "k9"]);
        push(&feed, "k0", true, 0);
        assert_eq!(names(&mut listener), ["init", "k0"]);
    }

    #[test]
    fn same_init_again_changes_nothing() {
        let feed = fed();
        let mut listener = feed.listen();
        push(&feed, "k", true, 0);
        assert_eq!(names(&mut listener), ["init", "k"]);
        let init = Bytes::from_static(b"\0\0\0\x08ftyp");
        feed.push_init(MIME.into(), init).unwrap();
        assert!(names(&mut listener).is_empty());
    }

    #[test]
    fn refuses_malformed_media() {
        let feed = Feed::new();
        let init = Bytes::from_static(b"\0\0\0\x08ftyp");
        let early = feed.push_fragment(Bytes::new(), true, 0).unwrap_err();
        assert_eq!(early.reason(), "fragment_before_init");
        for mime in [
            "text/html",
            "video/mp4; codecs=\"\"",
            "video/mp4; codecs=\"a\"; x=\"b\"",
            "video/mp4; codecs=\"<script>\"",
        ] {
            let error = feed.push_init(mime.into(), init.clone()).unwrap_err();
            assert_eq!(error.reason(), "mime_malformed", "{mime}");
        }
        let error = feed.push_init(MIME.into(), Bytes::from_static(b"junk"));
        assert_eq!(error.unwrap_err().reason(), "init_malformed");
    }
}
