//! Whether this viewer misses nothing when any one node but the station dies:
//! the station plans the trees, and says so.

use super::control::Session;
use serde_json::json;

// The page's `path.js` says the same.
const GUARANTEED: &str = "if any one viewer or relay goes, you miss nothing (the station says so)";
const NOT_GUARANTEED: &str =
    "if one of those above you goes, you may miss a moment (the station says so)";

impl Session {
    /// The station's word about this viewer's place.
    pub(super) fn guarantee(&mut self, guaranteed: bool) {
        if self.guaranteed.replace(guaranteed) == Some(guaranteed) {
            return;
        }
        if self.emit.json() {
            self.emit
                .tell("guarantee", json!({"guaranteed": guaranteed}));
        } else {
            let words = if guaranteed {
                GUARANTEED
            } else {
                NOT_GUARANTEED
            };
            self.emit.say(&format!("path: {words}"));
        }
    }
}
