//! One event as bytes.
//!
//! ```text
//!  0  u32  length of what follows the first 8 bytes
//!  4  u32  CRC-32 of the length and of what follows, begun with the segment's seed
//!  8  u64  sequence number
//! 16  u64  when it was appended, seconds since the Unix epoch
//! 24  u32  flushed: everything before this offset of the segment was durable before this record was written
//! 28  u16  number of topics, those of the audience included
//! 30  u16  length of the id
//! 32  u32  flags: bit 0 = private, bit 1 = for earlier generations, bits 16 to 31 = how many of the topics, the last ones,
//!          are the audience
//! 36  id, then each topic (u16 length, bytes), then the frame
//! ```
//! All numbers are little-endian.

use std::ops::Range;

use bytes::Bytes;
use petasos_protocol::{EventId, Topic};

use crate::event::Event;

/// A record, borrowed from the bytes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) flushed: u32,
    flags: u32,
    pub(super) id: &'a str,
    topic_count: u16,
    topics: &'a [u8],
    frame: Range<usize>,
    bytes: &'a [u8],
}

impl Record<'_> {
    /// How many bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.frame.end
    }

    /// What it was parsed from.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The event; `bytes` is what the record was parsed from.
    pub(super) fn event(&self, bytes: &Bytes) -> Result<Event, Flaw> {
        let id = EventId::new(self.id).map_err(|_| Flaw::Bad("its id is no event id"))?;
        let mut topics = Vec::with_capacity(usize::from(self.topic_count));
        let mut fields = Fields(self.topics);
        for _ in 0..self.topic_count {
            let topic = fields.text().and_then(|topic| Topic::within(topic, usize::MAX).ok());
            topics.push(topic.ok_or(Flaw::Bad("a topic of it is no topic"))?);
        }
        let audience = usize::try_from(self.flags >> AUDIENCE).unwrap_or(usize::MAX);
        let own = topics.len().checked_sub(audience).ok_or(Flaw::Bad("its audience is larger than it"))?;
        let audience = topics.split_off(own);
        let (private, frame) = (self.flags & PRIVATE != 0, bytes.slice(self.frame.clone()));
        let event = Event::from_parts(id, topics.into(), private, frame);
        Ok(event.with_audience(audience.into()).with_for_earlier(self.flags & FOR_EARLIER != 0))
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They end before it does; so many are needed to go on.
    Short(usize),
    /// They are something else.
    Bad(&'static str),
}

impl Flaw {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Short(_) => "it is cut off",
            Self::Bad(reason) => reason,
        }
    }
}

/// Parses the record that `bytes` begin with.
pub(super) fn parse(bytes: &[u8], seed: u32) -> Result<Record<'_>, Flaw> {
    let size = size(bytes)?;
    let record = bytes.get(..size).ok_or(Flaw::Short(size))?;
    if Fields(&record[4..]).u32() != Some(checksum(record, seed)) {
        return Err(Flaw::Bad("its checksum is wrong"));
    }
    fields(record).ok_or(Flaw::Bad("its fields do not fit into it"))
}

/// How many bytes the record takes that `bytes` begin with.
pub(super) fn size(bytes: &[u8]) -> Result<usize, Flaw> {
    let length = Fields(bytes).u32().ok_or(Flaw::Short(HEAD))?;
    let size = usize::try_from(length).map_or(usize::MAX, |length| length.saturating_add(PREFIX));
    if (HEAD..=MAX_RECORD).contains(&size) { Ok(size) } else { Err(Flaw::Bad("its length is impossible")) }
}

fn fields(record: &[u8]) -> Option<Record<'_>> {
    let mut fields = Fields(record.get(PREFIX..)?);
    let (seq, at, flushed) = (fields.u64()?, fields.u64()?, fields.u32()?);
    let (topic_count, id_length, flags) = (fields.u16()?, fields.u16()?, fields.u32()?);
    let id = std::str::from_utf8(fields.take(usize::from(id_length))?).ok()?;
    let topics = fields.0;
    for _ in 0..topic_count {
        fields.text()?;
    }
    let frame = record.len() - fields.0.len()..record.len();
    Some(Record { seq, at, flushed, flags, id, topic_count, topics, frame, bytes: record })
}

/// The head of a record without what needs its end: enough to tell a candidate from noise.
pub(super) struct Head {
    pub(super) size: usize,
    pub(super) seq: u64,
    pub(super) flushed: u32,
}

pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let size = size(bytes).ok()?;
    let mut fields = Fields(bytes.get(PREFIX..)?);
    let seq = fields.u64()?;
    fields.u64()?;
    Some(Head { size, seq, flushed: fields.u32()? })
}

/// What the writer adds to an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) flushed: u32,
}

