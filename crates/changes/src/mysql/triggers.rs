//! The triggers that write into the outbox.
//!
//! The server fires none for rows that a foreign key deletes or changes. The table that the key refers to gets a trigger
//! for them, which runs before its row goes, while those that refer to it can still be found.

use std::collections::{BTreeSet, HashMap};

use super::catalogue::{Catalogue, ForeignKey, Name, Rule, Watched};
use crate::Error;
use crate::dialect::{Dialect, short_hash};
use crate::store::Tables;

/// A trigger and how it is created.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) schema: String,
    /// Ends in a hash of the definition: another definition is another trigger.
    pub(crate) name: String,
    pub(crate) create: String,
}

impl Trigger {
    fn new(table: &Name, event: &str, body: &str) -> Self {
        let on = Dialect::Mysql.qualified(Some(&table.0), &table.1);
        let what = format!("{event} ON {on} FOR EACH ROW BEGIN {body} END");
        let name = format!("petasos_{}", short_hash(&what));
        let create = format!("CREATE TRIGGER {} {what}", Dialect::Mysql.qualified(Some(&table.0), &name));
        Self { schema: table.0.clone(), name, create }
    }
}

/// All triggers that are needed.
pub(crate) fn all(tables: &Tables, catalogue: &Catalogue) -> Result<Vec<Trigger>, Error> {
    let writer = Writer { tables, catalogue };
    let mut triggers: Vec<Trigger> = catalogue.watched.iter().flat_map(|table| writer.own(table)).collect();
    let parents: BTreeSet<&Name> = catalogue.foreign_keys.iter().map(|key| &key.parent).collect();
    for parent in parents {
        let mut deletions = Vec::new();
        writer.deletions(parent, &mut Vec::new(), &mut deletions)?;
        if !deletions.is_empty() {
            triggers.push(Trigger::new(parent, "BEFORE DELETE", &deletions.join(" ")));
        }
        let updates = writer.updates(parent)?;
        if !updates.is_empty() {
            triggers.push(Trigger::new(parent, "BEFORE UPDATE", &updates.join(" ")));
        }
    }
    Ok(triggers)
}

struct Writer<'a> {
    tables: &'a Tables,
    catalogue: &'a Catalogue,
}

impl<'a> Writer<'a> {
    /// What happens to the rows of a table itself. An update that changes the key is a deletion and an insertion.
    fn own(&self, table: &Watched) -> [Trigger; 3] {
        let none = HashMap::new();
        let (old_key, new_key) = (table.key("OLD", &none), table.key("NEW", &none));
        let old = table.row("OLD");
        let insert = self.entry(table, "insert", &new_key, "NULL", "");
        let update = self.entry(table, "update", &new_key, &old, "");
        let delete = self.entry(table, "delete", &old_key, &old, "");
        let columns = table.table.key.iter().map(|column| (column.name.as_str(), column.name.as_str()));
        let moved = changed(columns);
        let update = format!("IF {moved} THEN {delete} {insert} ELSE {update} END IF;");
        [("INSERT", insert), ("UPDATE", update), ("DELETE", delete)]
            .map(|(event, body)| Trigger::new(&table.name, &format!("AFTER {event}"), &body))
    }

    /// `source` begins with `FROM` if there may be several rows.
    fn entry(&self, table: &Watched, operation: &str, key: &str, old: &str, source: &str) -> String {
        let Tables { outbox, key: key_column, old: old_column, .. } = self.tables;
        format!(
            "INSERT INTO {outbox} (tbl, operation, {key_column}, {old_column}, at_ms) \
             SELECT {}, '{operation}', {key}, {old}, {NOW} {source};",
            Dialect::Mysql.text(&table.table.id())
        )
    }

    /// What a deletion of a row of `parent` does to rows that refer to it, over any number of tables.
    fn deletions(
        &self,
        parent: &Name,
        path: &mut Vec<&'a ForeignKey>,
        entries: &mut Vec<String>,
    ) -> Result<(), Error> {
        for key in self.catalogue.referring_to(parent).filter(|key| key.on_delete != Rule::Nothing) {
            path.push(key);
            if let Some(table) = self.catalogue.watched(&key.child) {
                entries.push(self.end(table, key.on_delete, path));
                self.refuse_chains(key)?;
            }
            if key.on_delete == Rule::Cascade {
                if path.iter().any(|before| before.parent == key.child) {
                    self.refuse_circle(path)?;
                } else {
                    self.deletions(&key.child, path, entries)?;
                }
            }
            path.pop();
        }
        Ok(())
    }

