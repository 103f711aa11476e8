//! A desk for tests: the real keys, tokens, signatures and TLS over a ledger
//! in memory, and faults on demand.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::wallet::now;
use bytes::Bytes;
use certs::SigningKey;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use voucher::desk_uri::desk_key_hash;
use voucher::{
    Acceptance, Base64, Class, DeskUri, IssueRequest, IssueResponse, IssuerKey, KeyEpoch, KeySet,
    Name, Offer, OrderState, OrderStatus, Price, PurchaseCode, RedeemRequest, RedemptionCheck,
    Refusal, RegionProbe, RelayAddress, TokenRequest, TokenResponse, generator,
};
use wire::{OrderId, SpkiHash};

/// What the desk does with redemptions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The relay runs at once.
    #[default]
    Run,
    /// The relay runs when it was asked about this many times.
    Launch(u32),
    /// No relay can be started.
    Refund,
    /// Refuses by this name, and spends nothing.
    Refuse(&'static str),
    /// Has trouble of its own.
    Trouble,
    /// The relay has ended already.
    End,
}

/// The rest of what a test sets.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) plan: Plan,
    /// Answers that are made and never sent.
    pub(crate) lost_replies: u32,
    /// Refuses every purchase by this name.
    pub(crate) no_sale: Option<&'static str>,
    /// Blind signatures issued.
    pub(crate) issued: HashMap<Vec<u8>, TokenResponse>,
    /// Redemptions by their vouchers' nonces.
    pub(crate) spent: HashMap<[u8; 32], RedeemRequest>,
    /// Every request: path and body.
    pub(crate) requests: Vec<(String, Bytes)>,
    /// What it names to measure its regions with.
    pub(crate) probes: Vec<RegionProbe>,
    polls: u32,
}

/// A running desk; it ends with the test's runtime.
pub(crate) struct TestDesk {
    pub(crate) uri: DeskUri,
    pub(crate) script: Arc<Mutex<Script>>,
}

/// Whose certificate and whose signature the server shows.
pub(crate) struct Shown {
    pub(crate) certificate: SigningKey,
    pub(crate) signature: SigningKey,
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

pub(crate) fn desk_key() -> SigningKey {
    SigningKey::from_seed([0xd5; 32])
}

pub(crate) fn code(seed: u8) -> PurchaseCode {
    PurchaseCode::from_random([seed; 16])
}

pub(crate) fn class(size: &str, gigabytes: u32) -> Class {
    let epoch = KeyEpoch::at(now());
    format!("{size}.local.1h.{gigabytes}gb.{epoch}")
        .parse()
        .unwrap()
}

impl TestDesk {
    pub(crate) async fn start() -> Self {
        let shown = Shown {
            certificate: desk_key(),
            signature: desk_key(),
        };
        Self::start_as(shown).await
    }

    /// A server that may not be the desk that its URI pins.
    pub(crate) async fn start_as(shown: Shown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let uri = DeskUri::new("127.0.0.1", port, desk_key_hash(&desk_key().public())).unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let tls = tls(&shown);
        let served = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, script) = (tls.clone(), Arc::clone(&served));
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(|request| handle(Arc::clone(&script), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { uri, script }
    }

    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.script.lock().unwrap())
    }

    /// The bodies that were sent to `path`.
    pub(crate) fn sent(&self, path: &str) -> Vec<Bytes> {
        self.set(|script| {
            let to_path = script.requests.iter().filter(|(to, _)| to == path);
            to_path.map(|(_, body)| body.clone()).collect()
        })
    }
}

fn tls(shown: &Shown) -> TlsAcceptor {
    let certificate = certs::x509::self_signed(&shown.certificate, Vec::new()).unwrap();
    let key = PrivatePkcs8KeyDer::from(shown.signature.pkcs8_der().to_vec());
    let key = rustls::crypto::ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key)).unwrap();
    let certified = CertifiedKey::new(vec![CertificateDer::from(certificate)], key);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Fixed(Arc::new(certified))));
    TlsAcceptor::from(Arc::new(config))
}

async fn handle(
    script: Arc<Mutex<Script>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut script = script.lock().unwrap();
    script.requests.push((path.clone(), body.clone()));
    let (status, answer) = match path.as_str() {
        "/v1/keys" => ok(&key_set(script.probes.clone())),
        "/v1/issue" => script.issue(&serde_json::from_slice(&body).unwrap()),
        "/v1/redeem" => script.redeem(serde_json::from_slice(&body).unwrap()),
        "/huge" => (200, vec![b' '; 1_000_000]),
        other => script.order(other.strip_prefix("/v1/order/").unwrap()),
    };
    if script.lost_replies > 0 && path != "/v1/keys" {
        script.lost_replies -= 1;
        return Err(io::Error::other("the reply is lost"));
    }
    let response = Response::builder().status(status);
    Ok(response.body(Full::new(answer.into())).unwrap())
}

