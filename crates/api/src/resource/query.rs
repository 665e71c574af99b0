//! What a list is asked for: page, order and filters.

use super::{FieldInfo, Info};

/// A request for a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListQuery {
    /// From 1 on.
    pub(crate) page: u64,
    pub(crate) per_page: u64,
    pub(crate) sorts: Vec<Sort>,
    /// Place of the field and the texts, one of which its value must match.
    pub(crate) filters: Vec<(usize, Vec<String>)>,
    /// What of the query counts, without the page: goes into the links to other pages.
    pub(crate) kept: Vec<(String, String)>,
}

/// An order by one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) field: usize,
    pub(crate) descending: bool,
}

impl ListQuery {
    /// Reads a query component. What is unknown or makes no sense is ignored, never refused: clients send all sorts of things.
    pub(crate) fn parse(query: &str, info: &Info) -> Self {
        let mut list =
            Self { page: 1, per_page: PER_PAGE, sorts: Vec::new(), filters: Vec::new(), kept: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let counts = match name.as_ref() {
                "page" => {
                    list.page = leading_number(&value).filter(|page| *page > 0).unwrap_or(1);
                    false
                }
                "itemsPerPage" => {
                    list.per_page = leading_number(&value).unwrap_or(PER_PAGE).clamp(1, MAX_PER_PAGE);
                    true
                }
                name => list.order_or_filter(name, &value, info),
            };
            if counts {
                list.kept.push((name.into_owned(), value.into_owned()));
            }
        }
        list
    }

    /// The query component that asks for another page of the same list.
    pub(crate) fn to_page(&self, page: u64) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.kept);
        query.append_pair("page", &page.to_string());
        query.finish()
    }

    fn order_or_filter(&mut self, name: &str, value: &str, info: &Info) -> bool {
        let (name, inner) =
            name.split_once('[').map_or((name, None), |(name, inner)| (name, inner.strip_suffix(']')));
        let field =
            |name: &str| info.fields.iter().position(|field| field.name == name && is_filterable(field));
        match (name, inner) {
            ("order", Some(inner)) => {
                let Some(field) = field(inner) else { return false };
                self.sorts.push(Sort { field, descending: value.eq_ignore_ascii_case("desc") });
                true
            }
            (name, index) if index.is_none_or(|index| index.chars().all(|char| char.is_ascii_digit())) => {
                let Some(field) = field(name) else { return false };
                match self.filters.iter_mut().find(|(other, _)| *other == field) {
                    Some((_, values)) => values.push(value.to_owned()),
                    None => self.filters.push((field, vec![value.to_owned()])),
                }
                true
            }
            _ => false,
        }
    }
}

/// Whether lists may be filtered and ordered by a field.
pub(crate) fn is_filterable(field: &FieldInfo) -> bool {
    !field.hidden
}

/// One client appends a question mark to its numbers.
fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

const PER_PAGE: u64 = 30;
const MAX_PER_PAGE: u64 = 100;
