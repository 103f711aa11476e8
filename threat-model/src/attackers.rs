//! The attackers of the demo's evenings. Each is a thin program over a module
//! here; the attacks of the catalogue use the same modules.
//!
//! ```text
//! options    the command line that all of them share
//! program    events, the command `quit`, exit codes
//! guest      an attacker who was invited: joins, answers asks, introduces
//! front      links of relays that are none: without evidence, or another's
//! fronts     the sponsors who bring them: fake, oracle, copied order
//! turncoat   a relay that is another machine once its edge runs
//! tamper     a relay with false evidence that changes what it forwards
//! forge      chunks that an insider made up
//! forger     the viewer who sends them to his child
//! spend      vouchers that are somebody else's, or spent
//! command    orders to somebody else's relay
//! ```

pub mod command;
pub mod forge;
pub mod forger;
pub mod front;
pub mod fronts;
pub mod guest;
pub mod options;
pub mod program;
pub mod spend;
pub mod tamper;
pub mod turncoat;
