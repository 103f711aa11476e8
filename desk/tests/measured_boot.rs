//! A whole measured boot of a released image by the desk as a program: the
//! relay's evidence is verified by who trusts this desk, and by nobody else.
//!
//! `ROUNDCAST_IMAGE` names a folder with what `roundcast-image` makes:
//! `disk.img`, `release.json`, `OVMF_VARS.fd` and `root.json`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use attest::{Expectation, Policy, TrustRoots, appraise};
use common::booting::{TURN, image, launch, serve};
use common::quic::certificate_shown;
use common::serving::{Serving, codes, gone};
use rustix::process::{Pid, Signal};
use std::path::Path;
use std::time::{Duration, Instant};
use voucher::{OrderState, RelayAddress};
use wire::OrderId;

async fn judge(image: &Path, serving: &Serving, order: OrderId, relay: &RelayAddress) {
    let certificate = certificate_shown(relay.address).await;
    assert_eq!(certs::x509::spki_hash(&certificate).unwrap(), relay.spki);
    let root = std::fs::read(image.join("root.json")).unwrap();
    let roots = TrustRoots::from_root_file(&root).unwrap();
    let expectation = Expectation::new(relay.spki, order);
    let verdict = |policy: &Policy| {
        let now = desk::clock::now().unwrap();
        appraise(&certificate, &expectation, &roots, policy, now)
    };
    let operator = Policy::default().with_operator(serving.uri.key());
    let appraised = verdict(&operator).unwrap();
    assert_eq!(appraised.assurance().name(), "operator");
    assert_eq!(appraised.parameters().lease_end, relay.lease_end_ms);

    let refused = verdict(&Policy::default()).unwrap_err();
    assert_eq!(refused.reason(), "assurance_not_accepted");
    let another = Policy::default().with_operator(relay.spki);
    assert_eq!(
        verdict(&another).unwrap_err().reason(),
        "operator_not_trusted"
    );
}

/// Guard, TPM and machine of the only order that runs.
fn processes(data: &Path) -> Vec<Pid> {
    let mut orders = std::fs::read_dir(data.join("orders")).unwrap();
    let folder = orders.next().unwrap().unwrap().path();
    let text = std::fs::read(folder.join("processes.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let pid = |entry: &serde_json::Value| i32::try_from(entry["pid"].as_i64().unwrap()).unwrap();
    let list = file["processes"].as_array().unwrap();
    list.iter()
        .map(|entry| Pid::from_raw(pid(entry)).unwrap())
        .collect()
}

#[tokio::test]
async fn a_relay_boots_measured_is_verified_and_ends_with_its_desk() {
    let Some(image) = image() else { return };
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let codes = codes(&data, "1");
    let serving = serve(&image, &data);
    let begun = Instant::now();
    let (order, state) = launch(&serving, &codes[0]).await;
    let OrderState::Running { relay } = state else {
        panic!("{state:?}")
    };
    println!("boot to serving: {:?}", begun.elapsed());
    assert_eq!(relay.address.ip().to_string(), "127.0.0.73");
    judge(&image, &serving, order, &relay).await;

    let processes = processes(&data);
    assert_eq!(processes.len(), 3);
    assert!(serving.signal(Signal::TERM).success());
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(2)), "{pid:?}");
    }
    let again = serve(&image, &data);
    let done = again.status(&order.to_hex()).await;
    assert!(matches!(done.state, OrderState::Done { reason } if reason == "desk_stopped"));
}

#[tokio::test]
async fn an_image_with_one_bit_flipped_is_refused_by_the_firmware_and_refunded() {
    let Some(image) = image() else { return };
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let (data, release) = (folder.path().join("data"), folder.path().join("release"));
    std::fs::create_dir(&release).unwrap();
    for name in ["release.json", "OVMF_VARS.fd"] {
        std::fs::copy(image.join(name), release.join(name)).unwrap();
    }
    let mut disk = std::fs::read(image.join("disk.img")).unwrap();
    let relay = std::fs::read(image.join("relay.efi")).unwrap();
    // Within the image, behind its headers and before its signature.
    let part = &relay[relay.len() / 2..][..64];
    let at = disk.windows(64).position(|window| window == part).unwrap();
    disk[at] ^= 1;
    std::fs::write(release.join("disk.img"), disk).unwrap();
    let codes = codes(&data, "1");
    let serving = serve(&release, &data);
    let (_, state) = launch(&serving, &codes[0]).await;
    let OrderState::Refunded { reason, .. } = state else {
        panic!("{state:?}")
    };
    assert_eq!(reason, "boot_refused");
}

#[tokio::test]
async fn a_desk_killed_during_a_boot_leaves_nothing() {
    let Some(image) = image() else { return };
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let codes = codes(&data, "1");
    let serving = serve(&image, &data);
    let mut record = serving.buy(&codes[0]).await;
    let order = {
        let redeem = serving.redeem(&mut record);
        // The boot takes longer than this.
        let begun = tokio::time::timeout(Duration::from_secs(5), redeem).await;
        assert!(begun.is_err(), "{begun:?}");
        serving.event("voucher_redeemed")["order"].clone()
    };
    let processes = processes(&data);
    assert!(processes.len() > 1);
    serving.signal(Signal::KILL);
    for pid in processes {
        assert!(gone(pid, Duration::from_secs(5)), "{pid:?}");
    }
    let again = serve(&image, &data);
    let refunded = again.status(order.as_str().unwrap()).await;
    assert!(matches!(refunded.state, OrderState::Refunded { .. }));
}
