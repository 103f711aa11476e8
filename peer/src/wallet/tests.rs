#![allow(clippy::unwrap_used, clippy::panic)]

use super::purchase::{Wanted, buy};
use super::{Contents, Wallet, generator, now, write_secret};
use crate::Error;
use crate::desk_client::test_desk::{TestDesk, class, code, desk_key};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::{TempDir, tempdir};
use voucher::{RedeemRequest, State, VoucherRecord};

fn small(desk: &TestDesk, seed: u8) -> Wanted {
    Wanted {
        desk: desk.uri.clone(),
        code: code(seed),
        class: Some("small".to_owned()),
    }
}

/// A wallet with one voucher.
pub(crate) async fn wallet_with_one(desk: &TestDesk, seed: u8) -> (TempDir, VoucherRecord) {
    let data = tempdir().unwrap();
    let record = add_one(data.path(), desk, seed).await;
    (data, record)
}

/// Buys one more.
pub(crate) async fn add_one(data: &Path, desk: &TestDesk, seed: u8) -> VoucherRecord {
    buy(data, &small(desk, seed)).await.unwrap()
}

/// A redemption that nothing is recorded of.
pub(crate) async fn redemption(desk: &TestDesk) -> RedeemRequest {
    let (_data, mut record) = wallet_with_one(desk, 99).await;
    let channel = "stable".parse().unwrap();
    let desk_key = desk_key().public();
    record
        .begin_redeem(&mut generator().unwrap(), desk_key, &channel, now())
        .unwrap()
}

fn files(data: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("wallet")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_secret_is_replaced_whole_and_for_its_owner_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.json");
    let leftover = folder.path().join("a.json.partial");
    fs::write(&leftover, b"half").unwrap();
    write_secret(&path, b"first").unwrap();
    write_secret(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(mode(&path), 0o600);
    assert!(!leftover.exists());
}

#[test]
fn a_secret_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_secret(&path, b"first").unwrap();
    fs::create_dir(folder.path().join("a.json.partial")).unwrap();
    write_secret(&path, b"second").unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"first");
}

#[tokio::test]
async fn a_second_client_is_kept_out_until_the_first_is_done() {
    let data = tempdir().unwrap();
    let held = Wallet::open(data.path()).unwrap();
    assert!(matches!(
        Wallet::open(data.path()),
        Err(Error::WalletLocked)
    ));
    assert!(matches!(
        Wallet::open_patiently(data.path(), 120).await,
        Err(Error::WalletLocked)
    ));
    let waiting = Wallet::open_patiently(data.path(), 10_000);
    let (second, ()) = tokio::join!(waiting, async { drop(held) });
    second.unwrap();
}

#[tokio::test]
async fn a_bought_voucher_is_unspent_and_private() {
    let desk = TestDesk::start().await;
    let (data, record) = wallet_with_one(&desk, 1).await;
    assert_eq!(record.state(), State::Unspent);
    assert_eq!(*record.class(), class("small", 45));
    let vouchers = files(data.path(), ".voucher.json");
    assert_eq!(vouchers.len(), 1);
    assert!(vouchers.iter().all(|path| mode(path) == 0o600));
    assert_eq!(mode(&data.path().join("wallet")), 0o700);
    assert!(files(data.path(), ".purchase.json").is_empty());
}

#[tokio::test]
async fn an_interrupted_purchase_is_resumed_with_the_same_request() {
    let desk = TestDesk::start().await;
    let data = tempdir().unwrap();
    desk.set(|script| script.lost_replies = 4);
    let broken = buy(data.path(), &small(&desk, 2)).await.unwrap_err();
    assert_eq!(broken.reason(), "desk_away");
    assert_eq!(files(data.path(), ".purchase.json").len(), 1);

    let record = buy(data.path(), &small(&desk, 2)).await.unwrap();
    assert_eq!(record.state(), State::Unspent);
    assert!(files(data.path(), ".purchase.json").is_empty());
    let sent = desk.sent("/v1/issue");
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|body| Some(body) == sent.first()));
    assert_eq!(desk.set(|script| script.issued.len()), 1);
}

#[tokio::test]
async fn a_purchase_that_was_finished_before_gives_no_second_life_to_its_voucher() {
    let desk = TestDesk::start().await;
    let data = tempdir().unwrap();
    desk.set(|script| script.lost_replies = 4);
    buy(data.path(), &small(&desk, 3)).await.unwrap_err();
    let purchase = files(data.path(), ".purchase.json").pop().unwrap();
    let kept = fs::read(&purchase).unwrap();
    let mut record = buy(data.path(), &small(&desk, 3)).await.unwrap();
    let channel = "stable".parse().unwrap();
    record
        .begin_redeem(
            &mut generator().unwrap(),
            desk_key().public(),
            &channel,
            now(),
        )
        .unwrap();
    Wallet::open(data.path())
        .unwrap()
        .save(&record)
        .await
        .unwrap();
    // As if the client had been killed before it removed the purchase.
    fs::write(&purchase, kept).unwrap();
    buy(data.path(), &small(&desk, 3)).await.unwrap();
    let vouchers = Contents::read(data.path()).unwrap().vouchers;
    let states: Vec<_> = vouchers.iter().map(VoucherRecord::state).collect();
    assert_eq!(states, [State::InFlight]);
}

