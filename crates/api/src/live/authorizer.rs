//! Gives users what they need to receive private updates: a cookie for the hub, or a token.
//!
//! Invariant: a token grants what the application's closure returned for this very request, and nothing else; nothing that
//! the client sent goes into it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Extensions, HeaderValue};
use petasos_client::token::{Secret, mint, mint_earlier};
use petasos_protocol::HubUrl;
use petasos_protocol::compat::Generation;

use super::User;
use super::cookie::{self, Place};

/// Says who sent a request, from what the application's own layers have put into its extensions.
pub(crate) type CurrentUser = Arc<dyn Fn(&Extensions) -> Option<User> + Send + Sync>;

/// What the application says about its users.
pub(crate) struct UserSettings {
    pub(crate) current_user: CurrentUser,
    pub(crate) lifetime: Duration,
    /// What the hubs call the cookie, if not as their generation does.
    pub(crate) cookie_name: Option<String>,
    /// Tokens can be had at an address too.
    pub(crate) has_endpoint: bool,
}

/// What opens one hub.
pub(crate) struct HubKey {
    pub(crate) name: String,
    pub(crate) url: HubUrl,
    pub(crate) audience: Vec<String>,
    pub(crate) secret: Secret,
    pub(crate) generation: Generation,
}

/// Makes tokens for users.
pub(crate) struct Authorizer {
    settings: UserSettings,
    doors: Vec<Door>,
}

struct Door {
    key: HubKey,
    cookie_name: String,
    /// `None` if browsers would not take a cookie for this hub.
    place: Option<Place>,
}

/// A token that was made.
pub(crate) struct Granted {
    pub(crate) token: String,
    pub(crate) expires_in: u64,
    pub(crate) hub: String,
}

/// Why there is no token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody is signed in.
    Anonymous,
    /// Its message is for the log only.
    Broken(String),
    UnknownHub,
}

impl Authorizer {
    /// For an API at `base`.
    ///
    /// # Errors
    /// Why users cannot be given what they need, in one line.
    pub(crate) fn new(settings: UserSettings, keys: Vec<HubKey>, base: &str) -> Result<Self, String> {
        settings.cookie_name.as_deref().map_or(Ok(()), check_name)?;
        if !cookie::is_trustworthy(base) {
            tracing::warn!(base, "browsers take the cookie for the hub over https only");
        }
        let mut doors: Vec<Door> = Vec::new();
        for key in keys {
            let place = match Place::find(base, &key.url) {
                Ok(place) => Some(place),
                Err(reason) if settings.has_endpoint => {
                    tracing::info!(reason, "users get a token instead of a cookie");
                    None
                }
                Err(reason) => return Err(reason),
            };
            let cookie_name = settings
                .cookie_name
                .clone()
                .unwrap_or_else(|| cookie::default_name(key.generation).to_owned());
            let same =
                |door: &&Door| place.is_some() && door.place == place && door.cookie_name == cookie_name;
            if let Some(other) = doors.iter().find(same) {
                let (one, two) = (&other.key.name, &key.name);
                return Err(format!(
                    "one cookie cannot open the hubs {one:?} and {two:?}: give them different paths"
                ));
            }
            doors.push(Door { key, cookie_name, place });
        }
        Ok(Self { settings, doors })
    }

    /// The headers that give the sender of a request the cookies for the hubs, or take them away.
    pub(crate) fn cookies(&self, extensions: &Extensions) -> Vec<HeaderValue> {
        let user = (self.settings.current_user)(extensions);
        self.doors.iter().filter_map(|door| door.cookie(user.as_ref(), &self.settings)).collect()
    }

    /// A token for the sender of a request, for the hub of a name or the first one.
    ///
    /// # Errors
    /// [`Denied`].
    pub(crate) fn token(&self, extensions: &Extensions, hub: Option<&str>) -> Result<Granted, Denied> {
        let user = (self.settings.current_user)(extensions).ok_or(Denied::Anonymous)?;
        let mut doors = self.doors.iter();
        let door =
            doors.find(|door| hub.is_none_or(|name| name == door.key.name)).ok_or(Denied::UnknownHub)?;
        let token = door.token(&user, self.settings.lifetime).map_err(Denied::Broken)?;
        let (expires_in, hub) = (self.settings.lifetime.as_secs(), door.key.url.as_str().to_owned());
        Ok(Granted { token, expires_in, hub })
    }
}

