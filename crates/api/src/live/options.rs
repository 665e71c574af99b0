//! How a change is published: what the attribute says, and what it comes to for one row.

pub use petasos_changes::Operation;
use serde_json::{Map, Value};

/// What an option of the attribute is set to. Texts that begin with `@=` are expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(&'static [&'static str]),
    /// A number.
    Number(u64),
    /// One text.
    Text(&'static str),
}

/// What the attribute says. The derive writes it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Setup {
    options: Vec<(&'static str, Setting)>,
}

impl Setup {
    /// Every change, to everyone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an option; the one without a name is an expression that says everything.
    pub fn option(mut self, name: &'static str, setting: Setting) -> Self {
        self.options.push((name, setting));
        self
    }

    pub(crate) fn options(&self) -> &[(&'static str, Setting)] {
        &self.options
    }
}

/// How one change of one row is published. Made by a function that `mercure(with = ...)` names.
///
/// ```
/// use petasos::live::Options;
///
/// let options = Options::new().targets(["ann", "bob"]).event_type("order");
/// # drop(options);
/// assert_eq!(Options::from(true), Options::new());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Options {
    pub(crate) silent: bool,
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) private: Option<bool>,
    pub(crate) topics: Vec<String>,
    pub(crate) data: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) event_type: Option<String>,
    pub(crate) retry: Option<u64>,
    pub(crate) view: Option<String>,
    pub(crate) hubs: Vec<String>,
    pub(crate) on: Option<Vec<Operation>>,
    pub(crate) within_request: bool,
}

impl Options {
    /// Publishes to everyone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Publishes nothing.
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// Publishes to those only who hold one of these targets; to nobody if there is none.
    pub fn targets<T: Into<String>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets = Some(targets.into_iter().map(Into::into).collect());
        self
    }

    /// Publishes to those only who may see one of the topics.
    pub fn private(mut self, private: bool) -> Self {
        self.private = Some(private);
        self
    }

    /// Publishes on these topics instead of the row's IRI; the first one is canonical.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// Sends this instead of the row's document. Deletions always send the IRI.
    pub fn data(mut self, data: impl Into<String>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// Gives the event this id instead of one that is made of the change.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Gives the event a type; browsers call it `message` otherwise.
    pub fn event_type(mut self, event_type: impl Into<String>) -> Self {
        self.event_type = Some(event_type.into());
        self
    }

    /// Tells clients how many milliseconds to wait before they connect again.
    pub fn retry(mut self, milliseconds: u64) -> Self {
        self.retry = Some(milliseconds);
        self
    }

    /// Serialises the row through the view of this name (`#[resource(views(...))]`).
    pub fn view(mut self, name: impl Into<String>) -> Self {
        self.view = Some(name.into());
        self
    }

    /// Publishes to these hubs instead of the one called `default`.
    pub fn hubs<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.hubs = names.into_iter().map(Into::into).collect();
        self
    }

    /// Publishes after these operations only.
    pub fn on(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.on = Some(operations.into_iter().collect());
        self
    }

    /// Reads options as the attribute and expressions write them.
    ///
    /// # Errors
    /// What is wrong, with the options that there are.
    pub(crate) fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Bool(true) => Ok(Self::new()),
            Value::Bool(false) => Ok(Self::silent()),
            Value::String(target) => Ok(Self::new().targets([target])),
            Value::Array(targets) => Ok(Self::new().targets(texts("targets", Value::Array(targets))?)),
            Value::Object(members) => Self::read_members(members),
            Value::Null | Value::Number(_) => Err(
                "its result is neither a boolean, nor a string or a list of strings (targets), nor a map of options"
                    .to_owned(),
            ),
        }
    }

    pub(crate) fn read_members(members: Map<String, Value>) -> Result<Self, String> {
        let mut options = Self::new();
        for (name, value) in members {
            options.set(&name, value)?;
        }
        if options.private == Some(false) && options.targets.is_some() {
            return Err(
                "`private` is false, but there are `targets`, which make an update private".to_owned()
            );
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        match name {
            "targets" => self.targets = Some(texts(name, value)?),
            "private" => self.private = Some(flag(name, &value)?),
            "topics" => self.topics = texts(name, value)?,
            "data" => self.data = Some(data(value)),
            "id" => self.id = Some(text(name, value)?),
            "type" => self.event_type = Some(text(name, value)?),
            "retry" => {
                let number = value.as_u64();
                self.retry = Some(number.ok_or_else(|| format!("`{name}` is not a number of milliseconds"))?);
            }
            "view" => self.view = Some(text(name, value)?),
            "hub" => self.hubs = texts(name, value)?,
            "on" => {
                let names = texts(name, value)?;
                self.on = Some(names.iter().map(|name| operation(name)).collect::<Result<_, _>>()?);
            }
            "async" => self.within_request = !flag(name, &value)?,
            unknown => {
                return Err(format!("there is no option `{unknown}`; there are {}", OPTIONS.join(", ")));
            }
        }
        Ok(())
    }

    /// The same audience, hubs and type for the collection as a whole.
    pub(crate) fn of_collection(&self) -> Self {
        Self { topics: Vec::new(), data: None, id: None, view: None, ..self.clone() }
    }

    /// Whether a change of this kind is published.
    pub(crate) fn publishes(&self, operation: Operation) -> bool {
        !self.silent && self.on.as_ref().is_none_or(|on| on.contains(&operation))
    }
}

