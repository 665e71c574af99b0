//! Every option of the hub, once: flags, variables, the file, `--help` and the reference are made of this table.

use super::form::Form;

/// An option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    /// What it has to do with.
    pub(crate) group: &'static str,
    /// Its name: a flag with `--` before it, a key in the file.
    pub(crate) name: &'static str,
    /// Its environment variable.
    pub(crate) env: &'static str,
    pub(crate) form: Form,
    /// What it is when nobody says anything; empty for nothing.
    pub(crate) default: &'static str,
    /// What it is under `--dev` when nobody says anything; empty for the same.
    pub(crate) dev: &'static str,
    /// Whether it may have several values, in the environment with commas between.
    pub(crate) many: bool,
    pub(crate) help: &'static str,
}

impl Opt {
    /// Several values.
    const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    /// Another default under `--dev`.
    const fn dev(mut self, value: &'static str) -> Self {
        self.dev = value;
        self
    }
}

const fn opt(
    group: &'static str,
    name: &'static str,
    env: &'static str,
    form: Form,
    default: &'static str,
    help: &'static str,
) -> Opt {
    Opt { group, name, env, form, default, dev: "", many: false, help }
}

const ADDRESSES: &str = "Addresses";
const KEYS: &str = "Keys and tokens";
const CLIENTS: &str = "Subscribers and publishers";
const STREAMS: &str = "Streams";
const HISTORY: &str = "History";
const LIMITS: &str = "Limits";
pub(crate) const RUNNING: &str = "Running";

