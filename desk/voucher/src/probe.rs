//! Where the round trip to a region can be measured, by the desk's word.

use crate::Error;
use crate::class::Region;
use serde::{Deserialize, Serialize};

/// Regions that a desk names an address for.
pub const PROBES_MAX: usize = 16;
/// `HOST:PORT`: a name of DNS has 253 bytes at most.
const ADDRESS_BYTES_MAX: usize = 253 + 6;

/// A region, and an address in it that takes TCP connections. Nothing is sent
/// there: the handshake alone is timed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionProbe {
    /// The region, as in the classes.
    pub region: Region,
    /// `HOST:PORT`.
    pub address: String,
}

impl RegionProbe {
    /// # Errors
    /// [`Error::KeySet`] if the address is no `HOST:PORT`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let parts = self.address.rsplit_once(':');
        let fits = self.address.len() <= ADDRESS_BYTES_MAX
            && parts.is_some_and(|(host, port)| {
                let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic());
                named && port.parse::<u16>().is_ok_and(|port| port != 0)
            });
        if fits {
            Ok(())
        } else {
            Err(Error::KeySet("a probe's address is no HOST:PORT"))
        }
    }
}
