use proptest::prelude::*;

use super::*;

/// The examples of RFC 6570, sections 1.2, 2.4 and 3.2: template, expansion.
const EXAMPLES: &str = include_str!("../../../tests/data/rfc6570-examples.txt");

fn examples() -> Vec<(&'static str, &'static str)> {
    let lines = EXAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    lines.map(|line| line.split_once('\t').unwrap()).collect()
}

fn matches(template: &str, text: &str) -> bool {
    UriTemplate::parse(template).unwrap().matches(text)
}

#[test]
fn every_expansion_in_the_rfc_matches_its_template() {
    let examples = examples();
    assert!(examples.len() > 115, "only {} examples were read", examples.len());
    for (template, expansion) in examples {
        assert!(matches(template, expansion), "{template} {expansion}");
    }
}

#[test]
fn an_example_matches_no_template_that_has_no_such_expansion() {
    for (template, text) in [
        ("https://example.com/books/{id}", "https://example.com/books/1/reviews"),
        ("https://example.com/books/{id}", "https://example.com/books/a b"),
        ("https://example.com/books/{id}", "https://example.com/books/1%"),
        ("https://example.com/books/{id}", "https://example.com/books/1%zz"),
        ("https://example.com/books/{id}", "https://example.com/authors/1"),
        ("https://example.com/books/{id}", "https://example.com/books/1?x"),
        ("{id}", "{id}"),
        ("{var:3}", "valu"),
        ("{var:1}", "%C3%A9%C3%A9"),
        ("{/var:1,var}", "/va/value"),
        ("/books{?x}", "/books"),
        ("/books{?x}", "/books?y=1"),
        ("/books{?x}", "/books?x"),
        ("/books{?x}", "/books?x=1&y=2"),
        ("/books{?x,y}", "/books?y=2&x=1"),
        ("/books?a=1{&x}", "/books?a=1"),
        ("{;x}", ";x="),
        ("{;x}", ";xy"),
        ("{?list*}", "?list"),
        ("{;keys*}", ";a=;b"),
        ("{.who}", "fred"),
        ("{/a,b}", "/1/2/3"),
        ("X{.a}", "X.a.b/c"),
        ("caf\u{e9}{x}", "cafe"),
    ] {
        assert!(!matches(template, text), "{template} {text}");
    }
}

#[test]
fn what_selectors_of_earlier_hubs_look_like_works() {
    for (template, text) in [
        ("https://example.com/books/{id}", "https://example.com/books/1"),
        ("https://example.com/{a}/x/{a}.json", "https://example.com/1/x/2.json"),
        ("https://example.com:8080/books/{id}{._format}", "https://example.com:8080/books/1.jsonld"),
        ("https://example.com/books/{id}{._format}", "https://example.com/books/1"),
        ("/.well-known/mercure/subscriptions{/topic}{/subscriber}", "/.well-known/mercure/subscriptions"),
        (
            "/.well-known/mercure/subscriptions{/topic}{/subscriber}",
            "/.well-known/mercure/subscriptions/a%2Fb/urn%3A1",
        ),
        ("urn:book:{id}", "urn:book:1"),
        ("https://example.com/{+path}", "https://example.com/a/b?c=d"),
        ("{;x}", ";x"),
        ("{var:1}", "%C3%A9"),
        ("caf\u{e9}/{x}", "caf%C3%A9/1"),
        ("caf\u{e9}/{x}", "caf\u{e9}/1"),
    ] {
        assert!(matches(template, text), "{template} {text}");
    }
}

#[test]
fn what_is_no_template_is_told_apart() {
    for text in [
        "",
        "plain",
        "{",
        "}",
        "{}",
        "{a",
        "a}",
        "{{a}}",
        "{a b}",
        "{=a}",
        "{!a}",
        "{@a}",
        "{|a}",
        "{a:}",
        "{a:0}",
        "{a:01}",
        "{a:10000}",
        "{a:x}",
        "{a*:3}",
        "{a,}",
        "{,a}",
        "{a..b}",
        "{.}",
        "{a%2}",
        "{caf\u{e9}}",
        "x{a}}",
    ] {
        assert_eq!(UriTemplate::parse(text), None, "{text}");
    }
    for text in ["{a}", "x{a.b_1}", "{%41}", "{a:9999}", "{+a,b*}"] {
        assert!(UriTemplate::parse(text).is_some(), "{text}");
    }
}

#[test]
fn a_long_text_of_hard_choices_is_decided_in_time_that_grows_with_it() {
    // A backtracking matcher needs longer than the age of the universe for this.
    let template = UriTemplate::parse(&format!("{}!", "{a,b:9}{+c}".repeat(30))).unwrap();
    assert!(!template.matches(&"a,".repeat(1000)));
    assert!(template.matches(&format!("{}!", "a,".repeat(1000))));
}

/// Expands one variable as the RFC says, independently of the matcher.
fn encode(value: &str, reserved: bool) -> String {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || reserved && b":/?#[]@!$&'()*+,;=".contains(&byte)
    };
    let encode = |byte: u8| {
        if allowed(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    value.bytes().map(encode).collect()
}

proptest! {
    #[test]
    fn whatever_the_values_are_the_expansion_matches(a in "\\PC{0,8}", b in "\\PC{1,8}", length in 1usize..9) {
        let (plain, reserved) = (|value: &str| encode(value, false), |value: &str| encode(value, true));
        let start: String = a.chars().take(length).collect();
        let expansions = [
            ("x{a}y".to_owned(), format!("x{}y", plain(&a))),
            ("{a,b}".to_owned(), format!("{},{}", plain(&a), plain(&b))),
            ("{+a}/{b}".to_owned(), format!("{}/{}", reserved(&a), plain(&b))),
            ("{#b}".to_owned(), format!("#{}", reserved(&b))),
            (format!("{{a:{length}}}"), plain(&start)),
            (format!("{{?a:{length},b}}"), format!("?a={}&b={}", plain(&start), plain(&b))),
            ("{/l*}".to_owned(), format!("/{}/{}", plain(&a), plain(&b))),
            ("{?k*}".to_owned(), format!("?{}={}", plain(&b), plain(&a))),
            ("{;b,a}".to_owned(), format!(";b={};a{}{}", plain(&b), if a.is_empty() { "" } else { "=" }, plain(&a))),
        ];
        for (template, expansion) in expansions {
            prop_assert!(matches(&template, &expansion), "{template} {expansion}");
        }
    }

    #[test]
    fn no_text_makes_it_panic(template in "[{}+#./;?&a-c:*,%0-9\u{e9}]{0,30}", text in "[{}a-c%=,;/?&0-9\u{e9}]{0,30}") {
        if let Some(parsed) = UriTemplate::parse(&template) {
            let prefix = parsed.literal_prefix();
            prop_assert!(template.starts_with(prefix));
            prop_assert!(!parsed.matches(&text) || text.starts_with(prefix));
        }
    }
}
