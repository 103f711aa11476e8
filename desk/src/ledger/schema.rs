//! The tables, and how a file becomes a ledger.

use crate::Error;
use rusqlite::Connection;

/// Version of the tables, kept in SQLite's `user_version`.
const VERSION: i64 = 1;
/// How long a writer waits for another (`codes make` beside `serve`), in ms.
const BUSY_MS: u64 = 5_000;

const TABLES: &str = "
    CREATE TABLE codes (
        digest   BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
        class    TEXT NOT NULL,
        vouchers INTEGER NOT NULL CHECK (vouchers > 0),
        made_ms  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- No time of issue: it would help to link a purchase to a redemption.
    CREATE TABLE issues (
        code     BLOB NOT NULL REFERENCES codes (digest),
        request  BLOB NOT NULL,
        response BLOB NOT NULL,
        PRIMARY KEY (code, request)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE orders (
        nonce      BLOB NOT NULL PRIMARY KEY CHECK (length(nonce) = 32),
        id         BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
        statement  BLOB NOT NULL CHECK (length(statement) = 32),
        request    TEXT NOT NULL,
        stage      TEXT NOT NULL
                   CHECK (stage IN ('launching', 'running', 'done', 'refunded')),
        state      TEXT NOT NULL,
        made_ms    INTEGER NOT NULL,
        changed_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX orders_unfinished ON orders (made_ms)
        WHERE stage IN ('launching', 'running');
";

/// Sets the connection up and makes the tables in a new file.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), Error> {
    let failed = || Error::ledger("open the ledger");
    connection
        .busy_timeout(std::time::Duration::from_millis(BUSY_MS))
        .map_err(failed())?;
    // A redemption is answered when it is on the disk and not before: FULL
    // syncs the write-ahead log at every commit.
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| connection.pragma_update(None, "foreign_keys", "ON"))
        .map_err(failed())?;
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(failed())?;
    let version: i64 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed())?;
    match version {
        0 => transaction
            .execute_batch(TABLES)
            .and_then(|()| transaction.pragma_update(None, "user_version", VERSION))
            .and_then(|()| transaction.commit())
            .map_err(failed()),
        VERSION => Ok(()),
        _ => Err(Error::LedgerForm("its version is not known")),
    }
}
