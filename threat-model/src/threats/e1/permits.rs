//! Permits that the coordinator did sign, and that are not good for this edge
//! at this time. The control is E1's own.

use super::{feeding, show};
use crate::scene;
use crate::scene::stream::Stream;
use crate::{Control, Failure, Outcome};
use link::{Controls, Identity, PermitCheck};
use wire::statement::{BatchedPermit, Permit, PermitBytes};
use wire::{Encode, Epoch};

/// What the thief makes of a permit that is his, to be signed or not.
type Bend = fn(&Stream, Permit) -> Result<BatchedPermit, Failure>;

/// He puts himself into a permit that another child had.
pub(super) fn altered(control: Control) -> Result<Outcome, Failure> {
    scene::stage(bent(control, Epoch(0), |stream, permit| {
        let other = Permit {
            child: stream.member("other")?.spki(),
            ..permit.clone()
        };
        let genuine = certs::permit::sign(&stream.permit_key, &other);
        let body = PermitBytes::new(permit.to_bytes())?;
        Ok(BatchedPermit { body, ..genuine })
    }))
}

/// He shows a permit that another child has.
pub(super) fn replayed(control: Control) -> Result<Outcome, Failure> {
    scene::stage(bent(control, Epoch(0), |stream, permit| {
        let other = Permit {
            child: stream.member("other")?.spki(),
            ..permit
        };
        Ok(certs::permit::sign(&stream.permit_key, &other))
    }))
}

/// He was put out, a new epoch has begun, and his permit has time left.
pub(super) fn of_an_earlier_epoch(control: Control) -> Result<Outcome, Failure> {
    scene::stage(bent(control, Epoch(1), |stream, permit| {
        Ok(certs::permit::sign(&stream.permit_key, &permit))
    }))
}

/// He has kept the permit of an edge that is long over.
pub(super) fn expired(control: Control) -> Result<Outcome, Failure> {
    scene::stage(bent(control, Epoch(0), |stream, permit| {
        let kept = Permit {
            issued: stream.run.start,
            expiry: stream.run.start.plus_ms(1),
            ..permit
        };
        Ok(certs::permit::sign(&stream.permit_key, &kept))
    }))
}

async fn bent(control: Control, epoch: Epoch, bend: Bend) -> Result<Outcome, Failure> {
    let stream = Stream::begin()?;
    let (parent, thief): (Identity, Identity) = (stream.member("parent")?, stream.member("thief")?);
    let mut controls = Controls::default();
    if !control.is_on() {
        controls.permits = PermitCheck::dangerously_any();
    }
    let victim = feeding(&stream, &parent, controls)?;
    victim.node.raise_epoch(epoch);
    let permit = bend(&stream, stream.permit(parent.spki(), thief.spki()))?;
    show(&victim, &thief, permit).await
}
