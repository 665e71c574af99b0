//! From a document that a client sends to values of the database.

use sea_orm::Value as DbValue;
use serde_json::{Map, Value};

use super::{FieldInfo, Info, Rules};

/// Values to write, by the place of their field.
pub(crate) type Values = Vec<(usize, DbValue)>;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) code: &'static str,
}

/// How a document is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A new resource: what is required must be there.
    Create,
    /// All of a resource: what is left out becomes null.
    Replace,
    /// Some of a resource: what is left out stays.
    Merge,
}

impl Input {
    /// Reads a document. Unknown and read-only members are ignored and not even looked at: clients send back what they got.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub(crate) fn read(self, info: &Info, document: &Map<String, Value>) -> Result<Values, Vec<Violation>> {
        let mut values = Values::new();
        let mut violations = Vec::new();
        for (place, field) in info.fields.iter().enumerate().filter(|(_, field)| self.takes(field)) {
            match document.get(field.name) {
                Some(value) => match check(field, value) {
                    Ok(value) => values.push((place, value)),
                    Err(violation) => violations.push(violation),
                },
                None if self == Self::Merge => {}
                None if field.is_required() => {
                    violations.push(Violation::new(field, "This value is missing.", MISSING));
                }
                None if self == Self::Replace && field.nullable => {
                    values.extend(null(field).map(|null| (place, null)));
                }
                None => {}
            }
        }
        if violations.is_empty() { Ok(values) } else { Err(violations) }
    }

    fn takes(self, field: &FieldInfo) -> bool {
        field.is_writable() || (self == Self::Create && field.key && !field.generated)
    }
}

impl Violation {
    pub(crate) fn new(field: &FieldInfo, message: impl Into<String>, code: &'static str) -> Self {
        Self { field: field.name.to_owned(), message: message.into(), code }
    }
}

fn null(field: &FieldInfo) -> Option<DbValue> {
    (field.read)(&Value::Null).ok()
}

fn check(field: &FieldInfo, value: &Value) -> Result<DbValue, Violation> {
    if value.is_null() && !field.nullable {
        return Err(Violation::new(field, "This value should not be null.", NULL));
    }
    let read = (field.read)(value).map_err(|message| Violation::new(field, message, TYPE))?;
    field.rules.check(value).map_err(|(message, code)| Violation::new(field, message, code))?;
    Ok(read)
}

impl Rules {
    fn check(&self, value: &Value) -> Result<(), (String, &'static str)> {
        if let Some(text) = value.as_str() {
            self.check_text(text)?;
        }
        let Some(number) = value.as_f64() else { return Ok(()) };
        match self.range {
            (Some(min), _) if number < min as f64 => {
                Err((format!("This value should be {min} or more."), RANGE))
            }
            (_, Some(max)) if number > max as f64 => {
                Err((format!("This value should be {max} or less."), RANGE))
            }
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), (String, &'static str)> {
        if self.not_blank && text.trim().is_empty() {
            return Err(("This value should not be blank.".to_owned(), BLANK));
        }
        let length = text.chars().count() as u64;
        match self.length {
            (Some(min), _) if length < min => {
                Err((format!("This value should have {min} characters or more."), LENGTH))
            }
            (_, Some(max)) if length > max => {
                Err((format!("This value should have {max} characters or less."), LENGTH))
            }
            _ => Ok(()),
        }
    }
}

// Stable identities of the constraints, which clients may translate by.
const MISSING: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c01";
const NULL: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c02";
const TYPE: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c03";
const BLANK: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c04";
const LENGTH: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c05";
const RANGE: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c06";
pub(crate) const UNIQUE: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c07";
pub(crate) const REFERENCE: &str = "0fd3a1a4-5d3b-4a9c-8f2e-7a2f6f2d1c08";
