//! The attackers of the demo's evenings. Each is a thin program over a module
//! here; the attacks of the catalogue use the same modules.
//!
//! ```text
//! options    the command line that all of them share
//! program    events, the command `quit`, exit codes
//! guest      an attacker who was invited: joins, answers asks
//! front      relays that are none: without evidence, or with another's
//! forge      chunks that an insider made up
//! command    orders to somebody else's relay
//! ```

pub mod command;
pub mod forge;
pub mod front;
