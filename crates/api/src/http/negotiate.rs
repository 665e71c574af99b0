//! Which representation a client wants (RFC 9110 section 12.5.1).

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Problem;

/// How resources can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON-LD with Hydra: what everyone gets who has no wish.
    JsonLd,
    /// The same without `@` members and without an envelope around lists.
    Json,
}

impl Format {
    /// The format that the client likes best.
    ///
    /// # Errors
    /// 406 if it takes none of ours.
    pub(crate) fn choose(headers: &HeaderMap) -> Result<Self, Problem> {
        let ranges = ranges(headers);
        let offers = [(Self::JsonLd, "application/ld+json"), (Self::Json, "application/json")];
        let qualities = offers.map(|(format, name)| (format, quality(&ranges, name)));
        let best = qualities
            .into_iter()
            .filter(|(_, quality)| *quality > 0.0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(format, _)| format).ok_or_else(|| {
            let detail = "None of the accepted media types can be had; there are application/ld+json and application/json.";
            Problem::new(StatusCode::NOT_ACCEPTABLE, detail)
        })
    }

    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::JsonLd => "application/ld+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }
}

/// Whether a client names HTML and likes it no less than JSON: a browser that navigates.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    let html = named(&ranges, "text/html").unwrap_or(0.0);
    let others = ["application/ld+json", "application/json"].map(|name| named(&ranges, name).unwrap_or(0.0));
    html > 0.0 && others.iter().all(|other| html >= *other)
}

struct Range {
    name: String,
    quality: f32,
}

/// The ranges of all `Accept` headers; everything, if there is none.
fn ranges(headers: &HeaderMap) -> Vec<Range> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let text =
        if values.iter().all(|value| value.trim().is_empty()) { "*/*".to_owned() } else { values.join(",") };
    text.split(',').map(str::trim).filter(|range| !range.is_empty()).map(range).collect()
}

fn range(text: &str) -> Range {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Range { name, quality: quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)) }
}

/// The quality of a media type: that of the most specific range that covers it.
fn quality(ranges: &[Range], name: &str) -> f32 {
    let kind = format!("{}/*", name.split('/').next().unwrap_or_default());
    [name, &kind, "*/*"].iter().find_map(|name| named(ranges, name)).unwrap_or(0.0)
}

fn named(ranges: &[Range], name: &str) -> Option<f32> {
    ranges.iter().filter(|range| range.name == name).map(|range| range.quality).reduce(f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn no_wish_means_json_ld() {
        for value in ["*/*", "", "application/*", "application/ld+json", "text/html, */*;q=0.1"] {
            assert_eq!(Format::choose(&accept(value)).unwrap(), Format::JsonLd, "{value}");
        }
        assert_eq!(Format::choose(&HeaderMap::new()).unwrap(), Format::JsonLd);
    }

    #[test]
    fn qualities_and_refusals_are_respected() {
        for value in [
            "application/json",
            "application/ld+json;q=0.5, application/json",
            "*/*, application/ld+json;q=0",
        ] {
            assert_eq!(Format::choose(&accept(value)).unwrap(), Format::Json, "{value}");
        }
        assert!(Format::choose(&accept("text/html")).is_err());
        assert!(Format::choose(&accept("application/json;q=0")).is_err());
    }

    #[test]
    fn browsers_are_told_from_programs() {
        assert!(prefers_html(&accept("text/html,application/xhtml+xml,*/*;q=0.8")));
        for value in ["*/*", "application/ld+json", "text/html;q=0.5, application/json"] {
            assert!(!prefers_html(&accept(value)), "{value}");
        }
    }
}
