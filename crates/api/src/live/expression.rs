//! CEL expressions over a row.
//!
//! They are the developer's, never a client's. Still each is small, is compiled once at start, and names only what there
//! is: `object`, its fields, and functions.

use std::sync::Arc;

use cel::common::types::CelString;
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, FunctionContext, Program, Value as CelValue};
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value};

use super::names::{self, Unknown};
use super::row::Row;
use crate::resource::SEGMENT;

/// What expressions are evaluated with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scope {
    env: Arc<Env>,
    /// The public URL of the API, without a final slash.
    base: Arc<str>,
}

/// An expression that was compiled.
#[derive(Debug)]
pub(crate) struct Expression {
    source: String,
    program: Program,
}

impl Scope {
    pub(crate) fn new(base: &str) -> Self {
        Self { env: Arc::new(Env::stdlib()), base: base.into() }
    }

    /// Compiles an expression that may name these fields of `object`.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(crate) fn compile(&self, source: &str, fields: &[&str]) -> Result<Expression, String> {
        if source.len() > LONGEST {
            return Err(format!("it is {} bytes long; {LONGEST} are allowed", source.len()));
        }
        // The parser recurses, and an overflow of the stack could not be caught.
        let (env, text) = (Arc::clone(&self.env), source.to_owned());
        let (fields, all): (Vec<String>, _) =
            (fields.iter().map(|name| (*name).to_owned()).collect(), fields.join(", "));
        let compile = move || {
            let program = env.compile(&text).map_err(|errors| match errors.errors.first() {
                Some(error) => format!("line {}, column {}: {}", error.pos.0, error.pos.1, error.msg),
                None => "it has a syntax error".to_owned(),
            })?;
            match names::unknown(program.expression(), &fields) {
                None => Ok(program),
                Some(Unknown::Name(name)) => Err(format!("`{name}` is unknown; the row is called `object`")),
                Some(Unknown::Function(name)) => Err(format!("there is no function `{name}`")),
                Some(Unknown::Field(name)) => Err(format!("`object` has no `{name}`; it has {all}")),
            }
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(compile);
        let thread = thread.map_err(|error| format!("no thread to compile it: {error}"))?;
        let program = thread.join().map_err(|_| "its parser gave up".to_owned())??;
        Ok(Expression { source: source.to_owned(), program })
    }

    /// Evaluates an expression over a row.
    ///
    /// # Errors
    /// The expression and what is wrong with it, in one line.
    pub(crate) fn evaluate(&self, expression: &Expression, row: &Row) -> Result<Value, String> {
        let failed = |problem: String| format!("the expression {:?}: {problem}", expression.source);
        let mut context = Context::with_env(Arc::clone(&self.env));
        let (base, escape) =
            (Arc::clone(&self.base), |text: &str| utf8_percent_encode(text, SEGMENT).to_string());
        let iri: Function = Box::new(move |call| iri(call, &base));
        let escape: Function = Box::new(move |call| {
            let text = call.args.first().and_then(|text| scalar(text.as_ref()));
            let text = text.ok_or_else(|| call.error("it takes a string or a number"))?;
            Ok(CowVal::owned(CelString::from(escape(&text))))
        });
        for (name, function) in [("iri", iri), ("escape", escape)] {
            context.add_function(name, function).map_err(|error| failed(error.to_string()))?;
        }
        context.add_variable_as_val("object", Box::new(row.clone()));
        let value = expression.program.execute(&context).map_err(|error| failed(said(&error)))?;
        to_json(&value).map_err(failed)
    }
}

impl Expression {
    /// The text that it was compiled from.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

/// The form in which `cel` takes functions that remember something.
type Function = Box<
    dyn for<'context, 'call> Fn(
            &mut FunctionContext<'context, 'call>,
        ) -> Result<CowVal<'context, 'call>, ExecutionError>
        + Send
        + Sync,
>;

/// `iri(object)` is the topic of the row; `iri('/users/1')` makes a path absolute.
fn iri<'context, 'call>(
    call: &mut FunctionContext<'context, 'call>,
    base: &str,
) -> Result<CowVal<'context, 'call>, ExecutionError> {
    let value = call.args.first().ok_or_else(|| call.error("it takes `object` or a path"))?;
    let path = match value.downcast_ref::<Row>() {
        Some(row) => Some(row.iri().to_owned()),
        None => value.downcast_ref::<CelString<'_>>().map(|text| text.inner().to_owned()),
    };
    match path {
        Some(path) if path.starts_with('/') => Ok(CowVal::owned(CelString::from(format!("{base}{path}")))),
        Some(absolute) if absolute.contains(':') => Ok(CowVal::owned(CelString::from(absolute))),
        _ => Err(call.error("it takes `object` or a path that begins with a slash")),
    }
}

fn scalar(value: &dyn Val) -> Option<String> {
    match CelValue::try_from(value).ok()? {
        CelValue::String(text) => Some(text.to_string()),
        CelValue::Int(number) => Some(number.to_string()),
        CelValue::UInt(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Errors of `cel` may print whole values; a row's content belongs in no log.
fn said(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::NoSuchOverload(error) => error.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is unknown"),
        ExecutionError::FunctionError { function, message } => format!("{function}(): {message}"),
        ExecutionError::UnexpectedType { want, .. } if want.contains("`Value`") => NO_OPTION.to_owned(),
        ExecutionError::UnexpectedType { got, want } => format!("a {got} stands where a {want} is needed"),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("{operator} cannot take {} and {}", kind(left), kind(right))
        }
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds".to_owned(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(operator, ..) => format!("{operator} overflows"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("{expected} arguments are needed, not {actual}")
        }
        _ => "a value has a type that cannot stand there".to_owned(),
    }
}

fn kind(value: &CelValue) -> &'static str {
    match value {
        CelValue::List(_) => "a list",
        CelValue::Map(_) => "a map",
        CelValue::Int(_) | CelValue::UInt(_) => "an integer",
        CelValue::Float(_) => "a number",
        CelValue::String(_) => "a string",
        CelValue::Bool(_) => "a boolean",
        CelValue::Null => "null",
        _ => "something else",
    }
}

