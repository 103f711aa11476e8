//! A page on a real socket, and a client that sends exactly what a test says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub
)]

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use page::{Config, Feed, Guard, Running, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub const MIME: &str = "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"";
pub const INIT: &[u8] = b"\0\0\0\x08ftyp\0\0\0\x08moov";

pub struct Page {
    pub running: Running,
    pub feed: Feed,
}

pub async fn page() -> Page {
    page_with(Guard::default()).await
}

pub async fn page_with(guard: Guard) -> Page {
    let feed = Feed::new();
    let config = Config {
        guard,
        ..Config::default()
    };
    let running = Server::start(config, feed.clone()).await.unwrap();
    Page { running, feed }
}

pub fn feed_init(feed: &Feed) {
    feed.push_init(MIME.into(), Bytes::from_static(INIT))
        .unwrap();
}

pub fn feed_fragment(feed: &Feed, name: &str, keyframe: bool, time_us: u64) {
    let bytes = Bytes::copy_from_slice(name.as_bytes());
    feed.push_fragment(bytes, keyframe, time_us).unwrap();
}

impl Page {
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn host(&self) -> String {
        format!("Host: {}", self.address())
    }

    /// `/?token=...`, as the terminal shows it.
    pub fn visit_path(&self) -> String {
        self.running.link().reveal().replace(&self.origin(), "")
    }

    /// `Cookie: name=value`, got as a browser gets it.
    pub async fn cookie(&self) -> String {
        let answer = self.get(&self.visit_path(), &[&self.host()]).await;
        assert_eq!(answer.status, 303, "{}", answer.head);
        let set = answer.header("set-cookie").unwrap();
        format!("Cookie: {}", set.split(';').next().unwrap())
    }

    pub async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    pub async fn post(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        self.send("POST", path, headers, body).await
    }

    /// One whole exchange on a connection of its own.
    pub async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = self.open(method, path, headers, body).await;
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        timeout(Duration::from_secs(5), read)
            .await
            .unwrap()
            .unwrap();
        Answer::parse(&bytes)
    }

    /// Sends a request and leaves the response to the test.
    pub async fn open(&self, method: &str, path: &str, headers: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        if !headers.iter().any(|h| h.starts_with("Connection:")) {
            request += "Connection: close\r\n";
        }
        if method == "POST" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += "\r\n";
        request += body;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Asks for the media socket; `Err` is the refusal.
    pub async fn socket(&self, headers: &[&str]) -> Result<Socket, Answer> {
        let mut all = vec![
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        all.extend(headers);
        let mut stream = self.open("GET", "/media", &all, "").await;
        let head = read_head(&mut stream).await;
        let answer = Answer::parse(head.as_bytes());
        if answer.status == 101 {
            Ok(Socket { stream })
        } else {
            Err(answer)
        }
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.into(),
            body: body.into(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The named reason of a refusal.
    pub fn reason(&self) -> &str {
        self.body.split(':').next().unwrap()
    }
}

pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(Duration::from_secs(5), stream.read_u8()).await;
        head.push(byte.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The browser's end of a WebSocket (RFC 6455, section 5.2), reading only.
pub struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// The next message; opcode 1 is text, 2 binary, 8 close.
    pub async fn message(&mut self) -> (u8, Vec<u8>) {
        timeout(Duration::from_secs(5), self.read()).await.unwrap()
    }

    async fn read(&mut self) -> (u8, Vec<u8>) {
        let opcode = self.stream.read_u8().await.unwrap() & 0x0f;
        let length = match self.stream.read_u8().await.unwrap() & 0x7f {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.unwrap();
        (opcode, payload)
    }

    pub async fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let end = self.stream.read_to_end(&mut rest);
        timeout(Duration::from_secs(5), end).await.is_ok()
    }
}
