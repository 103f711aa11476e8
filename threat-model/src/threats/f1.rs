//! F1: a web site rebinds its own name to this machine and reads the page of
//! a station, whose token it saw on a screen that was broadcast.
//!
//! The control is the Host allowlist. It is removed in the page's guard.

use crate::attack::attack;
use crate::scene::{self, browser};
use crate::{Control, Failure, Outcome};
use page::{Guard, HostPolicy};

attack!("F1", run);

const INVITE: &str = "roundcast:an-invite-that-nobody-should-read";

fn run(control: Control) -> Result<Outcome, Failure> {
    scene::stage(rebind(control))
}

async fn rebind(control: Control) -> Result<Outcome, Failure> {
    let hosts = match control {
        Control::On => HostPolicy::listener(),
        Control::Removed => HostPolicy::dangerously_any(),
    };
    let guard = Guard {
        hosts,
        ..Guard::default()
    };
    let page = browser::station_page(guard, INVITE).await?;
    let link = page.link().reveal();
    let path = link
        .strip_prefix(&format!("http://{}", page.address()))
        .ok_or(Failure::Stage("the page's link is not of its address"))?;
    // To the browser the rebound name is one origin with the page.
    let host = format!("Host: evil.example:{}", page.address().port());
    let visit = browser::get(&page, path, &[&host]).await?;
    let Some(cookie) = visit.field("set-cookie").and_then(|c| c.split(';').next()) else {
        return Ok(Outcome::stopped(visit.reason()));
    };
    let cookie = format!("Cookie: {cookie}");
    let site = "Sec-Fetch-Site: same-origin";
    let view = browser::get(&page, "/view.json", &[&host, &cookie, site]).await?;
    if view.body.contains(INVITE) {
        Ok(Outcome::succeeded(
            "the web site reads the station's invite",
        ))
    } else {
        Ok(Outcome::stopped(view.reason()))
    }
}
