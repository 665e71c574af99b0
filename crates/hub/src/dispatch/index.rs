//! From a topic to the classes that ask for it: exact topics by hash, patterns by their literal prefix first.

use std::collections::{BTreeMap, HashMap, HashSet};

use petasos_protocol::{Matcher, MatcherKind, TopicView};

use super::exact::Exact;

/// Number of a class within its shard.
pub(crate) type ClassId = u32;

/// Which classes have which matcher.
#[derive(Default)]
pub(crate) struct Index {
    any: HashSet<ClassId>,
    exact: Exact,
    patterns: Patterns,
    templates: Patterns,
}

impl Index {
    pub(crate) fn insert(&mut self, matcher: &Matcher, class: ClassId) {
        match matcher.kind() {
            MatcherKind::Any => {
                self.any.insert(class);
            }
            MatcherKind::Exact(topic) => self.exact.insert(topic, class),
            MatcherKind::Pattern(_) => self.patterns.insert(matcher, class),
            MatcherKind::Template(_) => self.templates.insert(matcher, class),
        }
    }

    pub(crate) fn remove(&mut self, matcher: &Matcher, class: ClassId) {
        match matcher.kind() {
            MatcherKind::Any => {
                self.any.remove(&class);
            }
            MatcherKind::Exact(topic) => self.exact.remove(topic, class),
            MatcherKind::Pattern(_) => self.patterns.remove(matcher, class),
            MatcherKind::Template(_) => self.templates.remove(matcher, class),
        }
    }

    /// Calls `found` with each class that has a matcher for the topic; with some of them more than once.
    pub(crate) fn find(&mut self, topic: &TopicView<'_>, mut found: impl FnMut(ClassId)) {
        self.any.iter().copied().for_each(&mut found);
        self.exact.find(topic.as_str(), &mut found);
        self.patterns.find(topic, || topic.index_key(), &mut found);
        self.templates.find(topic, || Some(topic.as_str()), &mut found);
    }
}

/// What the key of every topic begins with that the matcher matches: its URL for a pattern, itself for a template.
fn prefix(matcher: &Matcher) -> &str {
    match matcher.kind() {
        MatcherKind::Pattern(pattern) => pattern.literal_prefix().unwrap_or_default(),
        MatcherKind::Template(template) => template.literal_prefix(),
        MatcherKind::Any | MatcherKind::Exact(_) => "",
    }
}

/// Patterns, grouped by the literal beginning that every topic they match must have.
#[derive(Default)]
struct Patterns {
    by_prefix: HashMap<Box<str>, HashMap<Matcher, HashSet<ClassId>>>,
    /// How many prefixes have which length, so that a topic is looked up once per length and not once per pattern.
    lengths: BTreeMap<usize, usize>,
    /// Results for recent topics; emptied whenever a pattern comes or goes.
    cache: HashMap<Box<str>, Box<[Matcher]>>,
}

impl Patterns {
    fn insert(&mut self, matcher: &Matcher, class: ClassId) {
        let prefix = prefix(matcher);
        if !self.by_prefix.contains_key(prefix) {
            *self.lengths.entry(prefix.len()).or_default() += 1;
        }
        let group = self.by_prefix.entry(prefix.into()).or_default();
        if !group.contains_key(matcher) {
            self.cache.clear();
        }
        group.entry(matcher.clone()).or_default().insert(class);
    }

