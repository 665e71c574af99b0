//! The names of the files of a history.
//!
//! Numbers are padded, so that a listing by name is a listing by age.

/// What a file is, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// The events from `base` on: `00000000000000000001.log`.
    Segment { base: u64 },
    /// Where the events of the segment `base` begin: `00000000000000000001.off`.
    Offsets { base: u64 },
    /// The ids of the events from `first` to `last`: `00000000000000000001-00000000000000000900.ids`.
    Run { first: u64, last: u64 },
    /// Something that was never finished.
    Draft,
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        if name.ends_with(DRAFT) {
            return Some(Self::Draft);
        }
        let (stem, extension) = name.split_once('.')?;
        match extension {
            "log" => Some(Self::Segment { base: number(stem)? }),
            "off" => Some(Self::Offsets { base: number(stem)? }),
            "ids" => {
                let (first, last) = stem.split_once('-')?;
                Some(Self::Run { first: number(first)?, last: number(last)? })
            }
            _ => None,
        }
    }
}

pub(super) fn segment(base: u64) -> String {
    format!("{base:020}.log")
}

pub(super) fn offsets(base: u64) -> String {
    format!("{base:020}.off")
}

pub(super) fn run(first: u64, last: u64) -> String {
    format!("{first:020}-{last:020}.ids")
}

/// The name that a file has until it is complete.
pub(super) fn draft(name: &str) -> String {
    format!("{name}{DRAFT}")
}

fn number(digits: &str) -> Option<u64> {
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

const DRAFT: &str = ".tmp";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_sort_by_age() {
        assert_eq!(Name::parse(&segment(7)), Some(Name::Segment { base: 7 }));
        assert_eq!(Name::parse(&offsets(7)), Some(Name::Offsets { base: 7 }));
        assert_eq!(Name::parse(&run(1, 9)), Some(Name::Run { first: 1, last: 9 }));
        assert_eq!(Name::parse(&draft(&segment(7))), Some(Name::Draft));
        assert!(segment(9) < segment(10));
        for foreign in ["lock", "7.log", "0000000000000000000x.log", "99999999999999999999.log", "notes.txt"]
        {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }
}
