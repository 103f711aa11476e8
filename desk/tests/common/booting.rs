//! A desk that boots a released image for real.
//!
//! `ROUNDCAST_IMAGE` names a folder with what `roundcast-image` makes.

use super::serving::{DESK, Serving};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use voucher::{OrderState, VoucherRecord};
use wire::OrderId;

/// Guests are heavy: one boots at once.
pub static TURN: Mutex<()> = Mutex::const_new(());
/// The provider's own limit of a boot, and its end.
const BOOT: Duration = Duration::from_secs(100);

/// The image's folder.
pub fn image() -> PathBuf {
    let folder = std::env::var_os("ROUNDCAST_IMAGE").map(PathBuf::from);
    folder.ok_or("ROUNDCAST_IMAGE names no folder").unwrap()
}

pub fn serve(release: &Path, data: &Path) -> Serving {
    serve_with(release, data, &["--relay-address", "127.0.0.73"])
}

pub fn serve_with(release: &Path, data: &Path, more: &[&str]) -> Serving {
    let mut command = Command::new(DESK);
    command
        .args(["serve", "--provider", "qemu", "--json"])
        .args(["--listen", "127.0.0.1:0"])
        .args(more)
        .arg("--data")
        .arg(data)
        .arg("--release")
        .arg(release);
    Serving::start(command)
}

/// Redeems a voucher, and waits until the order is launched or refunded.
pub async fn launch(serving: &Serving, record: &mut VoucherRecord) -> (OrderId, OrderState) {
    let mut status = serving.redeem(record).await;
    let deadline = Instant::now() + BOOT;
    while matches!(status.state, OrderState::Launching {}) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
        status = serving.status(&status.order.to_hex()).await;
    }
    (status.order, status.state)
}
