//! A topic's URL, split into what patterns look at.

use url::{Url, quirks};

/// A resolved topic.
pub(crate) struct Parts {
    url: Url,
    /// The URL without credentials, if it has any.
    bare: Option<Box<str>>,
}

impl Parts {
    pub(crate) fn new(url: Url) -> Self {
        let bare = (!url.username().is_empty() || url.password().is_some())
            .then(|| without_credentials(url.clone()));
        Self { url, bare }
    }

    pub(crate) fn index_key(&self) -> &str {
        self.bare.as_deref().unwrap_or(self.url.as_str())
    }

    /// Protocol, username, password, hostname, port, pathname, search and hash, without their delimiters.
    pub(crate) fn components(&self) -> [&str; 8] {
        let url = &self.url;
        [
            url.scheme(),
            url.username(),
            url.password().unwrap_or_default(),
            url.host_str().unwrap_or_default(),
            quirks::port(url),
            quirks::pathname(url),
            url.query().unwrap_or_default(),
            url.fragment().unwrap_or_default(),
        ]
    }
}

fn without_credentials(mut url: Url) -> Box<str> {
    // Both fail only for URLs that cannot have credentials, and this one has some.
    let removed = url.set_username("").is_ok() && url.set_password(None).is_ok();
    debug_assert!(removed);
    url.as_str().into()
}
