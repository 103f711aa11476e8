//! What a relay obeys, from its holder key alone. There is no command to
//! choose an audience, to read keys or to run anything.

use crate::id::{OrderId, SpkiHash, UnixMs};
use crate::reason::Reason;
use crate::statement::{RunStatement, Signed};

crate::messages! {
    /// Holder to relay.
    pub enum Command {
        /// Serve this stream.
        1 => Serve(Serve),
        /// How are you?
        2 => Status(super::control::Empty),
        /// End in ten seconds; the rest of the paid time is forfeited.
        3 => Stop(super::control::Empty),
    }
}

crate::messages! {
    /// Relay to holder.
    pub enum CommandReply {
        /// Done.
        1 => Done(super::control::Empty),
        /// Not done.
        2 => Refused(Reason),
        /// The state.
        3 => Status(Status),
    }
}

crate::record! {
    /// Which stream to serve.
    pub struct Serve {
        /// The run, by its stream key.
        pub run: Signed<RunStatement>,
        /// Who may coordinate: must be the run statement's.
        pub coordinator: SpkiHash,
        /// The holder's ceiling of what the relay sends, in bit/s.
        pub rate_bps_max: u64,
    }
}

crate::record! {
    /// A relay's state, by its own word.
    pub struct Status {
        /// Its order.
        pub order: OrderId,
        /// Children.
        pub children: u32,
        /// Block bytes sent.
        pub sent_bytes: u64,
        /// Bytes it may still send.
        pub bytes_left: u64,
        /// End of the paid time.
        pub lease_end: UnixMs,
    }
}
