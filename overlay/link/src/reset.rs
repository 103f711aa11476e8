//! Stateless resets (RFC 9000 section 10.3) that outlive the process: a node
//! that is back with its key tells the links of its former life at once that
//! they are over, instead of letting their other ends wait out their silence.

use crate::Identity;
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

/// What the reset key is derived under, from the node's own key.
const RESET_LABEL: &[u8] = b"roundcast/stateless-reset/v1\0";
/// Length of a connection identifier, in bytes. Every packet carries one. No
/// two links of one process have the same, which quinn sees to. One of a former
/// life is met again by chance alone, and never by as many as a node has links:
/// then that link is silent until it is given up, instead of reset. Who has had
/// an identifier knows its reset token; to end another's link with it he would
/// need the same one of four thousand million, and packets that seem to come
/// from this node.
const ID_BYTES: usize = 4;

/// An endpoint's settings, with a reset key that is the same for the same node
/// key: who knows it can end this node's links, which is the node itself.
pub(crate) fn endpoint_config(identity: &Identity) -> EndpointConfig {
    let node = hmac::Key::new(hmac::HMAC_SHA256, identity.key.seed());
    let reset = hmac::sign(&node, RESET_LABEL);
    let reset = hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref());
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Random identifiers. quinn's own also tell its present process's from all
/// others, and answer no packet that names one of a former life.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; ID_BYTES];
        // Without randomness two links may get one identifier, and the later
        // handshake fails: the keys do not depend on it.
        let _ = getrandom::fill(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
