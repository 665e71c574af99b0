//! As much of Rust as it takes to measure functions: strings and comments are blanked, braces are matched.

/// The text with everything inside strings, characters and comments replaced by spaces; lines stay where they are.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => at + line_length(&bytes[at..]),
            b'/' if bytes[at..].starts_with(b"/*") => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' | b'b' if !preceded_by_word(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Name, first line (from 1) and number of lines of each function that has a body.
pub(crate) fn functions(blanked: &str) -> Vec<(String, usize, usize)> {
    let bytes = blanked.as_bytes();
    let mut found = Vec::new();
    for (at, _) in blanked.match_indices("fn ") {
        if preceded_by_word(bytes, at) {
            continue;
        }
        let name: String =
            blanked[at + 3..].chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        let Some(open) = body_start(bytes, at).filter(|_| !name.is_empty()) else { continue };
        let close = matching_brace(bytes, open);
        let line = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        found.push((name, line(at), line(close) - line(at) + 1));
    }
    found
}

/// The brace that opens the body, unless a semicolon ends the signature first.
fn body_start(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn matching_brace(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + usize::from(bytes[from] == b'b');
    if bytes.get(at) != Some(&b'r') {
        return None;
    }
    at += 1;
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    at += hashes;
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let length = bytes[at + 1..].windows(end.len()).position(|window| window == end)?;
    Some(at + 1 + length + end.len())
}

/// A character, not a lifetime.
fn char_end(bytes: &[u8], from: usize) -> Option<usize> {
    match (bytes.get(from + 1)?, bytes.get(from + 2)?) {
        (b'\\', _) => {
            bytes[from + 3..].iter().position(|byte| *byte == b'\'').map(|length| from + 3 + length + 1)
        }
        (_, b'\'') => Some(from + 3),
        _ => None,
    }
}

fn preceded_by_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_characters_and_comments_do_not_count() {
        let text = "fn a<'x>() {\n  let s = \"}\\\"{\"; // }\n  let c = '}'; /* { /* } */ */\n  let r = r#\"fn b() {\"#;\n}\n";
        let blanked = blank(text);
        assert_eq!(blanked.lines().count(), 5);
        assert_eq!(functions(&blanked), [("a".to_owned(), 1, 5)]);
    }

    #[test]
    fn signatures_without_a_body_and_types_are_no_functions() {
        let text = "trait T { fn a(&self, x: [u8; 3]); fn b(&self) -> [u8; 2] {\n [0; 2]\n } }\nstruct S { read: fn (u8) -> u8 }";
        assert_eq!(functions(&blank(text)), [("b".to_owned(), 1, 3)]);
    }
}
