//! A local page on its socket, and a client that sends exactly what a web
//! site of the attacker's would make a browser send.

use super::within;
use crate::Failure;
use page::{Config, Feed, Guard, Invite, Role, Running, Server, View};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer of the page may take this long, in milliseconds.
const ANSWER_MS_MAX: u64 = 5_000;
/// An answer's length, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Starts the page of a station whose invite is `invite`.
///
/// # Errors
/// The port cannot be had.
pub async fn station_page(guard: Guard, invite: &str) -> Result<Running, Failure> {
    let config = Config {
        guard,
        ..Config::default()
    };
    let running = Server::start(config, Feed::new()).await?;
    running.set_view(View {
        role: Role::Station,
        invite: Some(Invite::new(invite.to_owned())),
        ..View::default()
    })?;
    Ok(running)
}

/// An answer of the page.
#[derive(Debug)]
pub struct Answer {
    /// Status line and fields.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The first value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The name of a refusal.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.body.split(':').next().unwrap_or_default()
    }
}

/// One GET with these fields.
///
/// # Errors
/// No answer in time.
pub async fn get(running: &Running, path: &str, fields: &[&str]) -> Result<Answer, Failure> {
    get_at(running.address(), path, fields).await
}

/// What a page shows to whoever opens its link.
///
/// # Errors
/// It is no link to a page, or there is no answer in time.
pub async fn view_of(link: &str) -> Result<String, Failure> {
    let parts = link.strip_prefix("http://").and_then(|l| l.split_once('/'));
    let (authority, query) = parts.ok_or(Failure::Stage("it is no link to a page"))?;
    let address = authority.parse();
    let address = address.map_err(|_| Failure::Stage("it is no link to a page"))?;
    let host = format!("Host: {authority}");
    let visit = get_at(address, &format!("/{query}"), &[&host]).await?;
    let cookie = visit.field("set-cookie").and_then(|c| c.split(';').next());
    let cookie = format!("Cookie: {}", cookie.unwrap_or_default());
    let site = "Sec-Fetch-Site: same-origin";
    let view = get_at(address, "/view.json", &[&host, &cookie, site]).await?;
    Ok(view.body)
}

async fn get_at(address: SocketAddr, path: &str, fields: &[&str]) -> Result<Answer, Failure> {
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    for field in fields {
        request += field;
        request += "\r\n";
    }
    request += "\r\n";
    within(ANSWER_MS_MAX, "answer of the page", async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut bytes)
            .await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or(Failure::Stage("the page's answer has no head"))?;
        Ok(Answer {
            head: head.to_owned(),
            body: body.to_owned(),
        })
    })
    .await?
}
