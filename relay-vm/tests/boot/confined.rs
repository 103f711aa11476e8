//! The program itself, as a process that gave its system calls up.

use crate::desk::{key, opening, software};
use certs::SigningKey;
use link::{Endpoint, Identity, Patience};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use wire::Nonce;
use wire::message::StreamKind;
use wire::message::command::{Command as Order, CommandReply};
use wire::message::control::Empty;
use wire::message::live::{Challenge, Response};

fn start() -> Child {
    Command::new(env!("CARGO_BIN_EXE_roundcast-relay"))
        .args(["--boot-stdio", "--json", "--confine"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn self_made(key: SigningKey) -> Identity {
    let certificate = certs::x509::self_signed(&key, Vec::new()).unwrap();
    Identity {
        key: Arc::new(key),
        certificate,
    }
}

/// Challenges the relay, and asks for its status, as its holder.
async fn visit(address: SocketAddr, holder: SigningKey) -> (Response, CommandReply) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let socket = Arc::new(Endpoint::bind(any, &self_made(holder)).unwrap());
    let link = socket.dial(address, None, Patience::Control).await.unwrap();
    let mut channel = link::open_channel(&link, StreamKind::Challenge)
        .await
        .unwrap();
    let nonce = Nonce([3; 32]);
    channel.send(&Challenge { nonce }).await.unwrap();
    let _ = channel.send.finish();
    let quoted = channel.expect("no answer").await.unwrap();
    let mut channel = link::open_channel(&link, StreamKind::Command)
        .await
        .unwrap();
    channel.send(&Order::Status(Empty {})).await.unwrap();
    (quoted, channel.expect("no reply").await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confined_relay_boots_serves_and_ends_with_its_desk() {
    let (desk, holder) = (key(), key());
    let mut opening = opening(&desk);
    opening.order.holder_key = holder.public();
    let mut child = start();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    writeln!(input, "{}", opening.line().unwrap()).unwrap();
    let request = lines.next().unwrap().unwrap();
    writeln!(input, "{}", software(&desk, &opening, &request)).unwrap();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let address = ready["address"].as_str().unwrap().parse().unwrap();
    let (quoted, reply) = visit(address, holder).await;
    assert_eq!(quoted.quote.len(), 64, "an Ed25519 signature");
    assert!(matches!(reply, CommandReply::Status(_)), "{reply:?}");
    drop(input);
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}");
}