#[tokio::test]
async fn a_purchase_is_forgotten_only_if_the_shop_never_signed_it() {
    let desk = TestDesk::start().await;
    let data = tempdir().unwrap();
    desk.set(|script| script.no_sale = Some("too_many"));
    let refused = buy(data.path(), &small(&desk, 4)).await.unwrap_err();
    assert_eq!(
        (refused.reason().as_str(), refused.exit_code()),
        ("too_many", 5)
    );
    assert_eq!(files(data.path(), ".purchase.json").len(), 1);
    desk.set(|script| script.no_sale = Some("code_unknown"));
    buy(data.path(), &small(&desk, 4)).await.unwrap_err();
    assert!(files(data.path(), ".purchase.json").is_empty());
}

#[tokio::test]
async fn which_class_has_to_be_said_if_there_are_several() {
    let desk = TestDesk::start().await;
    let data = tempdir().unwrap();
    for (wanted, reason) in [
        (None, "usage"),
        (Some("medium"), "voucher_class_unknown"),
        (Some("smal"), "voucher_class_unknown"),
    ] {
        let wanted = Wanted {
            class: wanted.map(str::to_owned),
            ..small(&desk, 5)
        };
        assert_eq!(
            buy(data.path(), &wanted).await.unwrap_err().reason(),
            reason
        );
    }
    let exact = Wanted {
        class: Some(class("large", 180).to_string()),
        ..small(&desk, 5)
    };
    let record = buy(data.path(), &exact).await.unwrap();
    assert_eq!(*record.class(), class("large", 180));
}

#[tokio::test]
async fn a_damaged_voucher_is_named_left_alone_and_hides_no_other() {
    let desk = TestDesk::start().await;
    let (data, record) = wallet_with_one(&desk, 6).await;
    let good = files(data.path(), ".voucher.json").pop().unwrap();
    let text = fs::read_to_string(&good).unwrap();
    let folder = data.path().join("wallet");
    let damaged = [
        (
            "cut.voucher.json",
            text.chars().take(100).collect::<String>(),
        ),
        (
            "later.voucher.json",
            text.replacen("\"version\":1", "\"version\":2", 1),
        ),
        ("copy.voucher.json", text.clone()),
        ("state.voucher.json", text.replacen("unspent", "fresh", 1)),
        ("long.voucher.json", " ".repeat(40_000)),
    ];
    for (name, content) in &damaged {
        fs::write(folder.join(name), content).unwrap();
    }
    let contents = Wallet::open(data.path()).unwrap().contents().unwrap();
    assert_eq!(contents.vouchers_damaged.len(), damaged.len());
    let found = contents.next(&desk.uri, now()).unwrap();
    assert_eq!(found.id(), record.id());
    for (name, content) in &damaged {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), *content);
    }
    let listed = super::list(data.path(), true).unwrap_err();
    assert_eq!(listed.reason(), "wallet_damaged");
}

#[tokio::test]
async fn a_damaged_record_s_message_quotes_no_secret() {
    let desk = TestDesk::start().await;
    let (data, _) = wallet_with_one(&desk, 7).await;
    let path = files(data.path(), ".voucher.json").pop().unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    *value.pointer_mut("/voucher/holder").unwrap() = "a-secret-that-was-cut".into();
    fs::write(&path, value.to_string()).unwrap();
    let contents = Contents::read(data.path()).unwrap();
    let told = contents.vouchers_damaged.first().unwrap().to_string();
    assert!(!told.contains("a-secret"), "{told}");
}

#[tokio::test]
async fn nothing_is_bought_while_a_damaged_purchase_may_be_the_same() {
    let desk = TestDesk::start().await;
    let data = tempdir().unwrap();
    let folder = data.path().join("wallet");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("0.purchase.json"), b"{").unwrap();
    let refused = buy(data.path(), &small(&desk, 8)).await.unwrap_err();
    assert_eq!(refused.reason(), "wallet_damaged");
    assert!(desk.sent("/v1/issue").is_empty());
}

#[test]
fn no_wallet_is_an_empty_one() {
    let data = tempdir().unwrap();
    assert!(Contents::read(data.path()).unwrap().vouchers.is_empty());
    assert!(!data.path().join("wallet").exists());
}

#[tokio::test]
async fn of_two_vouchers_the_one_of_the_nearer_region_is_taken() {
    let desk = TestDesk::start().await;
    let (data, first) = wallet_with_one(&desk, 31).await;
    let path = files(data.path(), ".voucher.json").pop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(".local.", ".far.")).unwrap();
    let second = add_one(data.path(), &desk, 32).await;
    let (local, far) = ("local".parse().unwrap(), "far".parse().unwrap());
    let next = |rtts: &[(&voucher::Region, u64)]| {
        let rtts = rtts.iter().map(|(region, ms)| ((*region).clone(), *ms));
        let contents = Contents::read(data.path()).unwrap();
        let next = contents.next_near(&desk.uri, now(), &rtts.collect());
        next.unwrap().id()
    };
    assert_eq!(next(&[(&local, 9), (&far, 140)]), second.id());
    assert_eq!(next(&[(&local, 150), (&far, 14)]), first.id());
    let neither = "elsewhere".parse().unwrap();
    let usual = Contents::read(data.path()).unwrap().next(&desk.uri, now());
    assert_eq!(next(&[(&neither, 1)]), usual.unwrap().id());
}
