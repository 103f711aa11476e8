//! Every limit of the page, with its reason.

use std::time::Duration;

/// Media kept for browsers that fall behind or join late. At 8 Mbit/s it is
/// half a minute, more than any sensible distance between key frames.
pub(crate) const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Age of the oldest fragment kept from before the latest key frame. A player
/// further behind than this would seek forward anyway (it does so at 3 s).
pub(crate) const BACKLOG_US_MAX: u64 = 5_000_000;

/// One fragment is 200 ms of video; this allows 320 Mbit/s.
pub(crate) const FRAGMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An init segment is a few hundred bytes for each track.
pub(crate) const INIT_BYTES_MAX: usize = 256 * 1024;

/// `video/mp4; codecs="avc1.64001f,mp4a.40.2"` has 41 characters.
pub(crate) const MIME_BYTES_MAX: usize = 128;

/// Open players and event streams: a household has a handful, a program gone
/// wild must not take every descriptor of the client.
pub(crate) const STREAMS_MAX: usize = 32;

/// A player that takes no byte for so long is gone; its browser reconnects.
pub(crate) const SEND_WAIT_MAX: Duration = Duration::from_secs(10);

/// A reply of the page is below 200 bytes.
pub(crate) const REPLY_BYTES_MAX: usize = 4 * 1024;

/// What a browser may send on the media socket, where nothing is expected.
pub(crate) const SOCKET_MESSAGE_BYTES_MAX: usize = 1024;

/// Replies that the client has not taken yet; a person clicks slower.
pub(crate) const REPLIES_PENDING_MAX: usize = 16;

/// The least time between two views on one event stream: five a second look
/// continuous, and a busy tree must not keep the browser laying out tables.
pub(crate) const VIEW_INTERVAL_MIN: Duration = Duration::from_millis(200);

/// How long the end of the page waits for players to take what is under way.
pub(crate) const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);
