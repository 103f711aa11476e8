//! The desk: from a redemption to a relay or a refund, once per voucher.
//!
//! The row is on the disk before anything is launched, and every answer is
//! read from it: who asks again hears the same. A launch belongs to the desk
//! and not to the request, so a client that hangs up cancels nothing.

use crate::clock;
use crate::error::{Error, LaunchFailure};
use crate::event::{Event, Events};
use crate::ledger::{Ledger, Redeemed, StoredOrder, Transition};
use crate::provider::{Ended, Launch, Provider, Running, Standing};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use voucher::{
    Name, OrderState, OrderStatus, RedeemRequest, RedemptionCheck, TokenResponse,
    VerifiedRedemption,
};
use wire::OrderId;

/// How long a redemption's answer may wait for the relay, in ms. Longer
/// starts are answered with `launching`, and the client asks again.
const ANSWER_MS_MAX: u64 = 15_000;
/// How long the desk's end may take, in ms: relays get their notice.
const END_MS_MAX: u64 = 10_000;

/// Who signs refunds: the shop.
pub trait Refunder: Send + Sync {
    /// The signature on the redemption's refund message.
    ///
    /// # Errors
    /// What keeps the shop from signing; it is asked again at the next start.
    fn refund(&self, redemption: &RedeemRequest) -> Result<TokenResponse, Error>;
}

impl Refunder for crate::shop::Shop {
    fn refund(&self, redemption: &RedeemRequest) -> Result<TokenResponse, Error> {
        Self::refund(self, redemption)
    }
}

/// What a desk is made of. Each control is a value: the desk has no switch
/// that leaves one out.
pub struct Parts {
    /// The checks before the ledger.
    pub check: Arc<dyn RedemptionCheck>,
    /// One row per voucher.
    pub ledger: Arc<dyn Ledger>,
    /// Who runs relays.
    pub provider: Arc<dyn Provider>,
    /// Who signs refunds.
    pub refunder: Arc<dyn Refunder>,
    /// Who is told.
    pub events: Arc<dyn Events>,
    /// The release channel of this desk.
    pub channel: Name,
}

