//! The names in an expression: what it may not know is refused when the program starts, not when a row changes.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};

/// A name that means nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Of a field of `object`.
    Field(String),
    /// Of a function.
    Function(String),
    /// Of a variable.
    Name(String),
}

/// The first unknown name of an expression over an `object` with these fields.
pub(crate) fn unknown(expression: &IdedExpr, fields: &[String]) -> Option<Unknown> {
    Walk { fields, bound: Vec::new() }.expression(expression)
}

struct Walk<'a> {
    fields: &'a [String],
    /// Variables of the comprehensions around.
    bound: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn expression(&mut self, expression: &'a IdedExpr) -> Option<Unknown> {
        match &expression.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if name == "object" && !select.test => self.field(&select.field),
                _ => self.expression(&select.operand),
            },
            Expr::Call(call) => {
                let namespace = call.target.as_deref().is_some_and(|target| is_ident(target, "optional"));
                let name = &call.func_name;
                if name.starts_with(char::is_alphabetic) && !FUNCTIONS.contains(&name.as_str()) {
                    return Some(Unknown::Function(name.clone()));
                }
                let target = call.target.as_deref().filter(|_| !namespace);
                target.into_iter().chain(&call.args).find_map(|part| self.expression(part))
            }
            Expr::List(list) => list.elements.iter().find_map(|element| self.expression(element)),
            Expr::Map(map) => map.entries.iter().find_map(|entry| self.entry(entry)),
            Expr::Struct(made) => Some(Unknown::Name(made.type_name.clone())),
            Expr::Comprehension(loops) => self.comprehension(loops),
            _ => None,
        }
    }

    fn comprehension(&mut self, loops: &'a cel::common::ast::ComprehensionExpr) -> Option<Unknown> {
        let before = [&loops.iter_range, &loops.accu_init];
        if let Some(unknown) = before.into_iter().find_map(|part| self.expression(part)) {
            return Some(unknown);
        }
        let outside = self.bound.len();
        self.bound.extend([loops.iter_var.as_str(), loops.accu_var.as_str()]);
        self.bound.extend(loops.iter_var2.as_deref());
        let inside = [&loops.loop_cond, &loops.loop_step, &loops.result];
        let unknown = inside.into_iter().find_map(|part| self.expression(part));
        self.bound.truncate(outside);
        unknown
    }

    fn entry(&mut self, entry: &'a IdedEntryExpr) -> Option<Unknown> {
        match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key).or_else(|| self.expression(&entry.value))
            }
            EntryExpr::StructField(field) => self.expression(&field.value),
        }
    }

    fn variable(&self, name: &str) -> Option<Unknown> {
        let known = name == "object" || TYPES.contains(&name) || self.bound.contains(&name);
        (!known).then(|| Unknown::Name(name.to_owned()))
    }

    fn field(&self, name: &str) -> Option<Unknown> {
        (!self.fields.iter().any(|known| known == name)).then(|| Unknown::Field(name.to_owned()))
    }
}

fn is_ident(expression: &IdedExpr, wanted: &str) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if name == wanted)
}

/// Ours, and those of CEL's standard library that are compiled in.
const FUNCTIONS: [&str; 24] = [
    "iri",
    "escape",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "bytes",
    "type",
    "dyn",
    "of",
    "none",
    "ofNonZeroValue",
    "value",
    "hasValue",
    "or",
    "orValue",
    "optMap",
    "optFlatMap",
];

/// What `type(x)` may be compared with.
const TYPES: [&str; 9] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];