fn ok(answer: &impl Serialize) -> (u16, Vec<u8>) {
    (200, serde_json::to_vec(answer).unwrap())
}

fn refused(reason: &str) -> (u16, Vec<u8>) {
    let refusal = Refusal::new(reason, "a refusal".to_owned());
    (403, serde_json::to_vec(&refusal).unwrap())
}

impl Script {
    fn issue(&mut self, request: &IssueRequest) -> (u16, Vec<u8>) {
        if let Some(reason) = self.no_sale {
            return refused(reason);
        }
        let key = request.token_request.to_bytes().to_vec();
        let response = self
            .issued
            .entry(key)
            .or_insert_with(|| sign(&request.class, &request.token_request));
        ok(&IssueResponse {
            token_response: *response,
        })
    }

    fn redeem(&mut self, request: RedeemRequest) -> (u16, Vec<u8>) {
        match self.plan {
            Plan::Refuse(reason) => return refused(reason),
            Plan::Trouble => return (500, b"{}".to_vec()),
            _ => {}
        }
        if let Err(error) = acceptance().check(request.clone(), now()) {
            return refused(error.reason());
        }
        let stored = self
            .spent
            .entry(request.token.nonce())
            .or_insert_with(|| request.clone());
        if *stored != request {
            let mut refusal = Refusal::new("spent", "spent before".to_owned());
            refusal.spent_by = Some(Box::new(stored.clone()));
            return (409, serde_json::to_vec(&refusal).unwrap());
        }
        self.status(&request)
    }

    fn order(&mut self, id: &str) -> (u16, Vec<u8>) {
        let order = |r: &RedeemRequest| certs::order::id(&r.order().unwrap());
        let id = OrderId::from_hex(id).unwrap();
        match self.spent.values().find(|r| order(r) == id).cloned() {
            Some(request) => self.status(&request),
            None => refused("order_unknown"),
        }
    }

    fn status(&mut self, request: &RedeemRequest) -> (u16, Vec<u8>) {
        self.polls += 1;
        let state = match self.plan {
            Plan::Launch(polls) if self.polls <= polls => OrderState::Launching {},
            Plan::Refund => OrderState::Refunded {
                token_response: Box::new(sign(&request.class, &request.refund_request)),
                reason: "launch_spawn_failed".to_owned(),
            },
            Plan::End => OrderState::Done {
                reason: "relay_lost".to_owned(),
            },
            _ => OrderState::Running { relay: relay() },
        };
        ok(&OrderStatus {
            order: certs::order::id(&request.order().unwrap()),
            state,
        })
    }
}

/// The relay of every order.
pub(crate) fn relay() -> RelayAddress {
    RelayAddress {
        address: "127.0.0.5:4433".parse().unwrap(),
        spki: SpkiHash([1; 32]),
        lease_end_ms: now().plus_ms(3_600_000),
    }
}

/// Made once, since making them takes a second each.
fn issuers() -> &'static BTreeMap<Class, IssuerKey> {
    static KEYS: OnceLock<BTreeMap<Class, IssuerKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut rng = generator(&[1; 32]);
        let small = IssuerKey::generate(&mut rng, &BTreeSet::new()).unwrap();
        let taken = BTreeSet::from([small.public().id_truncated()]);
        let large = IssuerKey::generate(&mut rng, &taken).unwrap();
        BTreeMap::from([(class("small", 45), small), (class("large", 180), large)])
    })
}

fn sign(class: &Class, request: &TokenRequest) -> TokenResponse {
    let key = issuers().get(class).unwrap();
    key.sign(&mut generator(&[7; 32]), request)
        .unwrap_or(Base64([0; 256]))
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn keys() -> KeySet {
    let offer = |(class, key): (&Class, &IssuerKey)| Offer {
        class: class.clone(),
        price: Price::new(u64::from(class.gigabytes()) * 9, "USD".parse().unwrap()).unwrap(),
        key: key.public().clone(),
    };
    let offers = issuers().iter().map(offer).collect();
    KeySet::new(name("shop"), name("ledger"), desk_key().public(), offers).unwrap()
}

fn key_set(probes: Vec<RegionProbe>) -> voucher::SignedKeySet {
    let keys = keys().with_probes(probes).unwrap();
    keys.sign(&desk_key()).unwrap()
}

fn acceptance() -> Acceptance {
    let keys = issuers()
        .iter()
        .map(|(class, key)| (class.clone(), key.public().clone()));
    Acceptance::new(
        name("shop"),
        name("ledger"),
        desk_key().public(),
        keys.collect(),
    )
}
