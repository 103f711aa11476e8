use crate::world::{World, altered, publish};
use certs::chunk::{HeaderLimits, HeaderVerifier, equivocation, verify_equivocation};
use certs::{Error, sign};
use wire::message::edge::Equivocation;
use wire::statement::ChunkHeader;
use wire::{Digest, Rendition, Sequence, UnixMs};

fn verifier(world: &World) -> HeaderVerifier {
    HeaderVerifier::new(&world.run, HeaderLimits::default())
}

fn check(change: impl Fn(&World, &mut ChunkHeader)) -> Result<(), Error> {
    let world = World::new();
    let mut header = world.media(100).header.into_inner();
    change(&world, &mut header);
    let limits = HeaderLimits {
        renditions: 2,
        window: 4,
    };
    HeaderVerifier::new(&world.run, limits)
        .verify(&sign(&world.chunk, &header))
        .map(|_| ())
}

#[test]
fn accepts_what_the_publisher_signed() {
    let world = World::new();
    let chunk = world.media(100);
    let header = verifier(&world).verify(&chunk.signed).unwrap();
    assert_eq!(header, chunk.header);
}

#[test]
fn refuses_a_header_by_any_other_of_the_runs_keys() {
    let world = World::new();
    let header = world.media(100).header.into_inner();
    for signer in [&world.stream, &world.ca, &world.permit, &world.beacon] {
        let error = verifier(&world).verify(&sign(signer, &header)).unwrap_err();
        assert_eq!(error.reason(), "header_signature_invalid");
        assert_eq!(error.wire_reason(), wire::Reason::HeaderSignatureInvalid);
    }
}

#[test]
fn refuses_a_header_replayed_into_another_run_or_stream() {
    let wrong_run = check(|world, header| header.scope = world.other_run());
    assert_eq!(wrong_run, Err(Error::HeaderWrongRun));
    let wrong_stream = check(|world, header| header.scope = world.other_stream());
    assert_eq!(wrong_stream, Err(Error::HeaderWrongStream));
}

#[test]
fn refuses_a_rendition_or_stripes_that_the_run_does_not_have() {
    let rendition = check(|_, header| header.rendition = Rendition(2));
    assert_eq!(rendition, Err(Error::HeaderRenditionUnknown));
    let stripes = check(|_, header| header.layout.m = 1);
    assert_eq!(stripes, Err(Error::HeaderStripesUnexpected));
}

#[test]
fn refuses_fields_that_contradict_each_other() {
    let init = check(|_, header| {
        header.flags.init = true;
        header.init_sequence = Sequence(header.sequence.0 + 1);
    });
    assert_eq!(init, Err(Error::HeaderInconsistent));
    let early = check(|world, header| {
        header.published = UnixMs(world.run.start.0 - 60_001);
    });
    assert_eq!(early, Err(Error::HeaderInconsistent));
    let late = check(|world, header| header.published = world.run.end.plus_ms(60_001));
    assert_eq!(late, Err(Error::HeaderInconsistent));
}

#[test]
fn a_second_look_checks_no_signature() {
    let world = World::new();
    let chunk = world.media(100);
    let mut verifier = verifier(&world);
    for _ in 0..3 {
        assert_eq!(verifier.verify(&chunk.signed).unwrap(), chunk.header);
    }
    assert_eq!(verifier.signatures_checked(), 1);
}

#[test]
fn a_known_body_with_another_signature_is_checked_anew() {
    let world = World::new();
    let chunk = world.media(100);
    let mut verifier = verifier(&world);
    verifier.verify(&chunk.signed).unwrap();
    let forged = altered(&chunk.signed, chunk.signed.body().len());
    let error = verifier.verify(&forged).unwrap_err();
    assert_eq!(error, Error::HeaderSignatureInvalid);
}

