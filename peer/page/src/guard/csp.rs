//! The headers of every response: what the browser lets the page itself do.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::token::LIVE_PATH;

/// The Content Security Policy: nothing but the page's own files, no inline
/// script or style, no frame around it. Media come through `blob:` URLs.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; media-src blob:; worker-src 'self' blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// For `/live.mp4` opened in a browser, whose own player is then the document.
pub const LIVE_CSP: &str = "default-src 'none'; media-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// Sent beside the policy. `no-store`: the view holds the invite.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Whether the browser is told the Content Security Policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct CspPolicy(Csp);

#[derive(Clone, Copy, Debug, Default)]
enum Csp {
    #[default]
    Strict,
    #[cfg(feature = "ablation")]
    Off,
}

impl CspPolicy {
    /// [`CSP`] on every response, [`LIVE_CSP`] on `/live.mp4`.
    #[must_use]
    pub fn strict() -> Self {
        Self(Csp::Strict)
    }

    /// No policy: an injected script would run, and any site may frame the page.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub fn dangerously_off() -> Self {
        crate::ablation::marker();
        Self(Csp::Off)
    }

    pub(crate) fn apply(self, path: &str, headers: &mut HeaderMap) {
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        match self.0 {
            Csp::Strict => {
                let policy = if path == LIVE_PATH { LIVE_CSP } else { CSP };
                let policy = HeaderValue::from_static(policy);
                headers.insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            #[cfg(feature = "ablation")]
            Csp::Off => {}
        }
    }
}
