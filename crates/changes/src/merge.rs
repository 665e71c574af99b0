//! Several changes of one row become one: subscribers care for what a row is, not for how it came to be.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{Change, Operation};

/// What the changes of one row come to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Merged {
    /// The numbers of all changes that it stands for, in order. All must be acknowledged together.
    pub seqs: Vec<i64>,
    /// The table of the row.
    pub table: String,
    /// What became of it as seen from outside. A row that came and went is gone: that it came may have been published before,
    /// by a relay that was killed before it could say so.
    pub operation: Operation,
    /// A row that is there was inserted or updated meanwhile, or both; a row that is gone was deleted.
    pub happened: Vec<Operation>,
    /// The columns of the row's primary key, by name.
    pub key: Map<String, Value>,
    /// The row before it was deleted, if it is gone; otherwise the row before the first of the changes, if it was there.
    pub old: Option<Map<String, Value>>,
}

impl Merged {
    /// The number of the last change: identifies this state of the row.
    #[must_use]
    pub fn last_seq(&self) -> i64 {
        self.seqs.last().copied().unwrap_or_default()
    }
}

/// Merges the changes of each row; the results are in the order of their last changes.
#[must_use]
pub fn merge(changes: Vec<Change>) -> Vec<Merged> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for change in changes {
        let identity = (change.table.clone(), Value::Object(change.key.clone()).to_string());
        match places.get(&identity) {
            Some(place) => rows[*place].add(change),
            None => {
                places.insert(identity, rows.len());
                rows.push(Row::new(change));
            }
        }
    }
    let mut merged: Vec<Merged> = rows.into_iter().map(Row::finish).collect();
    merged.sort_by_key(Merged::last_seq);
    merged
}

struct Row {
    /// Its old row is the one before the first of the changes, until it is finished.
    merged: Merged,
    existed: bool,
    /// The row before it was deleted the last time.
    deleted: Option<Map<String, Value>>,
}

impl Row {
    fn new(change: Change) -> Self {
        let existed = change.operation != Operation::Insert;
        let Change { seq, table, operation, key, old } = change;
        let (happened, deleted) = (vec![operation], old.clone().filter(|_| operation == Operation::Delete));
        Self { merged: Merged { seqs: vec![seq], table, operation, happened, key, old }, existed, deleted }
    }

    fn add(&mut self, change: Change) {
        let Merged { seqs, operation, happened, .. } = &mut self.merged;
        seqs.push(change.seq);
        *operation = match (self.existed, change.operation) {
            (_, Operation::Delete) => Operation::Delete,
            (false, _) => Operation::Insert,
            (true, _) => Operation::Update,
        };
        let is_gone = *operation == Operation::Delete;
        happened.retain(|before| !is_gone && *before != Operation::Delete);
        for new in [*operation, change.operation] {
            if !happened.contains(&new) {
                happened.push(new);
            }
        }
        if is_gone {
            self.deleted = change.old;
        }
    }

    fn finish(self) -> Merged {
        let Self { mut merged, deleted, .. } = self;
        if merged.operation == Operation::Delete {
            merged.old = deleted;
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn change(seq: i64, operation: Operation, id: i64) -> Change {
        let Value::Object(key) = json!({"id": id}) else { unreachable!() };
        let Value::Object(old) = json!({"id": id, "version": seq}) else { unreachable!() };
        let old = (operation != Operation::Insert).then_some(old);
        Change { seq, table: "t".to_owned(), operation, key, old }
    }

    #[test]
    fn a_row_that_comes_and_goes_is_gone_and_one_that_goes_and_comes_is_updated() {
        use Operation::{Delete, Insert, Update};
        for (operations, expected, happened, old) in [
            (vec![Insert, Update], Insert, vec![Insert, Update], None),
            (vec![Insert, Delete], Delete, vec![Delete], Some(2)),
            (vec![Insert, Delete, Insert], Insert, vec![Insert], None),
            (vec![Update, Delete], Delete, vec![Delete], Some(2)),
            (vec![Delete, Insert], Update, vec![Update, Insert], Some(1)),
            (vec![Delete, Insert, Delete], Delete, vec![Delete], Some(3)),
            (vec![Update, Update], Update, vec![Update], Some(1)),
        ] {
            let changes = (1..).zip(&operations).map(|(seq, operation)| change(seq, *operation, 7)).collect();
            let merged = merge(changes);
            assert_eq!(merged.len(), 1);
            assert_eq!(merged[0].operation, expected, "{operations:?}");
            assert_eq!(merged[0].seqs.len(), operations.len());
            assert_eq!(merged[0].happened, happened, "{operations:?}");
            let version = merged[0].old.as_ref().map(|old| old["version"].clone());
            assert_eq!(version, old.map(|seq: i64| json!(seq)), "{operations:?}");
        }
    }

    proptest! {
        /// Whoever applies the merged changes ends where the one ends who applies each of them.
        #[test]
        fn merged_changes_lead_to_the_same_rows(steps in prop::collection::vec((0..4i64, any::<bool>()), 0..40)) {
            let mut rows = std::collections::BTreeSet::from([0, 1]);
            let before = rows.clone();
            let mut changes = Vec::new();
            for (seq, (id, delete)) in (1..).zip(steps) {
                let operation = match (rows.contains(&id), delete) {
                    (true, true) => Operation::Delete,
                    (true, false) => Operation::Update,
                    (false, _) => Operation::Insert,
                };
                if operation == Operation::Delete { rows.remove(&id); } else { rows.insert(id); }
                changes.push(change(seq, operation, id));
            }
            let mut seqs: Vec<i64> = Vec::new();
            let mut replayed = before;
            for merged in merge(changes.clone()) {
                let id = merged.key["id"].as_i64().unwrap();
                match merged.operation {
                    Operation::Insert => prop_assert!(replayed.insert(id)),
                    // Or it came and went.
                    Operation::Delete => drop(replayed.remove(&id)),
                    Operation::Update => prop_assert!(replayed.contains(&id)),
                }
                seqs.extend(merged.seqs);
            }
            prop_assert_eq!(replayed, rows);
            seqs.sort_unstable();
            prop_assert_eq!(seqs, changes.iter().map(|change| change.seq).collect::<Vec<_>>());
        }
    }
}