fn to_json(value: &CelValue) -> Result<Value, String> {
    Ok(match value {
        CelValue::Null => Value::Null,
        CelValue::Bool(value) => (*value).into(),
        CelValue::Int(value) => (*value).into(),
        CelValue::UInt(value) => (*value).into(),
        CelValue::Float(value) => (*value).into(),
        CelValue::String(value) => value.as_str().into(),
        CelValue::List(values) => values.iter().map(to_json).collect::<Result<_, _>>()?,
        CelValue::Map(map) => {
            let member =
                |(key, value): (&cel::objects::Key, &CelValue)| Ok((key.to_string(), to_json(value)?));
            let mut members = map.map.iter().map(member).collect::<Result<Vec<_>, String>>()?;
            // CEL's maps have no order; messages should.
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(Map::from_iter(members))
        }
        _ => return Err(NO_OPTION.to_owned()),
    })
}

const NO_OPTION: &str = "its result is nothing that options are made of";
/// Bytes that an expression may have.
const LONGEST: usize = 1024;
const STACK: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        Scope::new("https://example.com")
    }

    fn row() -> Row {
        let Value::Object(fields) = json!({
            "id": 7, "title": "A & B", "owners": ["ann", "bob"], "price": 9.5, "isbn": null, "sold": false,
            "meta": {"shelf": "x", "size": 18446744073709551615u64},
        }) else {
            unreachable!()
        };
        Row::new("/books/7", fields)
    }

    fn evaluate(source: &str) -> Result<Value, String> {
        let row = row();
        let fields: Vec<&str> = row.fields().keys().map(String::as_str).collect();
        scope().evaluate(&scope().compile(source, &fields)?, &row)
    }

    #[test]
    fn expressions_see_the_whole_row() {
        for (source, expected) in [
            ("object.owners", json!(["ann", "bob"])),
            ("object.owners.map(o, '/users/' + o)", json!(["/users/ann", "/users/bob"])),
            (
                "[iri(object)] + object.owners.filter(o, o != 'bob')",
                json!(["https://example.com/books/7", "ann"]),
            ),
            (
                "iri('/users/' + escape(object.owners[0] + ' x/'))",
                json!("https://example.com/users/ann%20x%2F"),
            ),
            ("escape(object.id)", json!("7")),
            ("object.price > 9.0 && !object.sold", json!(true)),
            ("object.isbn == null ? 'none' : 'some'", json!("none")),
            ("object.meta.shelf", json!("x")),
            ("object.meta.size > 1u", json!(true)),
            ("has(object.title) && 'ann' in object.owners && 'id' in object", json!(true)),
            ("object['title']", json!("A & B")),
            ("size(object.owners) + size(object) - 7", json!(2)),
            ("object.title.matches('^A') ? object.title.startsWith('A') : false", json!(true)),
            ("object.?isbn.orValue('x')", json!(null)),
            (
                "{'private': true, 'topics': [iri(object)]}",
                json!({"private": true, "topics": ["https://example.com/books/7"]}),
            ),
        ] {
            assert_eq!(evaluate(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn unknown_names_are_refused_before_anything_is_evaluated() {
        for (source, problem) in [
            ("objct.owners", "`objct` is unknown; the row is called `object`"),
            ("object.ownerz", "`object` has no `ownerz`; it has id, title, owners"),
            ("iris(object)", "there is no function `iris`"),
            ("object.owners.map(o, p)", "`p` is unknown"),
            ("object.owners.mop(o, o)", "there is no function `mop`"),
            ("object.owners.join(',')", "there is no function `join`"),
            ("object.owners +", "line 1, column"),
        ] {
            let said = evaluate(source).unwrap_err();
            assert!(said.contains(problem), "{source}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
        assert!(evaluate(&format!("'{}'", "x".repeat(1024))).unwrap_err().contains("1026 bytes long"));
    }

    #[test]
    fn type_errors_name_the_expression_and_no_content() {
        for (source, problem) in [
            ("object.title + 1", "cannot take a string and an integer"),
            ("object.title && true", "no matching overload"),
            ("object.meta.nothing", "there is no `nothing`"),
            ("object.owners[9]", "out of bounds"),
            ("iri(object.id)", "iri(): it takes"),
            ("iri('books')", "iri(): it takes"),
            ("escape(object.owners)", "escape(): it takes"),
            ("object", "its result is nothing that options are made of"),
            ("object.id / 0", "division by zero"),
        ] {
            let said = evaluate(source).unwrap_err();
            assert!(
                said.starts_with(&format!("the expression {source:?}: ")) && said.contains(problem),
                "{said}"
            );
            assert!(!said.contains("A & B"), "{said}");
        }
    }

    /// Expressions are evaluated on the threads of the runtime, which have 2 MiB.
    #[test]
    fn the_deepest_expression_is_evaluated_on_a_small_stack() {
        let sum = format!("1{}", "+1".repeat(511));
        let calls = format!("object.owners{}", ".map(x,x)".repeat(112));
        let index = format!("object.owners{}", ".filter(x,true)".repeat(67));
        let nested = format!("{}1{}", "[".repeat(90), "]".repeat(90));
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
            for source in [sum, calls, index, nested] {
                assert!(evaluate(&source).is_ok(), "{source}");
            }
        });
        thread.unwrap().join().unwrap();
    }
}