    fn remove(&mut self, matcher: &Matcher, class: ClassId) {
        let prefix = prefix(matcher);
        let Some(group) = self.by_prefix.get_mut(prefix) else { return };
        if group.get_mut(matcher).is_some_and(|classes| classes.remove(&class) && classes.is_empty()) {
            group.remove(matcher);
            self.cache.clear();
        }
        if group.is_empty() {
            self.by_prefix.remove(prefix);
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
    }

    fn find<'a>(
        &mut self,
        topic: &TopicView<'_>,
        key: impl FnOnce() -> Option<&'a str>,
        found: &mut impl FnMut(ClassId),
    ) {
        if self.by_prefix.is_empty() {
            return;
        }
        if !self.cache.contains_key(topic.as_str()) {
            let matching = key().map(|key| self.search(topic, key)).unwrap_or_default();
            if self.cache.len() >= CACHED_TOPICS {
                self.cache.clear();
            }
            self.cache.insert(topic.as_str().into(), matching.into());
        }
        let matching = self.cache.get(topic.as_str()).map_or(&[][..], |matching| matching);
        for matcher in matching {
            if let Some(group) = self.by_prefix.get(prefix(matcher))
                && let Some(classes) = group.get(matcher)
            {
                classes.iter().copied().for_each(&mut *found);
            }
        }
    }

    fn search(&self, topic: &TopicView<'_>, key: &str) -> Vec<Matcher> {
        let prefixes = self.lengths.keys().filter_map(|length| key.get(..*length));
        let groups = prefixes.filter_map(|prefix| self.by_prefix.get(prefix));
        groups.flat_map(HashMap::keys).filter(|matcher| matcher.matches(topic)).cloned().collect()
    }
}

/// Topics whose patterns are remembered; about 100 bytes each.
const CACHED_TOPICS: usize = 4096;

#[cfg(test)]
mod tests {
    use petasos_protocol::HubUrl;

    use super::*;

    fn found(index: &mut Index, topic: &str) -> Vec<ClassId> {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let mut classes = Vec::new();
        index.find(&TopicView::new(topic, &hub), |class| classes.push(class));
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    #[test]
    fn each_kind_of_matcher_is_found_and_forgotten() {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let exact = Matcher::exact("https://example.com/books/1").unwrap();
        let pattern = Matcher::url_pattern("/books/:id", &hub).unwrap();
        let other = Matcher::url_pattern("/reviews/:id", &hub).unwrap();
        let template = Matcher::selector("https://example.com/books/{id}").unwrap();
        let mut index = Index::default();
        for (matcher, class) in
            [(&Matcher::any(), 1), (&exact, 2), (&exact, 3), (&pattern, 4), (&pattern, 5), (&other, 6)]
        {
            index.insert(matcher, class);
        }
        assert_eq!(found(&mut index, "https://example.com/books/1"), [1, 2, 3, 4, 5]);
        index.insert(&template, 8);
        assert_eq!(found(&mut index, "https://example.com/books/2"), [1, 4, 5, 8]);
        assert_eq!(found(&mut index, "https://example.com/books/{id}"), [1, 4, 5, 8]);
        index.remove(&template, 8);
        assert!(index.templates.by_prefix.is_empty());
        assert_eq!(found(&mut index, "/reviews/9"), [1, 6]);
        index.insert(&pattern, 7);
        assert_eq!(found(&mut index, "/books/1"), [1, 4, 5, 7]);
        for (matcher, class) in
            [(&Matcher::any(), 1), (&exact, 2), (&exact, 3), (&pattern, 4), (&pattern, 5), (&pattern, 7)]
        {
            index.remove(matcher, class);
        }
        assert!(found(&mut index, "https://example.com/books/1").is_empty());
        assert!(index.any.is_empty());
        assert_eq!(index.patterns.by_prefix.len(), 1);
    }

    #[test]
    fn a_cached_result_never_outlives_the_pattern_it_comes_from() {
        let hub = HubUrl::parse("https://example.com/.well-known/mercure").unwrap();
        let mut index = Index::default();
        let pattern = Matcher::url_pattern("/books/:id", &hub).unwrap();
        index.insert(&Matcher::url_pattern("/books/*", &hub).unwrap(), 1);
        assert_eq!(found(&mut index, "/books/1"), [1]);
        index.insert(&pattern, 2);
        assert_eq!(found(&mut index, "/books/1"), [1, 2]);
        index.remove(&pattern, 2);
        assert_eq!(found(&mut index, "/books/1"), [1]);
    }
}
