//! Providers: who runs relays. One trait, so that the desk's own rules (one
//! launch per voucher, or one refund) do not depend on where relays run.

mod boot;
mod local;
mod parameters;
pub mod qemu;

pub use local::{Bundle, Local};
pub use qemu::Qemu;

use crate::error::LaunchFailure;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::oneshot;
use voucher::{Class, RelayAddress};
use wire::order::Order;
use wire::{OrderId, UnixMs};

/// An answer that comes later.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The order's id: starting it twice starts one relay.
    pub id: OrderId,
    /// The order.
    pub order: Order,
    /// Its class.
    pub class: Class,
    /// End of the paid time.
    pub lease_end: UnixMs,
}

/// A relay that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it is.
    pub relay: RelayAddress,
    /// Its process, if it is one of this machine.
    pub pid: Option<u32>,
    /// Comes when it has ended; closed without a word if the provider lost
    /// sight of it.
    pub ended: oneshot::Receiver<Ended>,
}

/// How a relay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The reason's stable name.
    pub reason: String,
    /// The exit code of a process that ended by itself.
    pub code: Option<i32>,
    /// The signal that ended a process.
    pub signal: Option<i32>,
}

impl Ended {
    /// An end of which no more is known than its reason.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            code: None,
            signal: None,
        }
    }
}

/// What a provider finds of an order after the desk was away.
#[derive(Debug)]
pub enum Standing {
    /// It runs.
    Running(Running),
    /// Nothing of it runs, and nothing will.
    Gone,
}

/// Starts and stops relays.
pub trait Provider: Send + Sync {
    /// The provider's name.
    fn name(&self) -> &'static str;

    /// Starts a relay. An error is definite: nothing of the order runs. A
    /// provider that cannot tell asks until it can.
    fn start(&self, launch: Launch) -> Pending<'_, Result<Running, LaunchFailure>>;

    /// Where the order's relay is, if it runs.
    fn describe(&self, order: &OrderId) -> Pending<'_, Option<RelayAddress>>;

    /// Ends the order's relay, or its start, in bounded time.
    fn stop(&self, order: &OrderId) -> Pending<'_, ()>;

    /// What became of the order while no desk was looking.
    fn reconcile(&self, order: &OrderId) -> Pending<'_, Standing>;
}
