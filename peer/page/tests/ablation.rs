//! Each control of the guard, removed alone, lets the attack through that it
//! stops: none of them is there for nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Page, feed_init, page, page_with};
use page::{CspPolicy, Guard, HostPolicy, Invite, OriginPolicy, Role, TokenPolicy, View};

fn show_invite(page: &Page) {
    let view = View {
        role: Role::Station,
        invite: Some(Invite::new("roundcast:secret".into())),
        ..View::default()
    };
    page.running.set_view(view).unwrap();
}

/// A site whose name was rebound to this machine, and that saw the token on
/// a screen that was broadcast, reads the invite by its own name.
async fn rebinding(page: &Page) -> bool {
    show_invite(page);
    let host = format!("Host: evil.example:{}", page.address().port());
    let visit = page.get(&page.visit_path(), &[&host]).await;
    let Some(set) = visit.header("set-cookie") else {
        return false;
    };
    let cookie = format!("Cookie: {}", set.split(';').next().unwrap());
    let site = "Sec-Fetch-Site: same-origin";
    let view = page.get("/view.json", &[&host, &cookie, site]).await;
    view.body.contains("roundcast:secret")
}

/// Another user of this machine asks the port.
async fn other_user(page: &Page) -> bool {
    show_invite(page);
    let view = page.get("/view.json", &[&page.host()]).await;
    view.body.contains("roundcast:secret")
}

/// A page of another port of this machine opens the media socket; to the
/// browser it is the same site, so the cookie goes along.
async fn socket_hijack(page: &Page) -> bool {
    feed_init(&page.feed);
    let cookie = page.cookie().await;
    let headers = [
        &*page.host(),
        &cookie,
        "Origin: http://127.0.0.1:1",
        "Sec-Fetch-Site: same-site",
    ];
    match page.socket(&headers).await {
        Ok(mut socket) => socket.message().await.0 == 1,
        Err(_) => false,
    }
}

/// A site frames the page in a browser without Fetch Metadata; the browser
/// frames whatever does not forbid it.
async fn framing(page: &Page) -> bool {
    let answer = page.get("/", &[&page.host(), &page.cookie().await]).await;
    let policy = answer.header("content-security-policy");
    answer.status == 200 && !policy.is_some_and(|p| p.contains("frame-ancestors 'none'"))
}

#[tokio::test]
async fn whole_guard_stops_every_attack() {
    let page = page().await;
    assert!(!rebinding(&page).await);
    assert!(!other_user(&page).await);
    assert!(!socket_hijack(&page).await);
    assert!(!framing(&page).await);
}

#[tokio::test]
async fn without_the_host_allowlist_a_rebound_site_reads_the_invite() {
    let hosts = HostPolicy::dangerously_any();
    assert!(
        rebinding(
            &page_with(Guard {
                hosts,
                ..Guard::default()
            })
            .await
        )
        .await
    );
}

#[tokio::test]
async fn without_the_token_another_user_reads_the_invite() {
    let token = TokenPolicy::dangerously_off();
    assert!(
        other_user(
            &page_with(Guard {
                token,
                ..Guard::default()
            })
            .await
        )
        .await
    );
}

#[tokio::test]
async fn without_the_origin_check_another_port_takes_the_media() {
    let origin = OriginPolicy::dangerously_any();
    assert!(
        socket_hijack(
            &page_with(Guard {
                origin,
                ..Guard::default()
            })
            .await
        )
        .await
    );
}

#[tokio::test]
async fn without_the_policy_the_page_can_be_framed() {
    let csp = CspPolicy::dangerously_off();
    assert!(
        framing(
            &page_with(Guard {
                csp,
                ..Guard::default()
            })
            .await
        )
        .await
    );
}
