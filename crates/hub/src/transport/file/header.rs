//! The first 512 bytes of a segment.
//!
//! ```text
//!   0  8 bytes  "petalog\0"
//!   8  u32      version of the format
//!  12  u32      size of this header
//!  16  u64      sequence number of the first event
//!  24  u64      when the segment was made, seconds since the Unix epoch
//!  32  16 bytes key of the history: for the hashes of ids, and the seed of checksums
//!  48  u16      length of the id of the event before the first one; 0 if there is none
//!  50  that id, at most 256 bytes, then zeroes
//! 508  u32      CRC-32 of all that
//! ```

use petasos_protocol::EventId;

use super::ids::Key;
use super::record::Fields;

/// What every segment says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) base: u64,
    pub(super) created: u64,
    pub(super) key: Key,
    /// Retention may remove every event; the id of the newest one stays known.
    pub(super) previous_id: Option<EventId>,
}

/// Why a header is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFlaw {
    /// It is of a later version.
    Future(u32),
    /// It is damaged, or something else.
    Bad(&'static str),
}

impl Header {
    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = Vec::with_capacity(SIZE);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(SIZE).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&self.base.to_le_bytes());
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(&self.key.bytes());
        let id = self.previous_id.as_ref().map_or("", EventId::as_str);
        bytes.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(id.as_bytes());
        let mut header = [0; SIZE];
        header[..bytes.len()].copy_from_slice(&bytes);
        let checksum = crc32fast::hash(&header[..CHECKED]);
        header[CHECKED..].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderFlaw> {
        let mut fields = Fields(bytes);
        let ours = fields.take(MAGIC.len()).is_some_and(|magic| magic == MAGIC);
        let version =
            fields.u32().filter(|_| ours).ok_or(HeaderFlaw::Bad("it is no segment of a history"))?;
        // Before anything else is looked at: a later version may have moved it.
        if version > VERSION {
            return Err(HeaderFlaw::Future(version));
        }
        let mut checked = Fields(bytes.get(CHECKED..SIZE).ok_or(HeaderFlaw::Bad("its header is cut off"))?);
        if checked.u32() != Some(crc32fast::hash(&bytes[..CHECKED])) {
            return Err(HeaderFlaw::Bad("the checksum of its header is wrong"));
        }
        Self::fields(fields).ok_or(HeaderFlaw::Bad("its header makes no sense"))
    }

    fn fields(mut fields: Fields<'_>) -> Option<Self> {
        fields.u32()?;
        let (base, created) = (fields.u64()?, fields.u64()?);
        let key = Key::from_bytes(fields.array()?);
        let length = fields.u16()?;
        let id = std::str::from_utf8(fields.take(usize::from(length))?).ok()?;
        let previous_id = if id.is_empty() { None } else { Some(EventId::new(id).ok()?) };
        Some(Self { base, created, key, previous_id })
    }
}

/// Bytes of a header; where the first record begins.
pub(super) const SIZE: usize = 512;
const CHECKED: usize = SIZE - 4;
const MAGIC: &[u8] = b"petalog\0";
/// The version that is written, and the highest that is read.
pub(super) const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let id = EventId::new(&"i".repeat(256)).unwrap();
        Header { base: 81, created: 1_800_000_000, key: Key::from_bytes([7; 16]), previous_id: Some(id) }
    }

    #[test]
    fn a_header_is_read_back() {
        assert_eq!(Header::parse(&header().encode()), Ok(header()));
        let first = Header { previous_id: None, ..header() };
        assert_eq!(Header::parse(&first.encode()), Ok(first));
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        assert_eq!(Header::parse(&bytes), Err(HeaderFlaw::Future(2)));
        for bit in (0..SIZE * 8).filter(|bit| !(64..96).contains(bit)) {
            let mut bytes = header().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::parse(&bytes), Err(HeaderFlaw::Bad(_))), "bit {bit}");
        }
        assert_eq!(Header::parse(&bytes[..11]), Err(HeaderFlaw::Bad("it is no segment of a history")));
    }
}
