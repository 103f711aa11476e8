//! Who is let in to the page, and what every response carries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{page, page_with};
use page::{CSP, Config, Feed, Guard, LIVE_CSP, Server, TokenPolicy};

#[tokio::test]
async fn refuses_every_host_but_its_own() {
    let page = page().await;
    let path = page.visit_path();
    let port = page.address().port();
    for host in [
        format!("Host: evil.example:{port}"),
        "Host: 127.0.0.1".into(),
        format!("Host: 127.0.0.1:{port}.evil.example"),
        "Host: ".into(),
        format!("Host: localhost:{port}\r\nHost: evil.example"),
        "X: no host at all".into(),
    ] {
        let answer = page.get(&path, &[&host]).await;
        // Without any Host, HTTP itself may refuse first.
        assert!([421, 400].contains(&answer.status), "{host}");
        assert!(answer.header("set-cookie").is_none());
    }
    let rebound = page
        .get(&path, &[&format!("Host: evil.example:{port}")])
        .await;
    assert_eq!(
        (rebound.status, rebound.reason()),
        (421, "host_not_allowed")
    );
    let absolute = format!("http://evil.example{path}");
    assert_eq!(page.get(&absolute, &[&page.host()]).await.status, 421);
}

#[tokio::test]
async fn localhost_with_the_port_is_its_own_name() {
    let page = page().await;
    let host = format!("Host: localhost:{}", page.address().port());
    assert_eq!(page.get(&page.visit_path(), &[&host]).await.status, 303);
}

#[tokio::test]
async fn refuses_everything_without_the_token() {
    let page = page().await;
    let host = page.host();
    for path in [
        "/",
        "/app.js",
        "/view.json",
        "/events",
        "/live.mp4",
        "/media",
    ] {
        let answer = page.get(path, &[&host]).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (401, "token_missing"),
            "{path}"
        );
    }
    for path in ["/?token=wrong", "/?token=", "/live.mp4?token=wrong"] {
        let answer = page.get(path, &[&host]).await;
        assert_eq!(
            (answer.status, answer.reason()),
            (403, "token_mismatch"),
            "{path}"
        );
    }
    let stale = format!("Cookie: roundcast_{}=stale", page.address().port());
    let answer = page.get("/", &[&host, &stale]).await;
    assert_eq!((answer.status, answer.reason()), (403, "token_mismatch"));
}

#[tokio::test]
async fn token_is_exchanged_for_a_cookie() {
    let page = page().await;
    let answer = page.get(&page.visit_path(), &[&page.host()]).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{set}"
    );
    let token = page.visit_path().replace("/?token=", "");
    assert!(!set.contains(&token), "the cookie must not be the token");
    let answer = page.get("/", &[&page.host(), &page.cookie().await]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("id=\"player\""));
}

#[tokio::test]
async fn cookie_set_by_another_port_locks_nobody_out() {
    let page = page().await;
    let cookie = page.cookie().await;
    let tossed = cookie.replace(
        "Cookie: ",
        &format!("Cookie: roundcast_{}=x; ", page.address().port()),
    );
    assert_eq!(page.get("/", &[&page.host(), &tossed]).await.status, 200);
}

#[tokio::test]
async fn single_visit_token_is_spent_by_the_first_visit() {
    let page = page_with(Guard {
        token: TokenPolicy::single_visit(),
        ..Guard::default()
    })
    .await;
    let path = page.visit_path();
    assert_eq!(page.get(&path, &[&page.host()]).await.status, 303);
    let again = page.get(&path, &[&page.host()]).await;
    assert_eq!((again.status, again.reason()), (403, "token_spent"));
}