impl Door {
    fn cookie(&self, user: Option<&User>, settings: &UserSettings) -> Option<HeaderValue> {
        let place = self.place.as_ref()?;
        let name = &self.cookie_name;
        let header = match user.map(|user| self.token(user, settings.lifetime)) {
            None => place.clear(name),
            Some(Ok(token)) if name.len() + token.len() <= LONGEST_COOKIE => place.set(name, &token),
            Some(Ok(token)) => {
                let bytes = token.len();
                tracing::error!(
                    bytes,
                    "browsers would drop the cookie: give the user fewer targets, or patterns"
                );
                place.clear(name)
            }
            Some(Err(problem)) => {
                tracing::error!(problem, "a user gets no cookie for the hub");
                place.clear(name)
            }
        };
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn token(&self, user: &User, lifetime: Duration) -> Result<String, String> {
        let HubKey { url, audience, secret, generation, .. } = &self.key;
        let audience: Vec<&str> = audience.iter().map(String::as_str).collect();
        // A clock before 1970 makes tokens that have expired, which the hub refuses.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = now + lifetime.as_secs();
        let token = match generation {
            Generation::Current => mint(secret, &user.claims(url, &audience, now, expires)?),
            earlier => mint_earlier(secret, &user.earlier_claims(*earlier, now, expires)?),
        };
        token.map_err(|error| error.to_string())
    }
}

/// A cookie's name is a token (RFC 6265 section 4.1.1), and browsers demand more of some.
fn check_name(name: &str) -> Result<(), String> {
    let allowed = |char: char| char.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(char);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err(format!("{name:?} is no name of a cookie"));
    }
    if name.to_ascii_lowercase().starts_with("__host-") {
        return Err(format!(
            "{name:?}: browsers take such a cookie for the path / only, and this one is for the hub's"
        ));
    }
    Ok(())
}

/// Name, value and attributes together: what every browser takes.
const LONGEST_COOKIE: usize = 3800;

#[cfg(test)]
mod tests {
    use super::*;

    fn authorizer(has_endpoint: bool, name: &str, hubs: &[(&str, &str)]) -> Result<Authorizer, String> {
        let current_user: CurrentUser = Arc::new(|extensions: &Extensions| extensions.get::<User>().cloned());
        let settings = UserSettings {
            current_user,
            lifetime: Duration::from_secs(60),
            cookie_name: Some(name.to_owned()),
            has_endpoint,
        };
        let key = |(name, url): &(&str, &str)| HubKey {
            name: (*name).to_owned(),
            url: HubUrl::parse(url).unwrap(),
            audience: vec![(*url).to_owned()],
            secret: Secret::new(b"a secret of at least thirty-two bytes").unwrap(),
            generation: Generation::Current,
        };
        Authorizer::new(settings, hubs.iter().map(key).collect(), "https://api.example.com")
    }

    fn refusal(has_endpoint: bool, name: &str, hubs: &[(&str, &str)]) -> String {
        authorizer(has_endpoint, name, hubs).err().unwrap()
    }

    fn cookie(user: Option<User>) -> String {
        let authorizer = authorizer(false, "c", &[("default", "https://hub.example.com/m")]).unwrap();
        let mut extensions = Extensions::new();
        user.map(|user| extensions.insert(user));
        let cookies = authorizer.cookies(&extensions);
        assert!(cookies.len() == 1 && cookies[0].is_sensitive());
        cookies[0].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_hub_that_no_cookie_reaches_needs_the_endpoint() {
        let other = [("default", "https://hub.example.net/m")];
        assert!(refusal(false, "c", &other).contains("browsers take no cookie for hub.example.net"));
        let with_endpoint = authorizer(true, "c", &other).unwrap();
        assert!(with_endpoint.cookies(&Extensions::new()).is_empty());
        let denied = with_endpoint.token(&Extensions::new(), None);
        assert_eq!(denied.err(), Some(Denied::Anonymous));
    }

    #[test]
    fn what_browsers_would_drop_is_refused_or_removed() {
        let two = [("a", "https://hub.example.com/m"), ("b", "https://hub.example.com/m")];
        assert!(refusal(false, "c", &two).contains("cannot open the hubs \"a\" and \"b\""));
        assert!(refusal(false, "a b", &[]).contains("is no name of a cookie"));
        assert!(refusal(false, "__Host-c", &[]).contains("for the path / only"));
        let many = User::new("x").targets((0..200).map(|number| format!("/a/long/target/{number}")));
        for user in [None, Some(User::new("x").targets(["*"])), Some(many)] {
            assert_eq!(
                cookie(user),
                "c=; Max-Age=0; Domain=example.com; Path=/m; Secure; HttpOnly; SameSite=Strict"
            );
        }
        let set = cookie(Some(User::new("x").targets(["a"])));
        assert!(
            set.starts_with("c=ey")
                && set.ends_with("; Domain=example.com; Path=/m; Secure; HttpOnly; SameSite=Strict"),
            "{set}"
        );
    }
}
