//! Pages: 4096 bytes that know their place and whether they are whole.

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
/// Bytes of a page that are its content.
pub(super) const CONTENT: usize = PAGE - 4;

/// Writes the checksum of a page that stands at `number`.
pub(super) fn seal(page: &mut [u8; PAGE], number: u64) {
    let checksum = checksum(&page[..CONTENT], number);
    page[CONTENT..].copy_from_slice(&checksum.to_le_bytes());
}

/// The content of a page, if it is the one that was written at `number`.
pub(super) fn open(page: &[u8], number: u64) -> Option<&[u8]> {
    let (content, stored) = page.split_at_checked(CONTENT)?;
    (stored == checksum(content, number).to_le_bytes()).then_some(content)
}

fn checksum(content: &[u8], number: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(content);
    // A whole page at the wrong place is wrong.
    hasher.update(&number.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_whole_and_in_its_place_or_it_is_none() {
        let mut page = [3; PAGE];
        seal(&mut page, 5);
        assert_eq!(open(&page, 5), Some(&[3; CONTENT][..]));
        assert_eq!(open(&page, 6), None);
        assert_eq!(open(&page[..PAGE - 1], 5), None);
        page[100] ^= 1;
        assert_eq!(open(&page, 5), None);
    }
}
