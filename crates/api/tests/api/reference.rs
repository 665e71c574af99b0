//! The reference page of the variables says what the program asks for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use petasos::App;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

/// The names that an application asks its environment for, if it is this.
fn asked(variables: &[(&str, &str)]) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    };
    drop(App::from_lookup(lookup).unwrap());
    names.into_inner()
}

/// The variables in the first column of the page's tables.
fn listed(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(|name| name.replace("HUBS_NAME", "HUBS_ARCHIVE")).collect()
}

#[test]
fn the_reference_lists_every_variable_and_no_other() {
    let remote = [
        ("MERCURE_PUBLISH_URL", "http://h/.well-known/mercure"),
        ("MERCURE_JWT_SECRET", "a secret of at least thirty-two bytes"),
        ("MERCURE_HUBS", "archive"),
        ("MERCURE_HUBS_ARCHIVE_PUBLISH_URL", "http://h/.well-known/mercure"),
        ("MERCURE_HUBS_ARCHIVE_JWT_SECRET", "a secret of at least thirty-two bytes"),
    ];
    let all: BTreeSet<String> = asked(&[]).union(&asked(&remote)).cloned().collect();
    assert!(all.len() > 12, "{all:?}");
    assert_eq!(listed(&page("docs/reference/api-configuration.md")), all);
    let readme = listed(&page("README.md"));
    assert!(!readme.is_empty() && readme.is_subset(&all), "{readme:?}");
}

#[test]
fn the_example_of_the_reference_is_good() {
    let page = page("docs/reference/api-configuration.md");
    let example = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let variables: Vec<(&str, &str)> = example
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    assert!(variables.len() > 6, "{variables:?}");
    let known = asked(&variables);
    assert!(variables.iter().all(|(name, _)| known.contains(*name)), "{variables:?}");
}
