//! Child processes as the demo handles them, with the system's shell in the
//! place of a program.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;
use tests::demo::error::Error;
use tests::demo::narrator::Narrator;
use tests::demo::world::World;
use tests::process::{Exit, Launch, Output, Process, run};
use tokio::sync::mpsc::unbounded_channel;

const PATIENCE: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(100);

fn shell(place: &Path, script: &str) -> Launch {
    Launch::new(Path::new("/bin/sh"), place.join("log"))
        .flag("-c")
        .flag(script)
}

fn event(kind: &str, fields: &str) -> String {
    format!(
        r#"echo '{{"schema":"roundcast.event/1","mono_us":1,"kind":"{kind}","who":"A"{fields}}}'"#
    )
}

fn world() -> World {
    World::new(None, Narrator::new(true))
}

#[tokio::test]
async fn events_strays_and_the_end_come_in_order() {
    let place = tempfile::tempdir().unwrap();
    let (sender, mut outputs) = unbounded_channel();
    let script = format!("read x; {}; echo \"$x\"; echo why >&2", event("joined", ""));
    let mut process = Process::start("A", &shell(place.path(), &script), sender).unwrap();
    process.tell("hello").await.unwrap();
    let first = outputs.recv().await.unwrap();
    assert!(matches!(first, Output::Event(event) if event.kind == "joined" && event.source == "A"));
    let second = outputs.recv().await.unwrap();
    assert!(matches!(second, Output::Stray { line, .. } if line == "hello"));
    assert!(matches!(
        outputs.recv().await.unwrap(),
        Output::Closed { .. }
    ));
    assert_eq!(process.end(PATIENCE).await.unwrap(), Exit::Code(0));
    assert_eq!(process.log_tail(), "why");
}

#[tokio::test]
async fn who_does_not_leave_is_terminated_and_at_last_killed() {
    let place = tempfile::tempdir().unwrap();
    let (sender, mut outputs) = unbounded_channel();
    let polite = shell(place.path(), "exec sleep 600");
    let mut process = Process::start("A", &polite, sender.clone()).unwrap();
    assert_eq!(process.exit_within(SOON).await.unwrap(), None);
    assert_eq!(process.end(SOON).await.unwrap(), Exit::Signal(15));

    let deaf = format!(
        "trap '' TERM; {}; while :; do sleep 0.1; done",
        event("deaf", "")
    );
    let mut process = Process::start("B", &shell(place.path(), &deaf), sender).unwrap();
    while !matches!(outputs.recv().await.unwrap(), Output::Event(_)) {}
    assert_eq!(process.end(SOON).await.unwrap(), Exit::Signal(9));
}

#[tokio::test]
async fn a_dropped_process_does_not_stay() {
    let place = tempfile::tempdir().unwrap();
    let (sender, mut outputs) = unbounded_channel();
    let script = format!("{}; exec sleep 600", event("here", ""));
    let process = Process::start("A", &shell(place.path(), &script), sender).unwrap();
    assert!(matches!(outputs.recv().await.unwrap(), Output::Event(_)));
    drop(process);
    let closed = tokio::time::timeout(PATIENCE, outputs.recv())
        .await
        .unwrap();
    assert!(matches!(closed.unwrap(), Output::Closed { .. }));
}

#[tokio::test]
async fn a_command_gives_its_exit_and_what_it_printed() {
    let place = tempfile::tempdir().unwrap();
    let brief = shell(place.path(), "echo said; exit 3");
    let done = run("speak", &brief, PATIENCE).await.unwrap();
    assert_eq!(done, (Exit::Code(3), "said\n".to_owned()));
    let endless = shell(place.path(), "exec sleep 600");
    let error = run("hang", &endless, SOON).await.unwrap_err();
    assert_eq!(error.reason(), "process_not_started");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let place = tempfile::tempdir().unwrap();
    let launch = Launch::new(Path::new("/nowhere/roundcast"), place.path().join("log"));
    let error = world().start("A", &launch).unwrap_err();
    assert!(error.to_string().contains("/nowhere/roundcast"), "{error}");
}

#[tokio::test]
async fn a_wait_ends_with_its_event_or_names_what_did_not_come() {
    let place = tempfile::tempdir().unwrap();
    let mut world = world();
    let script = format!("{}; exec sleep 600", event("member", r#","spki":"aa""#));
    world.start("A", &shell(place.path(), &script)).unwrap();
    world
        .wait("A is a member", PATIENCE, |log| {
            log.told("A", "member", "A").is_some()
        })
        .await
        .unwrap();
    let error = world.wait("A sings", SOON, |_| false).await.unwrap_err();
    let Error::Timeout {
        awaited, last_seen, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(awaited, "A sings");
    assert!(last_seen.starts_with("member A"), "{last_seen}");
}

#[tokio::test]
async fn a_process_that_ends_before_its_time_fails_the_wait_with_its_log() {
    let place = tempfile::tempdir().unwrap();
    let mut world = world();
    world
        .start("A", &shell(place.path(), "echo no such file >&2; exit 1"))
        .unwrap();
    let error = world
        .wait("A sings", PATIENCE, |_| false)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Died { name, log, .. } if name == "A" && log == "no such file")
    );
    world.end("A", Exit::Code(0), PATIENCE).await.unwrap();
    assert_eq!(world.exits.get("A").unwrap().got, Some(Exit::Code(1)));
}

#[tokio::test]
async fn an_asked_viewer_gets_its_answer_on_standard_input() {
    let place = tempfile::tempdir().unwrap();
    let mut world = world();
    let asked = event(
        "sponsor_prompted",
        r#","ask":7,"cause":"join","step":"leaves""#,
    );
    let script = format!(
        "{asked}; read answer ask; {}",
        event("'\"$answer$ask\"'", "")
    );
    world.start("A", &shell(place.path(), &script)).unwrap();
    world.may_leave("A");
    world
        .wait("A declines", PATIENCE, |log| {
            log.told("A", "decline7", "A").is_some()
        })
        .await
        .unwrap();
}