/// The table.
#[rustfmt::skip]
pub(crate) const TABLE: &[Opt] = &[
    opt(ADDRESSES, "listen", "PETASOS_LISTEN", Form::Address, "127.0.0.1:3000",
        "Address to listen on"),
    opt(ADDRESSES, "public-url", "PETASOS_PUBLIC_URL", Form::HubUrl, "",
        "URL by which clients know the hub; the first one is the canonical one, and requests to other hosts are refused (421). \
         Needed unless the hub listens on a loopback address, where it is made of that").many(),
    opt(ADDRESSES, "admin-listen", "PETASOS_ADMIN_LISTEN", Form::AddressOrOff, "127.0.0.1:3001",
        "Address of /healthz/live, /healthz/ready and /metrics; `off` for none"),
    opt(ADDRESSES, "tls-cert", "PETASOS_TLS_CERT", Form::Text("FILE", "/etc/petasos/fullchain.pem"), "",
        "Certificate chain in PEM form, to encrypt the hub's address without a proxy; HTTP/2 and HTTP/1.1 are offered. Read once, \
         at the start"),
    opt(ADDRESSES, "tls-key", "PETASOS_TLS_KEY", Form::Text("FILE", "/etc/petasos/privkey.pem"), "",
        "Key of that certificate, in PEM form"),

    opt(KEYS, "publisher-key", "MERCURE_PUBLISHER_JWT_KEY", Form::Secret, "",
        "Key of publishers' tokens: a secret for HS algorithms, a public key in PEM for others, or `@` and the file that \
         holds it"),
    opt(KEYS, "publisher-key-alg", "MERCURE_PUBLISHER_JWT_ALG", Form::Algorithm, "HS256",
        "Algorithm of that key: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"),
    opt(KEYS, "publisher-jwks", "PETASOS_PUBLISHER_JWKS", Form::KeySet, "",
        "Key set of publishers' tokens, besides the key"),
    opt(KEYS, "subscriber-key", "MERCURE_SUBSCRIBER_JWT_KEY", Form::Secret, "",
        "Key of subscribers' tokens, in the same forms; without it and without a key set, publishers' keys serve"),
    opt(KEYS, "subscriber-key-alg", "MERCURE_SUBSCRIBER_JWT_ALG", Form::Algorithm, "HS256",
        "Algorithm of the subscribers' key"),
    opt(KEYS, "subscriber-jwks", "PETASOS_SUBSCRIBER_JWKS", Form::KeySet, "",
        "Key set of subscribers' tokens, besides the key"),
    opt(KEYS, "issuer", "MERCURE_TRUSTED_ISSUERS", Form::Text("URL", "https://login.example.com"), "",
        "Issuer whose tokens these keys verify; the public URL otherwise. Issuers with keys of their own stand in the file, as \
         [[issuers]]").many(),
    opt(KEYS, "cookie-name", "PETASOS_COOKIE_NAME", Form::Text("NAME", "__Secure-mercure_access_token"),
        "__Secure-mercure_access_token",
        "Name of the cookie that may carry a token"),

    opt(CLIENTS, "anonymous", "MERCURE_ANONYMOUS", Form::Switch, "false",
        "Let subscribers without a token in; they receive public updates only").dev("true"),
    opt(CLIENTS, "subscriptions", "PETASOS_SUBSCRIPTIONS", Form::Switch, "false",
        "Tell those who may know of active subscriptions, by updates and by a web API").dev("true"),
    opt(CLIENTS, "cors-origin", "PETASOS_CORS_ORIGINS", Form::Origin, "",
        "Origin whose pages may use the hub; `*` for all, without credentials").many().dev("*"),
    opt(CLIENTS, "publish-origin", "PETASOS_PUBLISH_ORIGINS", Form::Origin, "",
        "Origin whose pages may publish with the cookie, besides the hub's own").many(),
    opt(CLIENTS, "debugger", "PETASOS_DEBUGGER", Form::Switch, "false",
        "Serve a page to try the hub with, below its path at /debug/").dev("true"),

    opt(CLIENTS, "compat", "MERCURE_COMPATIBILITY", Form::Choice(&["selectors", "targets"]), "",
        "Earlier generation of the protocol to serve beside 1.0: that of hubs 0.10 to 0.24 (selectors), or of hubs up to 0.9 \
         (targets); secrets may then be short").many(),

    opt(HISTORY, "transport", "MERCURE_TRANSPORT_URL", Form::Transport, "file:./petasos-data",
        "Where updates are kept: `file:` and a directory that this hub has for itself, or `memory:`, from which they are gone when \
         the hub ends"),
    opt(HISTORY, "durability", "PETASOS_DURABILITY", Form::Choice(&["fsync", "os"]), "fsync",
        "When a publish to a directory is acknowledged: `fsync` once it survives a loss of power, `os` once it survives the end \
         of the hub, and within about a second a loss of power"),
    opt(HISTORY, "history-max-events", "PETASOS_HISTORY_MAX_EVENTS", Form::Count(0), "0",
        "Updates that are kept; the oldest go first; 0 for no limit"),
    opt(HISTORY, "history-max-age", "PETASOS_HISTORY_MAX_AGE", Form::Time, "0",
        "Time for which updates are kept in a directory, and up to an eighth of it longer; 0 for no limit"),
    opt(HISTORY, "history-max-bytes", "PETASOS_HISTORY_MAX_BYTES", Form::Bytes, "16GiB",
        "Size of all files together, at least 1MiB; the oldest updates go first; 0 for no limit. Of `memory:` it is the size of \
         all updates together, and 64MiB unless it is set"),

    opt(STREAMS, "heartbeat", "PETASOS_HEARTBEAT", Form::Time, "40s",
        "Silence after which a comment keeps a stream alive, at least a second; 0 for never"),
    opt(STREAMS, "max-lifetime", "PETASOS_MAX_LIFETIME", Form::Time, "0",
        "Time after which a stream ends and its client reconnects, or up to a tenth earlier, so that not all come back at \
         once; 0 for never"),
    opt(STREAMS, "shutdown-spread", "PETASOS_SHUTDOWN_SPREAD", Form::Time, "10s",
        "Time over which a stopping hub spreads the ends of streams, less if there are few"),
    opt(STREAMS, "shutdown-grace", "PETASOS_SHUTDOWN_GRACE", Form::Time, "10s",
        "Time that requests under way then still have to finish"),

    opt(LIMITS, "head-timeout", "PETASOS_HEAD_TIMEOUT", Form::Time, "15s",
        "Time in which a client has to send the head of a request; its connection is closed then"),
    opt(LIMITS, "body-timeout", "PETASOS_BODY_TIMEOUT", Form::Time, "30s",
        "Time in which a client has to send the body of a request; the answer is a 408 then"),
    opt(LIMITS, "max-head", "PETASOS_MAX_HEAD", Form::Bytes, "64KiB",
        "Size of the head of a request, its URL included; larger ones are a 431, endless ones too"),
    opt(LIMITS, "max-body", "PETASOS_MAX_BODY", Form::Bytes, "1MiB",
        "Size of a publish or of the form of a QUERY; larger ones are a 413"),
    opt(LIMITS, "max-topics", "PETASOS_MAX_TOPICS", Form::Count(1), "100",
        "Topics of one update; more are a 413"),
    opt(LIMITS, "max-topic-length", "PETASOS_MAX_TOPIC_LENGTH", Form::Bytes, "2KiB",
        "Length of a topic, at most 60KiB; longer ones are a 413"),
    opt(LIMITS, "max-id-length", "PETASOS_MAX_ID_LENGTH", Form::Bytes, "256",
        "Length of the id and of the type of an update, at most 256; longer ones are a 413"),
    opt(LIMITS, "max-matchers", "PETASOS_MAX_MATCHERS", Form::Count(1), "1000",
        "Different matchers of one subscription; more are a 400"),
    opt(LIMITS, "max-matcher-length", "PETASOS_MAX_MATCHER_LENGTH", Form::Bytes, "2KiB",
        "Length of a matcher, at most 60KiB; longer ones are a 400"),
    opt(LIMITS, "max-subscribers", "PETASOS_MAX_SUBSCRIBERS", Form::Count(0), "0",
        "Streams at a time; more are a 429; 0 for as many as the system has open files for"),
    opt(LIMITS, "max-subscribers-per-address", "PETASOS_MAX_SUBSCRIBERS_PER_ADDRESS", Form::Count(0), "0",
        "Streams of one client address (of one /64 for IPv6) at a time; behind a proxy all clients have its address; 0 for no \
         limit"),
    opt(LIMITS, "max-subscribers-per-token", "PETASOS_MAX_SUBSCRIBERS_PER_TOKEN", Form::Count(0), "0",
        "Streams under one token at a time; 0 for no limit"),
    opt(LIMITS, "max-backlog", "PETASOS_MAX_BACKLOG", Form::Bytes, "256KiB",
        "Bytes that may wait for one slow subscriber before it is cut off; it comes back with its cursor"),
    opt(LIMITS, "max-stall", "PETASOS_MAX_STALL", Form::Time, "10s",
        "Time in which a subscriber may take nothing of what waits for it before it is cut off"),

    opt(RUNNING, "shards", "PETASOS_SHARDS", Form::Count(0), "0",
        "Dispatch threads; 0 for one per core"),
    opt(RUNNING, "event-ids", "PETASOS_EVENT_IDS", Form::Choice(&["ordered", "random"]), "ordered",
        "UUIDs that the hub makes: ordered by time (v7), or random (v4), which tell nobody when an update was published"),
    opt(RUNNING, "dev", "PETASOS_DEV", Form::Switch, "false",
        "For one's own machine, and insecure: makes a key, lets everyone in, tells of subscriptions, serves the debugger, \
         prints ready tokens and commands"),
];

