//! The QUIC endpoint, the live challenge, groups and child queues
