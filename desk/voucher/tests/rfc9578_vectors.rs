//! Known answers of RFC 9578 token type 2, made by two other implementations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The test reads files; the package under test does not.
#![allow(clippy::disallowed_methods)]

use blind_rsa_signatures::reexports::rand::{TryCryptoRng, TryRng};
use data_encoding::HEXLOWER;
use privacypass::auth::authenticate::TokenChallenge;
use privacypass::{Deserialize as _, TokenType};
use serde::Deserialize;
use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use voucher::blinding::BlindToken;
use voucher::encoding::sha256;
use voucher::{Challenge, IssuerKey, Name, TokenRequest, generator};

#[derive(Deserialize)]
struct Vector {
    #[serde(alias = "skS")]
    sk_s: String,
    #[serde(alias = "pkS")]
    pk_s: String,
    token_challenge: String,
    nonce: String,
    blind: String,
    salt: String,
    token_request: String,
    token_response: String,
    token: String,
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Gives nonce, salt and blind in the order in which they are drawn.
struct Drawn(std::vec::IntoIter<Vec<u8>>);

impl TryRng for Drawn {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("no number is drawn")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("no number is drawn")
    }
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        to.copy_from_slice(&self.0.next().expect("three values are drawn"));
        Ok(())
    }
}
impl TryCryptoRng for Drawn {}

/// The vectors' folder, or `None` where they are not at hand. They belong to
/// another project and are not kept in this repository.
fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("ROUNDCAST_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let folder = root.join("privacypass-rfc9578");
    if folder.is_dir() {
        return Some(folder);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|v| !v.is_empty());
    assert!(!in_ci, "RFC 9578 vectors missing at {}", folder.display());
    let at = folder.display();
    // Past the test harness, which keeps what a passing test prints.
    let mut out = std::io::stdout();
    writeln!(out, "\nnot run: no RFC 9578 vectors at {at}").unwrap();
    None
}

#[test]
fn every_step_gives_the_known_answer() {
    let Some(folder) = folder() else { return };
    for file in ["public_go.json", "public_rs.json"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
        assert!(vectors.len() >= 5, "{file}");
        vectors.iter().for_each(check);
    }
}

fn check(vector: &Vector) {
    let pem = String::from_utf8(hex(&vector.sk_s)).unwrap();
    let body: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let der = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    let issuer = IssuerKey::from_pkcs8(&der).unwrap();
    assert_eq!(issuer.public().spki(), hex(&vector.pk_s));

    let mut blind = hex(&vector.blind);
    blind.reverse();
    let mut drawn = Drawn(vec![hex(&vector.nonce), hex(&vector.salt), blind].into_iter());
    let digest = sha256(&hex(&vector.token_challenge));
    let state = BlindToken::new(&mut drawn, issuer.public(), digest).unwrap();
    assert_eq!(
        state.request().to_bytes().to_vec(),
        hex(&vector.token_request)
    );

    let request = TokenRequest::from_bytes(&hex(&vector.token_request)).unwrap();
    let response = issuer.sign(&mut generator(&[7; 32]), &request).unwrap();
    assert_eq!(response.as_bytes().to_vec(), hex(&vector.token_response));

    let token = state.finish(&response).unwrap();
    assert_eq!(token.as_bytes().to_vec(), hex(&vector.token));
    issuer.public().verify(&token).unwrap();
}

#[test]
fn our_challenge_is_the_reference_s() {
    let shop: Name = "shop.example".parse().unwrap();
    let ledger: Name = "ledger.example".parse().unwrap();
    let ours = Challenge {
        shop: &shop,
        context: [9; 32],
        ledger: &ledger,
    };
    let reference = TokenChallenge::new(
        TokenType::Public,
        "shop.example",
        Some([9; 32]),
        &["ledger.example".to_owned()],
    );
    assert_eq!(ours.digest(), reference.digest().unwrap());
    let decoded = TokenChallenge::tls_deserialize(&mut ours.to_bytes().as_slice()).unwrap();
    assert_eq!(decoded, reference);
}