/// The option of this name.
pub(crate) fn find(name: &str) -> Option<&'static Opt> {
    TABLE.iter().find(|opt| opt.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_variables_are_unique_and_in_one_style() {
        let (mut names, mut variables) =
            (BTreeSet::from(["config", "check", "help"]), BTreeSet::from(["PETASOS_CONFIG"]));
        for opt in TABLE {
            assert!(names.insert(opt.name) && variables.insert(opt.env), "{} is there twice", opt.name);
            assert!(opt.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", opt.name);
            assert!(opt.env.starts_with("PETASOS_") || opt.env.starts_with("MERCURE_"), "{}", opt.env);
        }
    }

    #[test]
    fn every_default_is_a_good_value_and_every_help_a_phrase() {
        for opt in TABLE {
            for default in [opt.default, opt.dev].into_iter().filter(|default| !default.is_empty()) {
                assert_eq!(opt.form.check(default), Ok(()), "{}", opt.name);
            }
            let first = opt.help.chars().next().unwrap();
            assert!(first.is_uppercase() && !opt.help.ends_with('.'), "{}: {}", opt.name, opt.help);
            assert!(opt.form != Form::Switch || opt.default == "false", "{} is on by default", opt.name);
            assert!(opt.form != Form::Secret || opt.default.is_empty(), "{} is no secret", opt.name);
        }
    }

    #[test]
    fn every_option_is_read_by_the_hub() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/hub");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let source: String = files.collect();
        for opt in TABLE {
            assert!(source.contains(&format!("{:?}", opt.name)), "nothing reads {}", opt.name);
        }
    }

    #[test]
    fn options_of_a_group_stand_together() {
        let mut groups: Vec<&str> = TABLE.iter().map(|opt| opt.group).collect();
        groups.dedup();
        assert_eq!(groups.len(), groups.iter().collect::<BTreeSet<_>>().len(), "{groups:?}");
    }
}
