//! How long the demo waits for each step. None of these is a pause: a wait
//! ends with what it waits for, and fails by name if that does not come.

use std::time::Duration;

/// A program starts, makes its keys and listens; a desk makes RSA class keys,
/// which takes seconds on a slow machine.
pub const READY: Duration = Duration::from_secs(60);
/// An image: the relay is compiled once more, statically and with all
/// optimisations.
pub const IMAGE: Duration = Duration::from_secs(1800);
/// A command that ends by itself: a purchase.
pub const COMMAND: Duration = Duration::from_secs(60);
/// From the start of `watch` to its first chunk when there is room.
pub const FIRST_CHUNK: Duration = Duration::from_secs(30);
/// From a shortage to the first question, and to each following step: one
/// deadline of [`ASK_DEADLINE`] and what planning takes on a busy machine.
pub const ASKING: Duration = Duration::from_secs(30);
/// From a grant to the relay in its place: redemption, launch, two
/// verifications.
pub const RELAY: Duration = Duration::from_secs(45);
/// The same with an emulated machine that boots first, under a limit of 90 s.
pub const EMULATED_RELAY: Duration = Duration::from_secs(120);
/// From a relay's death to its loss being noticed, and to a new parent.
pub const REPAIR: Duration = Duration::from_secs(45);
/// Who waited for a relay catches up with what the uplinks have to spare; after
/// an emulated boot on a busy machine that is half a minute of the stream.
pub const CATCHING_UP: Duration = Duration::from_secs(120);
/// An attack, from the attacker's start to its end.
pub const ATTACK: Duration = Duration::from_secs(60);
/// A leaving viewer drains to the final head; a station says goodbye.
pub const LEAVING: Duration = Duration::from_secs(15);
/// A stopped relay's notice (10 s), and its power-off.
pub const RELAY_STOP: Duration = Duration::from_secs(25);
/// After the end of a process, its last lines are read.
pub const LAST_LINES: Duration = Duration::from_secs(5);

/// What a viewer has to answer a question in the demo.
pub const ASK_DEADLINE: Duration = Duration::from_secs(3);
/// The relay is killed no sooner than this after E's first chunk.
pub const KILL_AFTER_E: Duration = Duration::from_secs(5);
/// The evening goes on for this long after the last viewer has resumed.
pub const AFTER_RESUME: Duration = Duration::from_secs(10);
