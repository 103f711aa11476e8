//! Boots that firmware has nothing to say against, since the image is the
//! developer's: who verifies the relay refuses it, each for its reason.
//!
//! Beside what `measured_boot.rs` needs, the image's folder has `newer.json`: a
//! later release of the same developer, which raises the floor of security
//! versions. What the relays showed is kept in the folder that
//! `ROUNDCAST_BOOTED` names, for threat-model to judge without its controls.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use attest::release::{TrustRoot, verify};
use attest::{Appraised, Expectation, Policy, Refusal, TrustRoots, appraise};
use common::booting::{TURN, image, launch, serve};
use common::quic::certificate_shown;
use common::serving::codes;
use data_encoding::HEXLOWER;
use std::path::{Path, PathBuf};
use std::process::Command;
use voucher::{OrderState, RelayAddress};
use wire::{OrderId, SpkiHash, UnixMs};

/// A relay that booted, as its verifier sees it.
struct Shown {
    certificate: Vec<u8>,
    relay: RelayAddress,
    order: OrderId,
    operator: SpkiHash,
    root: Vec<u8>,
    at: UnixMs,
}

impl Shown {
    /// Has a desk boot what is in `release`.
    async fn by_booting(release: &Path, image: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let codes = codes(&data, "1");
        let serving = serve(release, &data);
        let mut record = serving.buy(&codes[0]).await;
        let (order, state) = launch(&serving, &mut record).await;
        let OrderState::Running { relay } = state else {
            panic!("{state:?}")
        };
        Self {
            certificate: certificate_shown(relay.address).await,
            relay,
            order,
            operator: serving.uri.key(),
            root: std::fs::read(image.join("root.json")).unwrap(),
            at: desk::clock::now().unwrap(),
        }
    }

    fn verdict(&self, policy: Policy) -> Result<Appraised, Refusal> {
        let expected = Expectation::new(self.relay.spki, self.order);
        let roots = TrustRoots::from_root_file(&self.root).unwrap();
        let policy = policy.with_operator(self.operator);
        appraise(&self.certificate, &expected, &roots, &policy, self.at)
    }

    fn keep(&self, name: &str, newer: &str) {
        let folder = std::env::var_os("ROUNDCAST_BOOTED").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| panic!("ROUNDCAST_BOOTED names a folder"));
        let kept = serde_json::json!({
            "certificate": HEXLOWER.encode(&self.certificate),
            "spki": self.relay.spki.to_hex(),
            "order": self.order.to_hex(),
            "operator": self.operator.to_hex(),
            "root": String::from_utf8(self.root.clone()).unwrap(),
            "newer": newer,
            "at_ms": self.at.0,
        });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), kept.to_string()).unwrap();
    }
}

fn newer(image: &Path) -> String {
    std::fs::read_to_string(image.join("newer.json")).unwrap()
}

/// Puts a credential beside the image, where the stub looks for some.
fn inject(disk: &Path) {
    let secret = disk.with_extension("cred");
    std::fs::write(&secret, "anything").unwrap();
    let volume = format!("{}@@1M", disk.display());
    let folder = "::/EFI/BOOT/BOOTX64.EFI.extra.d";
    let copied = format!("{folder}/evil.cred");
    let secret = secret.display().to_string();
    for (tool, arguments) in [("mmd", vec![folder]), ("mcopy", vec![&secret, &copied])] {
        let mut command = Command::new(tool);
        command.args(["-i", &volume]).args(arguments);
        assert!(
            command.status().unwrap().success(),
            "{tool} fails; install mtools"
        );
    }
}

#[tokio::test]
async fn an_image_with_a_credential_beside_it_boots_and_is_refused_by_its_registers() {
    let image = image();
    let _turn = TURN.lock().await;
    let release = tempfile::tempdir().unwrap();
    for name in ["release.json", "OVMF_VARS.fd", "disk.img"] {
        std::fs::copy(image.join(name), release.path().join(name)).unwrap();
    }
    inject(&release.path().join("disk.img"));
    let shown = Shown::by_booting(release.path(), &image).await;
    let refused = shown.verdict(Policy::default()).unwrap_err();
    assert_eq!(refused.reason(), "pcr_injected");
    shown.keep("injected.json", &newer(&image));
}

#[tokio::test]
async fn an_older_release_boots_and_is_refused_by_who_knows_a_newer_one() {
    let image = image();
    let _turn = TURN.lock().await;
    let shown = Shown::by_booting(&image, &image).await;
    assert!(shown.verdict(Policy::default()).is_ok());
    let root = TrustRoot::parse(&shown.root).unwrap();
    let newer = newer(&image);
    let mut learnt = Policy::default();
    learnt.learn(&verify(newer.as_bytes(), &root, shown.at).unwrap());
    let refused = shown.verdict(learnt).unwrap_err();
    assert_eq!(refused.reason(), "release_rolled_back");
    shown.keep("rolled-back.json", &newer);
}