/// The desk's orders. Clones are the same desk.
#[derive(Clone)]
pub struct Orders {
    parts: Arc<Parts>,
    /// Counts transitions, for those who wait for one.
    changes: Arc<watch::Sender<u64>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Orders {
    /// A desk of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            changes: Arc::new(watch::Sender::new(0)),
            tasks: Arc::default(),
        }
    }

    /// Redeems a voucher: checks it, writes it down, launches, and answers
    /// with what is known within [`ANSWER_MS_MAX`].
    ///
    /// # Errors
    /// The failed check or step by name; [`Error::Spent`] with its proof.
    pub async fn redeem(&self, request: RedeemRequest) -> Result<OrderStatus, Error> {
        let desk = self.clone();
        // On a task of its own: a client that hangs up between the commit and
        // the launch must not leave a row that nobody works on.
        let accepted = tokio::spawn(async move {
            desk.accept(request).await.inspect_err(|error| {
                let reason = error.reason();
                desk.parts.events.emit(Event::RedemptionRefused { reason });
            })
        });
        let id = accepted.await.map_err(|_| Error::Ending)??;
        self.answer(id).await
    }

    async fn accept(&self, request: RedeemRequest) -> Result<OrderId, Error> {
        if request.channel != self.parts.channel {
            return Err(Error::ChannelUnknown(self.parts.channel.to_string()));
        }
        let (redemption, redeemed) = self
            .blocking(move |parts| {
                let now = clock::now()?;
                let redemption = parts.check.check(request, now)?;
                let redeemed = parts.ledger.redeem(&redemption, now)?;
                Ok((redemption, redeemed))
            })
            .await?;
        let id = redemption.order_id();
        if let Redeemed::Fresh = redeemed {
            let holder = redemption.order().holder_key;
            self.parts
                .events
                .emit(Event::voucher_redeemed(&id, &holder));
            self.spawn(self.clone().launch(redemption));
        }
        Ok(id)
    }

    /// The order's state, after waiting while it is launching.
    async fn answer(&self, id: OrderId) -> Result<OrderStatus, Error> {
        let deadline = Instant::now() + Duration::from_millis(ANSWER_MS_MAX);
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let status = self.status(id).await?;
            if !matches!(status.state, OrderState::Launching {}) {
                return Ok(status);
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(status),
            }
        }
    }

    /// An order's state as it is written down.
    ///
    /// # Errors
    /// [`Error::OrderUnknown`], [`Error::Ledger`].
    pub async fn status(&self, id: OrderId) -> Result<OrderStatus, Error> {
        let order = self.blocking(move |parts| parts.ledger.order(&id)).await?;
        Ok(OrderStatus {
            order: order.id,
            state: order.state,
        })
    }

    async fn launch(self, redemption: VerifiedRedemption) {
        let id = redemption.order_id();
        let started = match launch_of(&redemption) {
            Ok(launch) => self.parts.provider.start(launch).await,
            Err(failure) => Err(failure),
        };
        let outcome = match started {
            Ok(running) => self.follow(id, running).await,
            Err(failure) => self.refund(id, redemption.request().clone(), failure).await,
        };
        report(&id, outcome);
    }

    /// Notes that the relay runs, and later that it has ended.
    async fn follow(&self, id: OrderId, running: Running) -> Result<(), Error> {
        let Running { relay, pid, ended } = running;
        if let Err(error) = self.advance(id, Transition::Started(relay)).await {
            // A relay that the ledger does not know of must not run.
            self.parts.provider.stop(&id).await;
            return Err(error);
        }
        self.parts
            .events
            .emit(Event::relay_started(&relay, &id, pid));
        self.end(
            id,
            ended.await.unwrap_or_else(|_| Ended::because("relay_lost")),
        )
        .await
    }

    async fn end(&self, id: OrderId, ended: Ended) -> Result<(), Error> {
        self.advance(id, Transition::Ended(ended.reason.clone()))
            .await?;
        self.parts.events.emit(Event::relay_ended(&id, &ended));
        Ok(())
    }

    /// Gives the voucher back. If the shop cannot sign now, the row stays
    /// launching and the next start of the desk tries again.
    async fn refund(
        &self,
        id: OrderId,
        request: RedeemRequest,
        failure: LaunchFailure,
    ) -> Result<(), Error> {
        tracing::warn!(order = %id.short(), "start the relay: {failure}; refunding");
        let token_response = self
            .blocking(move |parts| parts.refunder.refund(&request))
            .await?;
        let reason = failure.reason();
        let step = Transition::Refunded(Box::new(token_response), reason.to_owned());
        self.advance(id, step).await?;
        self.parts.events.emit(Event::voucher_refunded(&id, reason));
        Ok(())
    }

    async fn advance(&self, id: OrderId, step: Transition) -> Result<(), Error> {
        let done = self
            .blocking(move |parts| parts.ledger.advance(&id, step, clock::now()?))
            .await;
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    /// After a start: asks the provider what became of every order that is
    /// not finished, and finishes what is gone. To be called before the first
    /// request is taken.
    ///
    /// # Errors
    /// [`Error::Ledger`]; orders that cannot be settled are reported and kept.
    pub async fn reconcile(&self) -> Result<(), Error> {
        let unfinished = self.blocking(|parts| parts.ledger.unfinished()).await?;
        for order in unfinished {
            let id = order.id;
            report(&id, self.reconcile_one(order).await);
        }
        Ok(())
    }

    async fn reconcile_one(&self, order: StoredOrder) -> Result<(), Error> {
        let standing = self.parts.provider.reconcile(&order.id).await;
        match (order.state, standing) {
            (OrderState::Launching {}, Standing::Running(running)) => {
                let desk = self.clone();
                self.spawn(async move {
                    let outcome = desk.follow(order.id, running).await;
                    report(&order.id, outcome);
                });
                Ok(())
            }
            (OrderState::Launching {}, Standing::Gone) => {
                self.refund(order.id, order.request, LaunchFailure::DeskEnded)
                    .await
            }
            (_, Standing::Running(running)) => {
                let desk = self.clone();
                self.spawn(async move {
                    let ended = running.ended.await;
                    let ended = ended.unwrap_or_else(|_| Ended::because("relay_lost"));
                    report(&order.id, desk.end(order.id, ended).await);
                });
                Ok(())
            }
            (_, Standing::Gone) => self.end(order.id, Ended::because("desk_restarted")).await,
        }
    }

    /// Ends every relay and waits until that is written down, in bounded time.
    pub async fn close(&self) {
        let deadline = Instant::now() + Duration::from_millis(END_MS_MAX);
        let unfinished = self.blocking(|parts| parts.ledger.unfinished()).await;
        let mut stops = JoinSet::new();
        for order in unfinished.unwrap_or_default() {
            let parts = Arc::clone(&self.parts);
            stops.spawn(async move { parts.provider.stop(&order.id).await });
        }
        let mut tasks = std::mem::take(&mut *self.lock());
        let all = async {
            while stops.join_next().await.is_some() {}
            while tasks.join_next().await.is_some() {}
        };
        if timeout_at(deadline, all).await.is_err() {
            tracing::warn!("end the relays: some did not end in time and are killed");
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.lock();
        // Finished tasks are let go here, or the set would grow for ever.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` where it may block: on the disk, or for a signature.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let parts = Arc::clone(&self.parts);
        tokio::task::spawn_blocking(move || work(&parts))
            .await
            .map_err(|_| Error::Ending)?
    }
}

/// The paid time runs from the launch, not from the purchase.
fn launch_of(redemption: &VerifiedRedemption) -> Result<Launch, LaunchFailure> {
    let now = clock::now().map_err(|_| LaunchFailure::Platform)?;
    let order = redemption.order();
    Ok(Launch {
        id: redemption.order_id(),
        lease_end: now.plus_ms(order.lease_ms),
        order: order.clone(),
        class: redemption.request().class.clone(),
    })
}

fn report(id: &OrderId, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::error!(order = %id.short(), reason = error.reason(), "{error}");
    }
}