/// Whether an event can be a record at all.
pub(super) fn fits(event: &Event) -> bool {
    let size: usize = topics(event).map(|topic| topic.as_str().len() + 2).sum();
    let size = HEAD + event.id().as_str().len() + size + event.frame().len();
    let texts = topics(event).map(Topic::as_str).chain([event.id().as_str()]);
    size <= MAX_RECORD
        && u16::try_from(topics(event).count()).is_ok()
        && texts.into_iter().all(|text| u16::try_from(text.len()).is_ok())
}

/// Appends the record of an event that [`fits`].
pub(super) fn encode(event: &Event, place: Place, seed: u32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    out.extend_from_slice(&place.seq.to_le_bytes());
    out.extend_from_slice(&place.at.to_le_bytes());
    out.extend_from_slice(&place.flushed.to_le_bytes());
    out.extend_from_slice(&short(topics(event).count()));
    out.extend_from_slice(&short(event.id().as_str().len()));
    out.extend_from_slice(&flags(event).to_le_bytes());
    out.extend_from_slice(event.id().as_str().as_bytes());
    for topic in topics(event) {
        out.extend_from_slice(&short(topic.as_str().len()));
        out.extend_from_slice(topic.as_str().as_bytes());
    }
    out.extend_from_slice(event.frame());
    let length = u32::try_from(out.len() - start - PREFIX).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&out[start..], seed);
    out[start + 4..start + PREFIX].copy_from_slice(&checksum.to_le_bytes());
}

/// The topics, then the audience.
fn topics(event: &Event) -> impl Iterator<Item = &Topic> {
    event.topics().iter().chain(event.audience())
}

fn flags(event: &Event) -> u32 {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    // An event that fits has no more topics than 16 bits count.
    let audience = u32::try_from(event.audience().len()).unwrap_or_default() << AUDIENCE;
    audience | flag(event.is_private(), PRIVATE) | flag(event.is_for_earlier(), FOR_EARLIER)
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes()
}

/// Begun with a secret of the segment: what a publisher puts into an update can never pass for a record.
fn checksum(record: &[u8], seed: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(&record[..4]);
    hasher.update(&record[PREFIX..]);
    hasher.finalize()
}

/// Takes fields off the front of bytes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

/// Bytes before what the length counts.
const PREFIX: usize = 8;
/// Bytes of every record.
pub(super) const HEAD: usize = 36;
/// A hundred times what an update may be by default; beyond that, a length is noise.
const MAX_RECORD: usize = 256 << 20;
const PRIVATE: u32 = 1;
const FOR_EARLIER: u32 = 2;
const AUDIENCE: u32 = 16;

#[cfg(test)]
mod tests {
    use petasos_protocol::Update;

    use super::*;

    fn event() -> Event {
        let update = Update::new(Topic::new("https://example.com/books/1").unwrap())
            .with_alternate(Topic::new("https://example.com/b\u{fc}cher").unwrap())
            .with_data("{\n}")
            .with_private(true)
            .with_audience(vec![Topic::new("foo").unwrap(), Topic::new("bar").unwrap()]);
        Event::new(EventId::new("urn:uuid:1").unwrap(), &update)
    }

    fn encoded(event: &Event) -> Bytes {
        let mut bytes = vec![0xAA; 3];
        assert!(fits(event));
        encode(event, Place { seq: 9, at: 1_800_000_000, flushed: 512 }, 77, &mut bytes);
        Bytes::from(bytes).slice(3..)
    }

    #[test]
    fn an_event_is_read_back_as_it_was() {
        let bytes = encoded(&event());
        let record = parse(&bytes, 77).unwrap();
        assert_eq!((record.seq, record.at, record.flushed), (9, 1_800_000_000, 512));
        assert_eq!(record.size(), bytes.len());
        assert_eq!(record.event(&bytes).unwrap(), event());
        let head = head(&bytes).unwrap();
        assert_eq!((head.size, head.seq, head.flushed), (bytes.len(), 9, 512));
    }

    #[test]
    fn a_part_asks_for_the_rest() {
        let bytes = encoded(&event());
        for end in 0..bytes.len() {
            match parse(&bytes[..end], 77) {
                Err(Flaw::Short(needed)) => assert!(needed > end && needed <= bytes.len().max(HEAD)),
                other => panic!("{end}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_changed_bit_is_noticed_wherever_it_is() {
        let bytes = encoded(&event());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            // A longer length asks for bytes that are not there.
            assert!(parse(&changed, 77).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn the_record_of_another_segment_is_none() {
        assert_eq!(parse(&encoded(&event()), 78), Err(Flaw::Bad("its checksum is wrong")));
        assert_eq!(parse(&[0; 64], 77), Err(Flaw::Bad("its length is impossible")));
    }
}
