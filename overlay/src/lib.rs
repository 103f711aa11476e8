//! The tree: planner and forwarder as pure state machines
