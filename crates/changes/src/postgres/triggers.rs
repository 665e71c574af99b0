//! The triggers that write into the outbox.
//!
//! They run inside the transaction of whoever writes, so they must never make a statement fail that would succeed without
//! them: they run with the rights of who installed them, name no column but those of the key, and compare keys as texts, which
//! every type can be. One trigger per statement sees all of its rows at once, which costs a fraction of one per row; only
//! partitioned tables, whose partitions may be written to by their own names, have one per row.

use super::install::Place;
use crate::Table;
use crate::dialect::{Dialect, short_hash};

/// A table as the catalogue knows it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Its name behind its schema, quoted.
    pub(crate) name: String,
    pub(crate) is_partitioned: bool,
}

/// A trigger and how it is created.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    /// Ends in a hash of the definition: another definition is another trigger.
    pub(crate) name: String,
    pub(crate) create: Vec<String>,
}

impl Trigger {
    pub(crate) fn function(place: &Place, name: &str) -> String {
        Dialect::Postgres.qualified(Some(&place.schema), name)
    }

    fn new(place: &Place, found: &Found, event: &Event<'_>, body: &str) -> Self {
        let rows = if found.is_partitioned || event.transition.is_empty() {
            String::new()
        } else {
            format!(" REFERENCING {}", event.transition)
        };
        let each = if found.is_partitioned && event.name != "truncate" { "ROW" } else { "STATEMENT" };
        let when = format!("{} ON {}{rows} FOR EACH {each}", event.when, found.name);
        let name = format!("petasos_{}_{}", event.name, short_hash(&format!("{when} {body}")));
        let function = Self::function(place, &name);
        let create = vec![
            format!(
                "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
                 SET search_path = pg_catalog, pg_temp AS $petasos$ BEGIN {body} RETURN NULL; END $petasos$"
            ),
            format!(
                "CREATE TRIGGER {} {when} EXECUTE FUNCTION {function}()",
                Dialect::Postgres.identifier(&name)
            ),
        ];
        Self { name, create }
    }
}

struct Event<'a> {
    name: &'a str,
    when: &'a str,
    transition: &'a str,
}

/// The triggers of a table.
pub(crate) fn of(place: &Place, table: &Table, found: &Found) -> Vec<Trigger> {
    let entries = Entries::new(place, table, found);
    [
        (
            Event { name: "insert", when: "AFTER INSERT", transition: "NEW TABLE AS petasos_new" },
            entries.insert(),
        ),
        (
            Event {
                name: "update",
                when: "AFTER UPDATE",
                transition: "OLD TABLE AS petasos_old NEW TABLE AS petasos_new",
            },
            entries.update(),
        ),
        (
            Event { name: "delete", when: "AFTER DELETE", transition: "OLD TABLE AS petasos_old" },
            entries.delete(),
        ),
        (Event { name: "truncate", when: "BEFORE TRUNCATE", transition: "" }, entries.truncate()),
    ]
    .map(|(event, body)| Trigger::new(place, found, &event, &body))
    .into()
}

/// Makes the bodies.
struct Entries<'a> {
    place: &'a Place,
    table: &'a Table,
    /// What the rows before and after are read from.
    old: &'static str,
    new: &'static str,
}

impl<'a> Entries<'a> {
    fn new(place: &'a Place, table: &'a Table, found: &Found) -> Self {
        let (old, new) = if found.is_partitioned {
            ("(SELECT OLD.*)", "(SELECT NEW.*)")
        } else {
            ("petasos_old", "petasos_new")
        };
        Self { place, table, old, new }
    }

    fn insert(&self) -> String {
        let new = self.new;
        self.entry(&format!("'insert', {}, NULL FROM {new} AS n", self.key("n")))
    }

    fn delete(&self) -> String {
        let old = self.old;
        self.entry(&format!("'delete', {}, row_to_json(o)::text FROM {old} AS o", self.key("o")))
    }

    /// Rows are told apart by their keys: one whose key was changed is gone, and one with the new key has come.
    fn update(&self) -> String {
        let (old, new) = (self.old, self.new);
        let first = Dialect::Postgres.identifier(&self.table.key[0].name);
        let same: Vec<String> = self
            .table
            .key
            .iter()
            .map(|column| {
                let column = Dialect::Postgres.identifier(&column.name);
                format!("(o.{column})::text COLLATE \"C\" = (n.{column})::text COLLATE \"C\"")
            })
            .collect();
        self.entry(&format!(
            "CASE WHEN n.{first} IS NULL THEN 'delete' WHEN o.{first} IS NULL THEN 'insert' ELSE 'update' END, \
             CASE WHEN n.{first} IS NULL THEN {} ELSE {} END, \
             CASE WHEN o.{first} IS NOT NULL THEN row_to_json(o)::text END \
             FROM {old} AS o FULL JOIN {new} AS n ON {}",
            self.key("o"),
            self.key("n"),
            same.join(" AND ")
        ))
    }

    /// The rows that are about to go, by whatever name the table has by then.
    fn truncate(&self) -> String {
        let rows = self.rows(&format!("'delete', {}, row_to_json(o)::text FROM %s AS o", self.key("o")));
        let rows = Dialect::Postgres.text(&rows.replace('%', "%%").replace("FROM %%s AS o", "FROM %s AS o"));
        format!("EXECUTE format({rows}, TG_RELID::regclass); {}", self.notify("true"))
    }

    fn rows(&self, source: &str) -> String {
        let outbox = self.place.tables().outbox;
        let table = Dialect::Postgres.text(&self.table.id());
        format!("INSERT INTO {outbox} (tbl, operation, key, old) SELECT {table}, {source}")
    }

    fn entry(&self, source: &str) -> String {
        format!("{}; {}", self.rows(source), self.notify("FOUND"))
    }

    /// Two conditions in two statements: SQL promises no order within one.
    fn notify(&self, condition: &str) -> String {
        let (awake, channel) = (self.place.locks.awake, &self.place.channel);
        format!(
            "IF {condition} THEN IF pg_try_advisory_xact_lock_shared({awake}) THEN \
             PERFORM pg_notify('{channel}', ''); END IF; END IF;"
        )
    }

    /// A number is a number, a text a text; anything else is as JSON has it.
    fn key(&self, row: &str) -> String {
        let members: Vec<String> = self
            .table
            .key
            .iter()
            .map(|column| {
                let (name, column) =
                    (Dialect::Postgres.text(&column.name), Dialect::Postgres.identifier(&column.name));
                format!("{name}, {row}.{column}")
            })
            .collect();
        format!("json_build_object({})::text", members.join(", "))
    }
}
