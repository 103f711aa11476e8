//! Messages, by the stream that carries them. The first varint of every
//! stream is its [`StreamKind`].

pub mod command;
pub mod control;
pub mod edge;
pub mod group;
pub mod lines;
pub mod live;
pub mod mesh;
pub mod receipt;

crate::code! {
    /// What a QUIC stream is for.
    pub enum StreamKind {
        /// Bidirectional, member to coordinator: [`control`].
        Control = 1 => "control",
        /// Bidirectional, between the two ends of a permit: [`edge`].
        Edge = 2 => "edge",
        /// Bidirectional, verifier to relay: [`live`].
        Challenge = 3 => "challenge",
        /// Bidirectional, holder to relay: [`command`].
        Command = 4 => "command",
        /// Unidirectional, parent to child: [`group`].
        Group = 5 => "group",
        /// Bidirectional, between the two ends of a repair permit: [`mesh`].
        Mesh = 6 => "mesh",
    }
}
