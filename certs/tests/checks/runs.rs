use crate::world::{NOW, World, altered, key, run_statement, stream_id};
use certs::{Error, SigningKey, run, sign};
use wire::limits::RUN_LIFE_MS_MAX;
use wire::statement::RunStatement;
use wire::{Epoch, UnixMs};

fn check(change: impl Fn(&mut RunStatement)) -> Result<(), Error> {
    let stream = key(1);
    let mut value = run_statement(&stream, 7);
    change(&mut value);
    run::verify(&sign(&stream, &value), &stream_id(&stream), NOW).map(|_| ())
}

#[test]
fn accepts_the_stream_keys_own_statement() {
    assert_eq!(check(|_| ()), Ok(()));
}

#[test]
fn refuses_another_signer() {
    let stream = key(1);
    let signed = sign(&key(9), &run_statement(&stream, 7));
    let result = run::verify(&signed, &stream_id(&stream), NOW);
    assert_eq!(result.unwrap_err().reason(), "run_signature_invalid");
}

#[test]
fn refuses_a_statement_of_another_stream_even_if_the_key_signed_it() {
    let result = check(|run| run.scope.stream.0[0] ^= 1);
    assert_eq!(result, Err(Error::RunWrongStream));
}

#[test]
fn refuses_times_that_cannot_be() {
    let inverted = check(|run| run.end = run.start);
    assert_eq!(inverted, Err(Error::RunTimesInvalid));
    let endless = check(|run| run.end = run.start.plus_ms(RUN_LIFE_MS_MAX + 1));
    assert_eq!(endless, Err(Error::RunTimesInvalid));
    let later_epoch = check(|run| run.scope.epoch = Epoch(1));
    assert_eq!(later_epoch, Err(Error::RunTimesInvalid));
}

#[test]
fn accepts_the_longest_run() {
    let result = check(|run| run.end = run.start.plus_ms(RUN_LIFE_MS_MAX));
    assert_eq!(result, Ok(()));
}

#[test]
fn refuses_a_run_that_has_ended() {
    assert_eq!(check(|run| run.end = NOW), Err(Error::RunExpired));
    assert_eq!(check(|run| run.end = NOW.plus_ms(1)), Ok(()));
}

#[test]
fn refuses_a_run_that_begins_later_than_clocks_may_differ() {
    let early = |ms| {
        check(move |run| {
            run.start = NOW.plus_ms(ms);
            run.end = NOW.plus_ms(ms + 1000);
        })
    };
    assert_eq!(early(60_000), Ok(()));
    assert_eq!(early(60_001), Err(Error::RunNotStarted));
}

#[test]
fn refuses_the_stream_key_as_an_online_key() {
    let stream = key(1).public();
    for place in 0..4 {
        let result = check(|run| match place {
            0 => run.ca_key = stream,
            1 => run.chunk_key = stream,
            2 => run.permit_key = stream,
            _ => run.beacon_key = stream,
        });
        assert_eq!(result, Err(Error::RunKeyReused), "place {place}");
    }
}

#[test]
fn refuses_one_key_in_two_roles() {
    let result = check(|run| run.chunk_key = run.permit_key);
    assert_eq!(result, Err(Error::RunKeyReused));
}

#[test]
fn refuses_every_single_altered_byte() {
    let stream = key(1);
    let signed = sign(&stream, &run_statement(&stream, 7));
    for at in 0..signed.body().len() + 64 {
        let result = run::verify(&altered(&signed, at), &stream_id(&stream), NOW);
        assert_eq!(result.unwrap_err(), Error::RunSignatureInvalid, "byte {at}");
    }
}

#[test]
fn a_verified_run_still_ends() {
    let world = World::new();
    assert_eq!(
        run::still_on(&world.run, world.run.end),
        Err(Error::RunExpired)
    );
    assert_eq!(
        run::still_on(&world.run, UnixMs(world.run.end.0 - 1)),
        Ok(())
    );
}

#[test]
fn signing_keys_are_never_printed() {
    let key = SigningKey::from_seed([0xab; 32]);
    let text = format!("{key:?}");
    assert_eq!(text, "[redacted]");
}
