//! Several runs become one, so that a look-up asks few of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;

use super::run::{Run, RunError, RunWriter, Walk};

/// Writes the entries of `runs` after `floor` to `writer`. Calls `pause` each time some were made durable; its error ends
/// the merge.
pub(in super::super) fn merge(
    runs: &[Arc<Run>],
    floor: u64,
    mut writer: RunWriter,
    pause: &mut dyn FnMut() -> io::Result<()>,
) -> Result<(), RunError> {
    let mut walks: Vec<Walk> = runs.iter().map(|run| Arc::clone(run).walk()).collect();
    let mut heads = BinaryHeap::with_capacity(walks.len());
    for (number, walk) in walks.iter_mut().enumerate() {
        heads.extend(walk.next()?.map(|entry| Reverse((entry, number))));
    }
    while let Some(Reverse((entry, number))) = heads.pop() {
        if entry.seq > floor && writer.push(entry)? {
            pause()?;
        }
        heads.extend(walks[number].next()?.map(|entry| Reverse((entry, number))));
    }
    Ok(writer.finish()?)
}

/// How many of the newest runs are to be merged; 0 if none. `sizes` are of live entries, oldest run first.
///
/// A run that is left alone is more than [`FACTOR`] times as large as all newer ones together, but for the newest few: so
/// the number of runs grows with the logarithm of the history, and each entry is rewritten a few times per level.
pub(in super::super) fn merge_due(sizes: &[u64]) -> usize {
    let (mut count, mut sum) = (0, 0);
    for size in sizes.iter().rev() {
        if count > 0 && *size > sum * FACTOR as u64 {
            break;
        }
        count += 1;
        sum += size;
    }
    if count < FACTOR { 0 } else { count }
}

const FACTOR: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::super::sim::Disk;
    use super::super::super::storage::{Storage, Wait};
    use super::super::{Entry, Key};
    use super::*;

    #[test]
    fn merging_keeps_what_is_after_the_floor() {
        let (disk, key) = (Disk::default(), Key::from_bytes([2; 16]));
        let mut runs = Vec::new();
        for number in 0..5u64 {
            let range = number * 1_000 + 1..=(number + 1) * 1_000;
            let mut entries: Vec<_> = range
                .clone()
                // An id in ten is one that the other runs have too.
                .map(|seq| if seq % 10 == 0 { seq % 1_000 } else { seq })
                .zip(range.clone())
                .map(|(id, seq)| Entry { hash: key.hash(&id.to_string()), seq })
                .collect();
            entries.sort_unstable();
            let mut writer = RunWriter::new(disk.create(&number.to_string()).unwrap(), key, &range, 1_000);
            for entry in entries {
                writer.push(entry).unwrap();
            }
            writer.finish().unwrap();
            runs.push(Arc::new(Run::open(disk.open(&number.to_string()).unwrap()).unwrap()));
        }
        let floor = 1_500;
        let writer = RunWriter::new(disk.create("all").unwrap(), key, &(1..=5_000), 5_000);
        merge(&runs, floor, writer, &mut || Ok(())).unwrap();
        let all = Run::open(disk.open("all").unwrap()).unwrap();
        assert_eq!(all.entries(), 3_500);
        for id in 1..=5_000u64 {
            let hash = key.hash(&id.to_string());
            let found = runs.iter().find_map(|run| run.find(hash, floor, Wait::Yes).unwrap());
            assert_eq!(all.find(hash, floor, Wait::Yes).unwrap(), found, "{id}");
        }
    }

    #[test]
    fn the_number_of_runs_grows_with_the_logarithm_and_rewriting_too() {
        let mut sizes: Vec<u64> = Vec::new();
        let (mut rewritten, mut most) = (0, 0);
        let segments = 20_000;
        for _ in 0..segments {
            sizes.push(100);
            most = most.max(sizes.len());
            let due = merge_due(&sizes);
            if due > 0 {
                let sum: u64 = sizes.drain(sizes.len() - due..).sum();
                rewritten += sum;
                sizes.push(sum);
            }
        }
        assert!(most <= 8 + 5, "{most}");
        assert!(rewritten <= segments * 100 * 25, "each entry {} times", rewritten / (segments * 100));
        assert_eq!(sizes.iter().sum::<u64>(), segments * 100);
    }
}