#[test]
fn the_window_forgets_the_oldest_and_refusals_fill_nothing() {
    let world = World::new();
    let mut publisher = world.started();
    let chunks: Vec<_> = (0..5).map(|_| publish(&mut publisher, 50)).collect();
    let limits = HeaderLimits {
        window: 4,
        ..HeaderLimits::default()
    };
    let mut verifier = HeaderVerifier::new(&world.run, limits);
    for chunk in &chunks {
        verifier.verify(&chunk.signed).unwrap();
        verifier.verify(&altered(&chunk.signed, 3)).unwrap_err();
    }
    let before = verifier.signatures_checked();
    for chunk in &chunks[1..] {
        verifier.verify(&chunk.signed).unwrap();
    }
    assert_eq!(verifier.signatures_checked(), before);
    verifier.verify(&chunks[0].signed).unwrap();
    assert_eq!(verifier.signatures_checked(), before + 1);
}

/// An honest header, another one about the same chunk, and one that follows
/// the other by its chain.
fn two_stories(world: &World) -> [ChunkHeader; 3] {
    let honest = world.media(100).header.into_inner();
    let mut second = honest.clone();
    second.digest = Digest([1; 32]);
    let mut next = second.clone();
    next.sequence = honest.sequence.next();
    next.previous = verified(world, &second).digest();
    [honest, second, next]
}

fn verified(world: &World, header: &ChunkHeader) -> certs::Verified<ChunkHeader> {
    let signed = sign(&world.chunk, header);
    verifier(world).verify(&signed).unwrap()
}

#[test]
fn two_stories_about_one_chunk_are_equivocation() {
    let world = World::new();
    let [honest, second, next] = two_stories(&world).map(|header| verified(&world, &header));
    assert!(equivocation(&honest, &second));
    assert!(!equivocation(&honest, &honest));
    assert!(!equivocation(&second, &next));
}

#[test]
fn a_chunk_that_follows_another_than_was_published_is_equivocation() {
    let world = World::new();
    let [honest, _, next] = two_stories(&world).map(|header| verified(&world, &header));
    assert!(equivocation(&honest, &next));
    assert!(equivocation(&next, &honest));
    let mut publisher = world.started();
    let [one, two, three] = [50, 50, 50].map(|len| publish(&mut publisher, len));
    assert!(!equivocation(&one.header, &two.header));
    assert!(!equivocation(&one.header, &three.header));
    let mut init = next.into_inner();
    init.flags.init = true;
    init.init_sequence = init.sequence;
    assert!(!equivocation(&honest, &verified(&world, &init)));
}

#[test]
fn a_proof_of_equivocation_is_believed_for_its_two_signatures_alone() {
    let world = World::new();
    let [honest, second, next] = two_stories(&world);
    let proof = |key, a: &ChunkHeader, b: &ChunkHeader| {
        let (a, b) = (sign(&world.chunk, a), sign(key, b));
        verify_equivocation(&Equivocation { a, b }, &world.run).map(|_| ())
    };
    assert_eq!(proof(&world.chunk, &honest, &second), Ok(()));
    assert_eq!(proof(&world.chunk, &honest, &next), Ok(()));
    for (b, error) in [
        (&honest, Error::EquivocationUnproven),
        (&second, Error::HeaderSignatureInvalid),
    ] {
        let key = if *b == honest {
            &world.chunk
        } else {
            &world.permit
        };
        assert_eq!(proof(key, &honest, b), Err(error));
    }
    let mut elsewhere = second.clone();
    elsewhere.scope = world.other_run();
    let refused = proof(&world.chunk, &honest, &elsewhere);
    assert_eq!(refused, Err(Error::HeaderWrongRun));
    elsewhere.scope = world.other_stream();
    let refused = proof(&world.chunk, &honest, &elsewhere);
    assert_eq!(refused, Err(Error::HeaderWrongStream));
}

#[test]
fn refuses_every_single_altered_byte() {
    let world = World::new();
    let chunk = world.media(100);
    let mut verifier = verifier(&world);
    for at in 0..chunk.signed.body().len() + 64 {
        let result = verifier.verify(&altered(&chunk.signed, at));
        assert_eq!(
            result.unwrap_err(),
            Error::HeaderSignatureInvalid,
            "byte {at}"
        );
    }
}

#[test]
fn headers_are_chained_by_digest() {
    let world = World::new();
    let mut publisher = world.started();
    let (first, second) = (publish(&mut publisher, 10), publish(&mut publisher, 10));
    assert_eq!(first.header.previous, Digest([0; 32]));
    assert_eq!(second.header.previous, first.header.digest());
}
