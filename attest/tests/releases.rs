//! Releases and roots: TUF's list of attacks in the small.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use attest::offline::verify_release;
use attest::release::{Hex32, KeyRing, Role, Root, RootRoles, TrustRoot, sign, sign_root, verify};
use attest::tpm2::{Bank, Pcrs};
use attest::{Error, Status, TrustRoots};
use common::tpm::{Machine, pcrs};
use common::{NOW, World, YEAR_MS, key, key_ring};
use data_encoding::BASE64;
use wire::Digest;

fn root() -> TrustRoot {
    TrustRoot::parse(&World::default().root).unwrap()
}

fn release_reason(json: &[u8]) -> &'static str {
    verify(json, &root(), NOW).unwrap_err().reason()
}

fn next_ring() -> KeyRing {
    KeyRing {
        root: [key(31), key(32), key(33)],
        release: [key(34), key(35)],
    }
}

fn edit(json: &[u8], edit: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(json).unwrap();
    edit(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn verifies_a_release_and_its_folder() {
    let mut world = World::default();
    let program = b"a relay's program";
    let measured = world.release.measurements.software.as_mut().unwrap();
    measured.executable_sha256 = common::sha256(program).into();
    let json = world.release_json();
    let verified = verify(&json, &root(), NOW).unwrap();
    assert_eq!(verified.name(), "stable 0.1.0");
    assert_eq!(verified.digest(), common::sha256(&json));
    let judge = |program: Option<&[u8]>, roots: &TrustRoots| {
        verify_release(&json, program, roots, &world.policy, NOW)
    };
    let roots = world.roots();
    assert_eq!(judge(Some(program), &roots).status, Status::Verified);
    assert_eq!(judge(None, &roots).status, Status::Verified);
    let other = judge(Some(b"another program"), &roots);
    assert_eq!(other.reason, Some("measurement_mismatch"));
    let none = judge(None, &TrustRoots::default());
    assert_eq!(
        (none.status, none.reason),
        (Status::Unknown, Some("root_missing"))
    );
}

#[test]
fn refuses_a_changed_payload_or_signature() {
    let json = World::default().release_json();
    let other = {
        let mut world = World::default();
        world.release.security_version = 99;
        world.release_json()
    };
    let other: serde_json::Value = serde_json::from_slice(&other).unwrap();
    let swapped = edit(&json, |v| v["payload"] = other["payload"].clone());
    assert_eq!(release_reason(&swapped), "release_signature_invalid");
    let cut = edit(&json, |v| v["signatures"][0]["sig"] = "AAAA".into());
    assert_eq!(release_reason(&cut), "release_signature_invalid");
}

#[test]
fn refuses_unknown_and_repeated_fields_and_trailing_bytes() {
    let json = World::default().release_json();
    let text = String::from_utf8(json.clone()).unwrap();
    let cases = [
        edit(&json, |v| v["extra"] = 1.into()),
        edit(&json, |v| v["signatures"][0]["alg"] = "none".into()),
        edit(&json, |v| v["payloadType"] = "application/json".into()),
        edit(&json, |v| {
            let twice = v["signatures"][0].clone();
            v["signatures"].as_array_mut().unwrap().push(twice);
        }),
        text.replacen('{', "{\"payload\":\"\",", 1).into_bytes(),
        format!("{text} {{}}").into_bytes(),
        vec![b'['; 10_000],
        vec![b' '; 20_000],
    ];
    for case in cases {
        assert_eq!(release_reason(&case), "release_malformed");
    }
}

#[test]
fn refuses_signed_payloads_that_are_not_strict() {
    // Signed by the right key, but not a release in its one form.
    let world = World::default();
    let release = serde_json::to_string(&world.release).unwrap();
    let payloads = [
        release.replacen('{', "{\"unknown\":1,", 1),
        release.replacen('{', "{\"version\":\"9\",", 1),
        release.replace("roundcast.release/1", "roundcast.release/2"),
        release.replace("\"0.1.0\"", "\"0.1.0\\n\""),
        release.replace("\"security_version\":5", "\"security_version\":-5"),
        release.replace("\"security_version\":5", "\"security_version\":2"),
        release.replace("eeee", "EEEE"),
        format!("{release}{release}"),
    ];
    for payload in payloads {
        assert_ne!(payload, release);
        let kind = "application/vnd.roundcast.release.v1+json";
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let base64 = data_encoding::BASE64;
        let json = serde_json::json!({
            "payloadType": kind,
            "payload": base64.encode(payload.as_bytes()),
            "signatures": [{
                "keyid": key(4).public().to_hex(),
                "sig": base64.encode(&key(4).sign_raw(message.as_bytes())),
            }],
        });
        let json = serde_json::to_vec(&json).unwrap();
        assert_eq!(release_reason(&json), "release_malformed", "{payload}");
    }
}

#[test]
fn needs_the_threshold_of_distinct_release_keys() {
    let ring = key_ring();
    let mut roles = ring.roles();
    roles.release = Role::new(roles.release.keys().to_vec(), 2);
    let root = sign_root(
        &Root::new(1, NOW.plus_ms(YEAR_MS), roles),
        &ring.root.each_ref(),
    )
    .unwrap();
    let root = TrustRoot::parse(&root).unwrap();
    let release = World::default().release;
    let one = sign(&release, &[&ring.release[0]]).unwrap();
    let expected = Error::ReleaseThreshold {
        found: 1,
        needed: 2,
    };
    assert_eq!(verify(&one, &root, NOW), Err(expected));
    let both = sign(&release, &ring.release.each_ref()).unwrap();
    assert!(verify(&both, &root, NOW).is_ok());
    let stranger = sign(&release, &[&ring.release[0], &key(20)]).unwrap();
    assert_eq!(
        verify(&stranger, &root, NOW).unwrap_err().reason(),
        "release_threshold"
    );
}

#[test]
fn a_root_needs_two_of_its_three_keys() {
    let ring = key_ring();
    let root = Root::new(1, NOW.plus_ms(YEAR_MS), ring.roles());
    let signed = |keys: &[&certs::SigningKey]| TrustRoot::parse(&sign_root(&root, keys).unwrap());
    assert!(signed(&[&ring.root[0], &ring.root[2]]).is_ok());
    let one = signed(&[&ring.root[1]]).unwrap_err();
    assert_eq!(
        one,
        Error::RootThreshold {
            found: 1,
            needed: 2
        }
    );
    let strangers = signed(&[&key(20), &key(21)]).unwrap_err();
    assert_eq!(strangers, Error::RootSignatureInvalid);
    let release_keys = signed(&ring.release.each_ref()).unwrap_err();
    assert_eq!(release_keys, Error::RootSignatureInvalid);
}

#[test]
fn refuses_roles_that_make_no_sense() {
    let ring = key_ring();
    let keys = |range: std::ops::Range<u8>| range.map(|i| key(i).public().into()).collect();
    let good = ring.roles();
    let release = |role| RootRoles {
        release: role,
        ..good.clone()
    };
    let root = |role| RootRoles {
        root: role,
        ..good.clone()
    };
    let one: Vec<Hex32> = keys(1..2);
    let cases = [
        root(Role::new(keys(1..4), 1)),
        root(Role::new(keys(1..4), 4)),
        root(Role::new([one.clone(), one.clone()].concat(), 2)),
        release(Role::new(vec![], 0)),
        release(Role::new(keys(4..6), 0)),
        release(Role::new(one, 1)),
    ];
    for roles in cases {
        let root = Root::new(1, NOW.plus_ms(YEAR_MS), roles);
        let error = sign_root(&root, &ring.root.each_ref()).unwrap_err();
        assert_eq!(error.reason(), "root_malformed");
    }
}

#[test]
fn a_new_root_is_signed_by_the_old_and_the_new_threshold() {
    let (old, new) = (key_ring(), next_ring());
    let next = Root::new(2, NOW.plus_ms(YEAR_MS), new.roles());
    let (o, n) = (&old.root, &new.root);
    let rotate = |root: &Root, keys: &[&certs::SigningKey]| {
        self::root().rotate(&sign_root(root, keys).unwrap())
    };
    let rotated = rotate(&next, &[&o[0], &o[1], &n[0], &n[1]]).unwrap();
    assert_eq!(rotated.version(), 2);
    // Releases of the old keys are out, those of the new ones are in.
    let world = World::default();
    let by_old = verify(&world.release_json(), &rotated, NOW).unwrap_err();
    assert_eq!(by_old, Error::ReleaseSignatureInvalid);
    let by_new = new.sign_release(&world.release).unwrap();
    assert!(verify(&by_new, &rotated, NOW).is_ok());

    let reason =
        |root: &Root, keys: &[&certs::SigningKey]| rotate(root, keys).unwrap_err().reason();
    assert_eq!(reason(&next, &[&n[0], &n[1]]), "root_signature_invalid");
    assert_eq!(reason(&next, &[&o[0], &o[1]]), "root_signature_invalid");
    assert_eq!(reason(&next, &[&o[0], &n[0], &n[1]]), "root_threshold");
    assert_eq!(reason(&next, &[&o[0], &o[1], &n[0]]), "root_threshold");
    for version in [1, 3, u64::MAX] {
        let root = Root::new(version, NOW.plus_ms(YEAR_MS), next.roles.clone());
        assert_eq!(reason(&root, &[&o[0], &o[1], &n[0], &n[1]]), "root_version");
    }
}

#[test]
fn a_root_is_no_release_and_a_release_no_root() {
    let world = World::default();
    assert_eq!(release_reason(&world.root), "release_malformed");
    let error = TrustRoot::parse(&world.release_json()).unwrap_err();
    assert_eq!(error.reason(), "root_malformed");
}

#[test]
fn a_release_carries_revocations() {
    let mut world = World::default();
    world.release.denied = vec![Digest([0xaa; 32]).into()];
    let verified = verify(&world.release_json(), &root(), NOW).unwrap();
    let mut policy = world.policy.clone();
    policy.learn(&verified);
    assert_eq!(
        policy,
        world
            .policy
            .with_security_version_min(3)
            .with_denied(Digest([0xaa; 32]))
    );
}

/// A release whose payload was written by hand, signed by the developer.
fn signed(edit_payload: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let genuine: serde_json::Value =
        serde_json::from_slice(&Machine::default().world.release_json()).unwrap();
    let kind = genuine["payloadType"].as_str().unwrap();
    let payload = BASE64.decode(genuine["payload"].as_str().unwrap().as_bytes());
    let payload = edit(&payload.unwrap(), edit_payload);
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    let signature = key(4).sign_raw(&[head.as_bytes(), &payload].concat());
    let signed = serde_json::json!({
        "payloadType": kind,
        "payload": BASE64.encode(&payload),
        "signatures": [{ "keyid": Digest(key(4).public().0).to_hex(), "sig": BASE64.encode(&signature) }],
    });
    serde_json::to_vec(&signed).unwrap()
}

#[test]
fn a_release_names_the_registers_of_each_firmware() {
    let release = verify(&signed(|_| ()), &root(), NOW).unwrap();
    let profiles = &release.measurements.tpm2;
    assert_eq!(profiles.len(), 2);
    assert_eq!(profiles[0].name, "ovmf-sha256");
    assert_eq!(profiles[0].pcrs, pcrs(Bank::Sha256));
    assert_eq!(profiles[1].pcrs, pcrs(Bank::Sha384));
    let form = serde_json::to_value(&profiles[0]).unwrap();
    assert_eq!(form["bank"], "sha256");
    assert_eq!(form["pcrs"]["11"], "11".repeat(32));
}

#[test]
fn a_release_with_a_careless_profile_is_refused_whoever_signed_it() {
    let refused = |what: &str, change: fn(&mut serde_json::Value)| {
        let json = signed(|payload| change(&mut payload["measurements"]["tpm2"][0]));
        assert_eq!(release_reason(&json), "release_malformed", "{what}");
    };
    assert!(verify(&signed(|_| ()), &root(), NOW).is_ok());
    refused("PCR 4 not measured", |p| {
        p["pcrs"]["4"] = "00".repeat(32).into()
    });
    refused("PCR 7 not measured", |p| {
        p["pcrs"]["7"] = "00".repeat(32).into()
    });
    refused("PCR 11 not measured", |p| {
        p["pcrs"]["11"] = "00".repeat(32).into()
    });
    refused("PCR 12 allowed", |p| {
        p["pcrs"]["12"] = "01".repeat(32).into()
    });
    refused("PCR 13 allowed", |p| {
        p["pcrs"]["13"] = "01".repeat(32).into()
    });
    refused("PCR 9 left out", |p| {
        p["pcrs"].as_object_mut().unwrap().remove("9");
    });
    refused("PCR 16 added", |p| p["pcrs"]["16"] = "16".repeat(32).into());
    refused("a wildcard", |p| p["pcrs"]["9"] = "*".into());
    refused("null", |p| p["pcrs"]["9"] = serde_json::Value::Null);
    refused("upper case", |p| p["pcrs"]["9"] = "AB".repeat(32).into());
    refused("too short", |p| p["pcrs"]["9"] = "09".repeat(31).into());
    refused("SHA-384 in bank sha256", |p| {
        p["pcrs"]["9"] = "09".repeat(48).into()
    });
    refused("unknown bank", |p| p["bank"] = "sha1".into());
    refused("unknown field", |p| p["any"] = true.into());
    refused("no name", |p| p["name"] = "".into());
    let many = signed(|payload| {
        let profile = payload["measurements"]["tpm2"][0].clone();
        payload["measurements"]["tpm2"] = vec![profile; 9].into();
    });
    assert_eq!(release_reason(&many), "release_malformed");
    // Nor does the developer's own tool sign one.
    let mut careless = Machine::default().world.release;
    let profile = &mut careless.measurements.tpm2[0];
    profile.pcrs = Pcrs::new(Bank::Sha256, [0; 6].map(|_: u8| vec![0; 32])).unwrap();
    assert!(sign(&careless, &[&key(4)]).is_err());
}
