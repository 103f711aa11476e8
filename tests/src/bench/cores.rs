//! Who computes where: the contender has a core for itself.

use super::Error;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of this machine that the bench may use, divided.
#[derive(Debug)]
pub(super) struct Cores {
    contender: CpuSet,
    load: CpuSet,
}

impl Cores {
    /// The first core for the contender, the others for everything else.
    pub(super) fn split() -> Result<Self, Error> {
        let allowed = sched_getaffinity(None).map_err(|e| Error::Pin(e.into()))?;
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let first = numbers.next();
        let (mut contender, mut load) = (CpuSet::new(), CpuSet::new());
        numbers.for_each(|cpu| load.set(cpu));
        match first {
            Some(cpu) if load.count() > 0 => contender.set(cpu),
            _ => return Err(Error::TooFewCores(usize::from(first.is_some()))),
        }
        Ok(Self { contender, load })
    }

    /// This thread, and what it starts, leaves the contender's core.
    pub(super) fn take_load(&self) -> Result<(), Error> {
        pin(&self.load)
    }

    /// How many cores the load has.
    pub(super) fn load_count(&self) -> u32 {
        self.load.count()
    }

    /// Starts a process on the contender's core: a process begins where the
    /// thread that starts it is.
    pub(super) fn on_contender<T>(
        &self,
        start: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        pin(&self.contender)?;
        let started = start();
        self.take_load()?;
        started
    }
}

fn pin(cores: &CpuSet) -> Result<(), Error> {
    sched_setaffinity(None, cores).map_err(|e| Error::Pin(e.into()))
}