#[tokio::test]
async fn player_token_opens_the_stream_and_nothing_else() {
    let page = page().await;
    let token = page.running.live_link().reveal();
    let token = token.split("token=").nth(1).unwrap();
    let visit = page.get(&format!("/?token={token}"), &[&page.host()]).await;
    assert_eq!(visit.reason(), "token_mismatch");
    let view = page
        .get(&format!("/view.json?token={token}"), &[&page.host()])
        .await;
    assert_eq!(view.reason(), "token_missing");
    let mut stream = page
        .open(
            "GET",
            &format!("/live.mp4?token={token}"),
            &[&page.host()],
            "",
        )
        .await;
    assert!(
        common::read_head(&mut stream)
            .await
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn refuses_requests_made_by_other_sites() {
    let page = page().await;
    let (host, cookie) = (page.host(), page.cookie().await);
    for site in ["cross-site", "same-site", "nonsense"] {
        let site = format!("Sec-Fetch-Site: {site}");
        let answer = page.get("/view.json", &[&host, &cookie, &site]).await;
        assert_eq!((answer.status, answer.reason()), (403, "cross_site"));
    }
    for site in ["same-origin", "none"] {
        let site = format!("Sec-Fetch-Site: {site}");
        assert_eq!(
            page.get("/view.json", &[&host, &cookie, &site])
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn refuses_sockets_and_posts_of_other_origins() {
    let page = page().await;
    let (host, cookie) = (page.host(), page.cookie().await);
    let port = page.address().port();
    for origin in [
        "Origin: http://evil.example".into(),
        "Origin: null".into(),
        "Origin: http://127.0.0.1:1".into(),
        format!("Origin: https://127.0.0.1:{port}"),
        "X-No-Origin: 1".into(),
    ] {
        let Err(refusal) = page.socket(&[&host, &cookie, &origin]).await else {
            panic!("socket opened for {origin}");
        };
        assert_eq!(refusal.status, 403, "{origin}");
        let json = "Content-Type: application/json";
        let body = r#"{"what":"relay"}"#;
        let answer = page
            .post("/stop", &[&host, &cookie, &origin, json], body)
            .await;
        assert_eq!(
            (answer.status, answer.reason()),
            (403, "origin_not_allowed")
        );
    }
}

#[tokio::test]
async fn every_response_carries_the_headers() {
    let page = page().await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self'; media-src blob:; worker-src 'self' blob:; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    assert_eq!(CSP, policy);
    let (host, cookie) = (page.host(), page.cookie().await);
    let good = page.get("/", &[&host, &cookie]).await;
    let refused = page.get("/", &[&host]).await;
    let missing = page.get("/none.js", &[&host, &cookie]).await;
    assert_eq!(missing.reason(), "not_found");
    for answer in [good, refused, missing] {
        assert_eq!(answer.header("content-security-policy"), Some(policy));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            Some("same-origin")
        );
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            Some("same-origin")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn live_file_lets_the_browsers_own_player_load_it() {
    let page = page().await;
    let answer = page.get("/live.mp4", &[&page.host()]).await;
    assert_eq!(answer.header("content-security-policy"), Some(LIVE_CSP));
    assert!(LIVE_CSP.contains("default-src 'none'; media-src 'self';"));
    assert!(LIVE_CSP.contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn page_has_no_inline_script_or_style() {
    let page = page().await;
    let answer = page.get("/", &[&page.host(), &page.cookie().await]).await;
    let html = answer.body.to_ascii_lowercase();
    assert!(!html.contains("style="));
    assert!(!html.contains("<style"));
    assert!(!html.contains(" onload=") && !html.contains(" onclick="));
    assert!(!html.contains("http://") && !html.contains("https://"));
}

#[tokio::test]
async fn refuses_to_listen_beyond_this_machine() {
    let config = Config {
        address: "0.0.0.0:0".parse().unwrap(),
        ..Config::default()
    };
    let error = Server::start(config, Feed::new()).await.unwrap_err();
    assert_eq!(error.reason(), "address_not_loopback");
}

#[tokio::test]
async fn port_in_use_is_named_with_the_fix() {
    let first = page().await;
    let config = Config {
        address: first.address(),
        ..Config::default()
    };
    let error = Server::start(config, Feed::new()).await.unwrap_err();
    assert_eq!(error.reason(), "port_in_use");
    assert!(error.to_string().contains("--page"), "{error}");
}

#[tokio::test]
async fn debug_output_has_no_secret() {
    let page = page().await;
    let token = page.visit_path().replace("/?token=", "");
    let cookie = page.cookie().await;
    let value = cookie.split('=').nth(1).unwrap();
    let text = format!("{:?} {:?}", page.running, page.running.link());
    assert!(!text.contains(&token) && !text.contains(value), "{text}");
}