impl From<bool> for Options {
    fn from(publish: bool) -> Self {
        if publish { Self::new() } else { Self::silent() }
    }
}

fn flag(name: &str, value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("`{name}` is neither true nor false"))
}

fn text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("`{name}` is not a string")),
    }
}

fn texts(name: &str, value: Value) -> Result<Vec<String>, String> {
    let values = match value {
        Value::Array(values) => values,
        single => vec![single],
    };
    let not = || format!("`{name}` is not a string or a list of strings");
    values.into_iter().map(|value| text(name, value).map_err(|_| not())).collect()
}

/// Anything but a text is sent as JSON.
fn data(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn operation(name: &str) -> Result<Operation, String> {
    match name {
        "create" => Ok(Operation::Insert),
        "update" => Ok(Operation::Update),
        "delete" => Ok(Operation::Delete),
        other => Err(format!("`on` has {other:?}; there are \"create\", \"update\" and \"delete\"")),
    }
}

const OPTIONS: [&str; 11] =
    ["targets", "private", "topics", "data", "id", "type", "retry", "view", "hub", "on", "async"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_may_have_four_shapes() {
        assert_eq!(Options::read(json!(true)), Ok(Options::new()));
        assert_eq!(Options::read(json!(false)), Ok(Options::silent()));
        assert_eq!(Options::read(json!("a")), Ok(Options::new().targets(["a"])));
        assert_eq!(Options::read(json!(["a", "b"])), Ok(Options::new().targets(["a", "b"])));
        // An empty audience is nobody, never everybody.
        assert_eq!(Options::read(json!([])).unwrap().targets, Some(Vec::new()));
        let all = json!({
            "private": true, "topics": "t", "data": {"a": 1}, "id": "i", "type": "e", "retry": 5, "view": "V",
            "hub": ["x", "y"], "on": ["create", "delete"], "async": false,
        });
        let mut expected =
            Options::new().private(true).topics(["t"]).data("{\"a\":1}").id("i").event_type("e");
        expected = expected.retry(5).view("V").hubs(["x", "y"]).on([Operation::Insert, Operation::Delete]);
        expected.within_request = true;
        assert_eq!(Options::read(all), Ok(expected));
    }

    #[test]
    fn what_is_wrong_with_a_result_is_named() {
        for (result, problem) in [
            (json!(null), "neither a boolean"),
            (json!(3), "neither a boolean"),
            (json!([1]), "`targets` is not a string or a list of strings"),
            (
                json!({"owners": []}),
                "there is no option `owners`; there are targets, private, topics, data, id, type, retry, view, hub, on, async",
            ),
            (json!({"private": "yes"}), "`private` is neither true nor false"),
            (json!({"private": false, "targets": ["a"]}), "`private` is false, but"),
            (json!({"retry": -1}), "`retry` is not a number of milliseconds"),
            (json!({"on": ["created"]}), "`on` has \"created\""),
            (json!({"id": 1}), "`id` is not a string"),
        ] {
            let said = Options::read(result.clone()).unwrap_err();
            assert!(said.contains(problem), "{result}: {said}");
        }
    }

    #[test]
    fn on_limits_the_operations() {
        let options = Options::new().on([Operation::Insert]);
        assert!(options.publishes(Operation::Insert) && !options.publishes(Operation::Delete));
        assert!(
            Options::new().publishes(Operation::Delete) && !Options::silent().publishes(Operation::Insert)
        );
    }
}