    /// The rows at the end of a path from `OLD`.
    fn end(&self, table: &Watched, rule: Rule, path: &[&ForeignKey]) -> String {
        let last = path.len();
        let mut source = format!("FROM {} AS t{last}", qualified(&table.name));
        for (number, key) in path.iter().enumerate().skip(1).rev() {
            let joined = pairs(key, &format!("t{}", number + 1), &format!("t{number}"));
            source.push_str(&format!(" JOIN {} AS t{number} ON {joined}", qualified(&key.parent)));
        }
        source.push_str(&format!(" WHERE {}", pairs(path[0], "t1", "OLD")));
        let row = format!("t{last}");
        let operation = if rule == Rule::Cascade { "delete" } else { "update" };
        self.entry(table, operation, &table.key(&row, &HashMap::new()), &table.row(&row), &source)
    }

    /// What another value of a column of `parent` does to the rows that refer to it.
    fn updates(&self, parent: &Name) -> Result<Vec<String>, Error> {
        let mut entries = Vec::new();
        for key in self.catalogue.referring_to(parent).filter(|key| key.on_update != Rule::Nothing) {
            let Some(table) = self.catalogue.watched(&key.child) else { continue };
            self.refuse_chains(key)?;
            let source = format!("FROM {} AS t1 WHERE {}", qualified(&table.name), pairs(key, "t1", "OLD"));
            let old = table.row("t1");
            let old_key = table.key("t1", &HashMap::new());
            let moves = key.columns.iter().any(|(own, _)| table.table.key.iter().any(|key| key.name == *own));
            let body = if moves {
                let value = |column: &String| format!("NEW.{}", Dialect::Mysql.identifier(column));
                let new = key.columns.iter().map(|(own, other)| (own.as_str(), value(other))).collect();
                let delete = self.entry(table, "delete", &old_key, &old, &source);
                let insert = self.entry(table, "insert", &table.key("t1", &new), "NULL", &source);
                format!("{delete} {insert}")
            } else {
                self.entry(table, "update", &old_key, &old, &source)
            };
            let condition = changed(key.columns.iter().map(|(_, other)| (other.as_str(), other.as_str())));
            entries.push(format!("IF {condition} THEN {body} END IF;"));
        }
        Ok(entries)
    }

    /// A column that one foreign key changes may be what another one refers to.
    fn refuse_chains(&self, key: &ForeignKey) -> Result<(), Error> {
        let is_changed = |column: &String| key.columns.iter().any(|(own, _)| own == column);
        let next = self.catalogue.referring_to(&key.child).find(|next| {
            next.on_update != Rule::Nothing
                && (key.on_update != Rule::Nothing || key.on_delete == Rule::SetNull)
                && next.columns.iter().any(|(_, other)| is_changed(other))
                && self.catalogue.watched(&next.child).is_some()
        });
        match next {
            Some(next) => Err(refusal(next, "one foreign key changes what another one refers to")),
            None => Ok(()),
        }
    }

    /// The trigger of a table sees the rows that go with the first one, not those that go with these.
    fn refuse_circle(&self, path: &[&ForeignKey]) -> Result<(), Error> {
        let Some(last) = path.last() else { return Ok(()) };
        match self.first_watched(&last.child, &mut BTreeSet::new()) {
            Some(key) => Err(refusal(key, "the cascade comes back to a table that it has been to")),
            None => Ok(()),
        }
    }

    /// A foreign key that changes rows that are watched when rows of this table go.
    fn first_watched<'n>(&'n self, table: &'n Name, seen: &mut BTreeSet<&'n Name>) -> Option<&'n ForeignKey> {
        if !seen.insert(table) {
            return None;
        }
        let mut keys = self.catalogue.referring_to(table).filter(|key| key.on_delete != Rule::Nothing);
        keys.find_map(|key| {
            if self.catalogue.watched(&key.child).is_some() {
                return Some(key);
            }
            (key.on_delete == Rule::Cascade).then(|| self.first_watched(&key.child, seen)).flatten()
        })
    }
}

fn refusal(key: &ForeignKey, reason: &'static str) -> Error {
    Error::Cascade { table: key.child.1.clone(), constraint: key.name.clone(), reason }
}

fn qualified(name: &Name) -> String {
    Dialect::Mysql.qualified(Some(&name.0), &name.1)
}

/// Where rows of a child refer to rows of a parent.
fn pairs(key: &ForeignKey, child: &str, parent: &str) -> String {
    let pair = |(own, other): &(String, String)| {
        format!("{child}.{} = {parent}.{}", Dialect::Mysql.identifier(own), Dialect::Mysql.identifier(other))
    };
    key.columns.iter().map(pair).collect::<Vec<_>>().join(" AND ")
}

/// Whether one of the columns gets another value, be it another spelling of a text.
fn changed<'c>(columns: impl Iterator<Item = (&'c str, &'c str)>) -> String {
    let same = |(old, new)| {
        let (old, new) = (Dialect::Mysql.identifier(old), Dialect::Mysql.identifier(new));
        format!("CAST(OLD.{old} AS BINARY) <=> CAST(NEW.{new} AS BINARY)")
    };
    format!("NOT ({})", columns.map(same).collect::<Vec<_>>().join(" AND "))
}

/// Milliseconds since 1970, as of the statement.
const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
