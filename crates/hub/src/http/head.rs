//! The size of the head of a request (DEC.6).
//!
//! What parses the request stops a head that never ends, but lets one pass that is somewhat too large, and says nothing about
//! one that it stops. Here the limit is exact, and whoever exceeds it is told.

use http::{StatusCode, request};

use super::Problem;

/// Refuses a head that is larger than `most` bytes.
pub(super) fn check(parts: &request::Parts, most: u32) -> Result<(), Problem> {
    let size = size(parts);
    if size <= u64::from(most) {
        return Ok(());
    }
    let detail = format!("The head of the request has {size} bytes; {most} are allowed.");
    Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail))
}

/// As it is written in HTTP/1.1: a line for the request, one for each field, and an empty one.
fn size(parts: &request::Parts) -> u64 {
    let target = parts.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + " HTTP/1.1".len() + " ".len();
    let fields: usize =
        parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    (line + fields + 2 * "\r\n".len()) as u64
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn dec_6_a_head_is_measured_as_it_is_written() {
        let written = "GET /.well-known/mercure?match=x HTTP/1.1\r\nhost: example.com\r\nx-a: b\r\n\r\n";
        let request =
            Request::get("/.well-known/mercure?match=x").header("host", "example.com").header("x-a", "b");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(size(&parts), written.len() as u64);
        assert!(check(&parts, u32::try_from(written.len()).unwrap()).is_ok());
        assert!(check(&parts, u32::try_from(written.len()).unwrap() - 1).is_err());
    }
}
