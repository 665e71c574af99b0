//! Names as SeaORM and serde make them.

/// `publication_date` becomes `PublicationDate`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('_').filter(|word| !word.is_empty()).map(capitalised).collect()
}

/// `publication_date` becomes `publicationDate`.
pub(crate) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let mut chars = pascal.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The name that serde gives a field under `rename_all`; `None` for a rule that does not exist.
pub(crate) fn serde_field(name: &str, rule: Option<&str>) -> Option<String> {
    Some(match rule {
        None | Some("snake_case" | "lowercase") => name.to_owned(),
        Some("camelCase") => camel(name),
        Some("PascalCase") => pascal(name),
        Some("kebab-case") => name.replace('_', "-"),
        Some("SCREAMING_SNAKE_CASE" | "UPPERCASE") => name.to_uppercase(),
        Some("SCREAMING-KEBAB-CASE") => name.to_uppercase().replace('_', "-"),
        Some(_) => return None,
    })
}

/// The plural that a path is made of: `book` becomes `books`, `category` becomes `categories`.
pub(crate) fn plural(name: &str) -> String {
    let vowel_y = ["ay", "ey", "iy", "oy", "uy"].iter().any(|end| name.ends_with(end));
    let consonant_y = name.ends_with('y') && !vowel_y;
    if consonant_y {
        return format!("{}ies", &name[..name.len() - 1]);
    }
    let hissing = ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end));
    if hissing { format!("{name}es") } else { format!("{name}s") }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        assert_eq!(
            (pascal("publication_date"), camel("publication_date")),
            ("PublicationDate".into(), "publicationDate".into())
        );
        assert_eq!((camel("id"), pascal("isbn13")), ("id".into(), "Isbn13".into()));
        assert_eq!(serde_field("a_b", Some("kebab-case")).as_deref(), Some("a-b"));
        assert_eq!(serde_field("a_b", Some("nonsense")), None);
        for (singular, expected) in [
            ("book", "books"),
            ("category", "categories"),
            ("toy", "toys"),
            ("box", "boxes"),
            ("dish", "dishes"),
        ] {
            assert_eq!(plural(singular), expected);
        }
    }
}
