//! `Link` headers (RFC 8288): how an API tells its clients where the hub is (DIS.1).

/// One link of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// What it points to, as written: maybe relative.
    pub target: String,
    /// Its parameters in order, names in lower case.
    pub params: Vec<(String, String)>,
}

impl Link {
    /// Its relation types, as written.
    #[must_use]
    pub fn rel(&self) -> Option<&str> {
        self.param("rel")
    }

    /// Whether it has this relation type; they are compared without case (RFC 8288 section 3.3).
    #[must_use]
    pub fn has_rel(&self, rel: &str) -> bool {
        self.rel()
            .is_some_and(|rels| rels.split_ascii_whitespace().any(|other| other.eq_ignore_ascii_case(rel)))
    }

    /// The first parameter of this name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Reads a header. What is malformed is left out, the rest is still read.
#[must_use]
pub fn parse(header: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>') else { break };
        let target = rest[open + 1..open + close].trim().to_owned();
        let (params, after) = parse_params(&rest[open + close + 1..]);
        links.push(Link { target, params });
        rest = after;
    }
    links
}

/// Writes a link; `rel` is the first parameter, which the expressions of existing clients expect.
#[must_use]
pub fn format(target: &str, rel: &str, extra: &[(&str, &str)]) -> String {
    let mut link = format!("<{target}>; rel=\"{rel}\"");
    for (name, value) in extra {
        link.push_str(&format!("; {name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    link
}

/// Writes the link to a hub.
#[must_use]
pub fn hub(hub: &str, last_event_id: Option<&str>) -> String {
    match last_event_id {
        Some(id) => format(hub, "mercure", &[("last-event-id", id)]),
        None => format(hub, "mercure", &[]),
    }
}

/// Reads parameters up to the comma that ends the link; returns what follows it.
fn parse_params(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut params = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix(',') {
            return (params, after);
        }
        let Some(after) = rest.strip_prefix(';') else {
            // Something that is no parameter: go on behind the next comma.
            return (params, rest.find(',').map_or("", |at| &rest[at + 1..]));
        };
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after[..end].trim().to_ascii_lowercase();
        let (value, next) = match after[end..].strip_prefix('=') {
            Some(value) => parse_value(value.trim_start_matches([' ', '\t'])),
            None => (String::new(), &after[end..]),
        };
        if !name.is_empty() {
            params.push((name, value));
        }
        rest = next;
    }
}

fn parse_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dis_1_the_hub_is_found_among_other_links() {
        let header = "</docs>; rel=\"http://www.w3.org/ns/hydra/core#apiDocumentation\", \
            <https://h/.well-known/mercure>;  REL = \"x Mercure\" ; last-event-id=\"a\\\"b,;\"; type=json,<b>;rel=self";
        let links = parse(header);
        assert_eq!(links.len(), 3);
        assert!(links[1].has_rel("mercure") && !links[0].has_rel("mercure"));
        assert_eq!(links[1].target, "https://h/.well-known/mercure");
        assert_eq!((links[1].param("last-event-id"), links[1].param("type")), (Some("a\"b,;"), Some("json")));
        assert_eq!(links[2].rel(), Some("self"));
    }

    #[test]
    fn what_is_malformed_does_not_hide_the_rest() {
        assert_eq!(
            parse("garbage, <a>; rel=x, <b"),
            [Link { target: "a".into(), params: vec![("rel".into(), "x".into())] }]
        );
        assert_eq!(parse("<a> junk, <b>; rel=x").len(), 2);
        assert_eq!(parse("<a>; rel=\"unclosed").len(), 1);
        assert!(parse("").is_empty());
    }

    #[test]
    fn rel_is_the_first_parameter() {
        assert_eq!(hub("https://h/", None), "<https://h/>; rel=\"mercure\"");
        assert_eq!(
            hub("https://h/", Some("urn:1")),
            "<https://h/>; rel=\"mercure\"; last-event-id=\"urn:1\""
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(target in "[^<>\\p{Cc}]{1,20}", value in "[^\\p{Cc}]{0,20}") {
            let links = parse(&format(&target, "mercure", &[("last-event-id", &value)]));
            prop_assert_eq!(links.len(), 1);
            prop_assert_eq!(&links[0].target, target.trim());
            prop_assert_eq!(links[0].param("last-event-id"), Some(value.as_str()));
        }

        #[test]
        fn no_text_makes_it_panic(header in "[<>;,=\"\\\\ a\u{e9}]{0,40}") {
            drop(parse(&header));
        }
    }
}
