//! The ledger in one SQLite file.

use super::{Ledger, Redeemed, StoredOrder, Transition, schema};
use crate::Error;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use voucher::{
    Base64, Class, OrderState, RedeemRequest, TokenRequest, TokenResponse, VerifiedRedemption,
};
use wire::{OrderId, UnixMs};

/// A ledger in a file. One connection: SQLite has one writer anyway, and
/// readers here want what was committed last.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Mutex<Connection>,
}

impl SqliteLedger {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`Error::Ledger`], [`Error::LedgerForm`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut connection = Connection::open(path).map_err(Error::ledger("open the ledger"))?;
        schema::prepare(&mut connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// A panic under the lock leaves no half-done work: transactions roll
    /// back when they are dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction that has the write lock from its start,
    /// and commits if it succeeds.
    fn write<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::ledger(step))?;
        let value = work(&transaction)?;
        transaction.commit().map_err(Error::ledger(step))?;
        Ok(value)
    }
}

/// SQLite's integers are signed: times and counts here fit.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

const fn stage(state: &OrderState) -> &'static str {
    match state {
        OrderState::Launching {} => "launching",
        OrderState::Running { .. } => "running",
        OrderState::Done { .. } => "done",
        OrderState::Refunded { .. } => "refunded",
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::LedgerForm("a row cannot be encoded"))
}

fn stored_order(row: &Row<'_>) -> rusqlite::Result<([u8; 32], String, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn decoded((id, request, state): ([u8; 32], String, String)) -> Result<StoredOrder, Error> {
    let damaged = |_| Error::LedgerForm("a row does not decode");
    Ok(StoredOrder {
        id: OrderId(id),
        request: serde_json::from_str(&request).map_err(damaged)?,
        state: serde_json::from_str(&state).map_err(damaged)?,
    })
}

impl Ledger for SqliteLedger {
    fn add_codes(
        &self,
        class: &Class,
        vouchers: u32,
        codes: &[[u8; 32]],
        now: UnixMs,
    ) -> Result<(), Error> {
        const STEP: &str = "note the purchase codes";
        self.write(STEP, |transaction| {
            for digest in codes {
                transaction
                    .execute(
                        "INSERT INTO codes (digest, class, vouchers, made_ms)
                         VALUES (?1, ?2, ?3, ?4)",
                        params![digest, class.to_string(), vouchers, integer(now.0)],
                    )
                    .map_err(Error::ledger(STEP))?;
            }
            Ok(())
        })
    }

    fn issue(
        &self,
        code: &[u8; 32],
        class: &Class,
        request: &TokenRequest,
        sign: &dyn Fn() -> Result<TokenResponse, Error>,
    ) -> Result<TokenResponse, Error> {
        const STEP: &str = "issue the voucher";
        let request = voucher::encoding::sha256(&request.to_bytes());
        self.write(STEP, |transaction| {
            let (sold, vouchers) = transaction
                .query_row(
                    "SELECT class, vouchers FROM codes WHERE digest = ?1",
                    [code],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)),
                )
                .optional()
                .map_err(Error::ledger(STEP))?
                .ok_or(Error::CodeUnknown)?;
            if sold != class.to_string() {
                return Err(Error::CodeClass(sold));
            }
            let given: Option<[u8; voucher::token::SIGNATURE_BYTES]> = transaction
                .query_row(
                    "SELECT response FROM issues WHERE code = ?1 AND request = ?2",
                    params![code, request],
                    |row| row.get(0),
                )
                .optional()
                .map_err(Error::ledger(STEP))?;
            if let Some(response) = given {
                return Ok(Base64(response));
            }
            let issued: u32 = transaction
                .query_row(
                    "SELECT count(*) FROM issues WHERE code = ?1",
                    [code],
                    |row| row.get(0),
                )
                .map_err(Error::ledger(STEP))?;
            if issued >= vouchers {
                return Err(Error::CodeUsedUp);
            }
            let response = sign()?;
            transaction
                .execute(
                    "INSERT INTO issues (code, request, response) VALUES (?1, ?2, ?3)",
                    params![code, request, response.0],
                )
                .map_err(Error::ledger(STEP))?;
            Ok(response)
        })
    }

    fn redeem(&self, redemption: &VerifiedRedemption, now: UnixMs) -> Result<Redeemed, Error> {
        const STEP: &str = "write the redemption down";
        self.write(STEP, |transaction| {
            let launching = OrderState::Launching {};
            let inserted = transaction
                .execute(
                    "INSERT INTO orders
                         (nonce, id, statement, request, stage, state, made_ms, changed_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
                     ON CONFLICT (nonce) DO NOTHING",
                    params![
                        redemption.nonce(),
                        redemption.order_id().0,
                        redemption.statement_digest(),
                        json(redemption.request())?,
                        stage(&launching),
                        json(&launching)?,
                        integer(now.0),
                    ],
                )
                .map_err(Error::ledger(STEP))?;
            if inserted == 1 {
                return Ok(Redeemed::Fresh);
            }
            let (statement, request): ([u8; 32], String) = transaction
                .query_row(
                    "SELECT statement, request FROM orders WHERE nonce = ?1",
                    [redemption.nonce()],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .map_err(Error::ledger(STEP))?;
            if statement == *redemption.statement_digest() {
                return Ok(Redeemed::Replay);
            }
            let request: RedeemRequest = serde_json::from_str(&request)
                .map_err(|_| Error::LedgerForm("a row does not decode"))?;
            Err(Error::Spent(Box::new(request)))
        })
    }

    fn order(&self, id: &OrderId) -> Result<StoredOrder, Error> {
        self.lock()
            .query_row(
                "SELECT id, request, state FROM orders WHERE id = ?1",
                [id.0],
                stored_order,
            )
            .optional()
            .map_err(Error::ledger("look for the order"))?
            .ok_or(Error::OrderUnknown)
            .and_then(decoded)
    }

    fn advance(&self, id: &OrderId, step: Transition, now: UnixMs) -> Result<(), Error> {
        const STEP: &str = "move the order on";
        let from = step.from();
        let state = step.into_state();
        let moved = self.write(STEP, |transaction| {
            transaction
                .execute(
                    "UPDATE orders SET stage = ?1, state = ?2, changed_ms = ?3
                     WHERE id = ?4 AND stage = ?5",
                    params![stage(&state), json(&state)?, integer(now.0), id.0, from],
                )
                .map_err(Error::ledger(STEP))
        })?;
        if moved == 1 {
            Ok(())
        } else {
            Err(Error::OrderState(from))
        }
    }

    fn unfinished(&self) -> Result<Vec<StoredOrder>, Error> {
        const STEP: &str = "look for unfinished orders";
        let connection = self.lock();
        let mut statement = connection
            .prepare(
                "SELECT id, request, state FROM orders
                 WHERE stage IN ('launching', 'running') ORDER BY made_ms",
            )
            .map_err(Error::ledger(STEP))?;
        let rows = statement
            .query_map([], stored_order)
            .map_err(Error::ledger(STEP))?
            .collect::<rusqlite::Result<Vec<_>>>()
            .map_err(Error::ledger(STEP))?;
        rows.into_iter().map(decoded).collect()
    }
}
