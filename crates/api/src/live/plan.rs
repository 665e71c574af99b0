//! What a resource's attribute says, compiled: from a row to the options of its update.

use serde_json::{Map, Value};

use super::expression::{Expression, Scope};
use super::options::{Options, Setting, Setup};
use super::row::Row;

/// How the changes of one resource are published.
#[derive(Debug)]
pub(crate) struct Plan {
    rule: Rule,
    /// Requests wait for the hub, or may have to.
    pub(crate) may_wait: bool,
    always_waits: bool,
    /// Clients are told of these hubs; `None` for all, where only the row decides.
    pub(crate) hubs: Option<Vec<String>>,
    /// The canonical topic of a row is its IRI.
    pub(crate) has_own_topic: bool,
    /// What everybody may know is not behind a token.
    pub(crate) is_public: bool,
    /// More rows than this are announced as one change of the collection.
    bulk: Option<usize>,
}

#[derive(Debug)]
enum Rule {
    /// The same for every row.
    Fixed(Box<Options>),
    /// Each option on its own.
    Members(Vec<(&'static str, Vec<Member>)>),
    /// One expression says everything.
    Whole(Expression),
    /// A function of the application does, which the resource calls itself.
    Function,
}

/// A part of the value of an option.
#[derive(Debug)]
enum Member {
    Fixed(Value),
    Computed(Expression),
}

impl Plan {
    /// Compiles what the attribute says of a resource with these fields.
    ///
    /// # Errors
    /// The option and what is wrong with it, in one line.
    pub(crate) fn compile(
        setup: &Setup,
        with_function: bool,
        fields: &[&str],
        scope: &Scope,
    ) -> Result<Self, String> {
        let mut plan = Self {
            rule: Rule::Function,
            may_wait: false,
            always_waits: false,
            hubs: None,
            has_own_topic: false,
            is_public: false,
            bulk: None,
        };
        if let Some((_, Setting::Text(source))) = setup.options().iter().find(|(name, _)| name.is_empty()) {
            let refused = |problem| format!("`mercure = {source:?}` cannot be used: {problem}");
            plan.rule = Rule::Whole(scope.compile(source, fields).map_err(refused)?);
            // Waiting for a hub that is not asked to answer would slow down every request.
            plan.may_wait = source.contains("async");
            plan.has_own_topic = !source.contains("topics");
            plan.hubs = (!source.contains("hub")).then(|| vec![DEFAULT_HUB.to_owned()]);
            return Ok(plan);
        }
        let mut members = Vec::new();
        for (name, setting) in setup.options() {
            if let (&"bulk", Setting::Number(rows)) = (name, setting) {
                plan.bulk = Some(usize::try_from(*rows).unwrap_or(usize::MAX));
                continue;
            }
            let refused = |problem| format!("`mercure({name} = ...)` cannot be used: {problem}");
            members.push((*name, read(*setting, fields, scope).map_err(refused)?));
        }
        let fixed = fixed(&members)?;
        plan.always_waits = fixed.within_request;
        plan.may_wait = fixed.within_request || is_computed(&members, "async");
        if with_function {
            return Ok(plan);
        }
        plan.has_own_topic = fixed.topics.is_empty() && !is_computed(&members, "topics");
        plan.hubs = (!is_computed(&members, "hub")).then(|| hubs(&fixed));
        plan.is_public =
            ["targets", "private"].iter().all(|name| !members.iter().any(|(other, _)| other == name));
        let all_fixed =
            members.iter().all(|(_, parts)| parts.iter().all(|part| matches!(part, Member::Fixed(_))));
        if plan.bulk.is_some() && !all_fixed {
            return Err(
                "`mercure(bulk = ...)` cannot be used: the other options differ from row to row".to_owned()
            );
        }
        plan.rule = if all_fixed { Rule::Fixed(Box::new(fixed)) } else { Rule::Members(members) };
        Ok(plan)
    }

    /// The options for a row; `computed` is what the application's function says.
    ///
    /// # Errors
    /// What is wrong with this row, in one line.
    pub(crate) fn options(
        &self,
        row: &Row,
        computed: Option<Options>,
        scope: &Scope,
    ) -> Result<Options, String> {
        match &self.rule {
            Rule::Fixed(options) => Ok((**options).clone()),
            Rule::Function => computed.ok_or_else(|| "its function of options is missing".to_owned()),
            Rule::Whole(expression) => Options::read(scope.evaluate(expression, row)?)
                .map_err(|problem| format!("the expression {:?}: {problem}", expression.source())),
            Rule::Members(members) => {
                let mut values = Map::new();
                for (name, parts) in members {
                    values.insert((*name).to_owned(), value(name, parts, row, scope)?);
                }
                Options::read_members(values).map_err(|problem| format!("the options of the row: {problem}"))
            }
        }
    }

    /// How many rows may change at once before their collection is announced instead, and how it is published then.
    pub(crate) fn bulk(&self) -> Option<(usize, Options)> {
        match (&self.rule, self.bulk) {
            (Rule::Fixed(options), Some(rows)) => Some((rows, options.of_collection())),
            _ => None,
        }
    }

    /// Whether requests wait whatever the row says.
    pub(crate) fn always_waits(&self) -> bool {
        self.always_waits
    }

    /// Whether an operation may be published at all, as far as that is known without the row.
    pub(crate) fn may_publish(&self, operation: super::Operation) -> bool {
        match &self.rule {
            Rule::Fixed(options) => options.publishes(operation),
            _ => true,
        }
    }
}

/// The hubs that options name.
pub(crate) fn hubs(options: &Options) -> Vec<String> {
    if options.hubs.is_empty() { vec![DEFAULT_HUB.to_owned()] } else { options.hubs.clone() }
}

fn read(setting: Setting, fields: &[&str], scope: &Scope) -> Result<Vec<Member>, String> {
    let part = |text: &'static str| match text.strip_prefix(MARK) {
        Some(source) => scope
            .compile(source, fields)
            .map(Member::Computed)
            .map_err(|problem| format!("the expression {source:?}: {problem}")),
        None => Ok(Member::Fixed(text.into())),
    };
    match setting {
        Setting::Flag(flag) => Ok(vec![Member::Fixed(flag.into())]),
        Setting::Number(number) => Ok(vec![Member::Fixed(number.into())]),
        Setting::Text(text) => Ok(vec![part(text)?]),
        Setting::List(texts) => texts.iter().copied().map(part).collect(),
    }
}

/// What is the same for every row; checks it on the way.
fn fixed(members: &[(&'static str, Vec<Member>)]) -> Result<Options, String> {
    let mut values = Map::new();
    for (name, parts) in members {
        let known: Vec<Value> = parts.iter().filter_map(Member::fixed).cloned().collect();
        if IS_LIST.contains(name) {
            values.insert((*name).to_owned(), Value::Array(known));
        } else if let Some(only) = known.into_iter().next() {
            values.insert((*name).to_owned(), only);
        }
    }
    Options::read_members(values).map_err(|problem| format!("`mercure` cannot be used: {problem}"))
}

fn is_computed(members: &[(&'static str, Vec<Member>)], name: &str) -> bool {
    let mut of_name = members.iter().filter(|(other, _)| *other == name);
    of_name.any(|(_, parts)| parts.iter().any(|part| matches!(part, Member::Computed(_))))
}

fn value(name: &str, parts: &[Member], row: &Row, scope: &Scope) -> Result<Value, String> {
    let mut values = Vec::new();
    for part in parts {
        match part {
            Member::Fixed(value) => values.push(value.clone()),
            Member::Computed(expression) => match scope.evaluate(expression, row)? {
                // A list within a list is a part of it.
                Value::Array(parts) if IS_LIST.contains(&name) => values.extend(parts),
                value => values.push(value),
            },
        }
    }
    Ok(if IS_LIST.contains(&name) { Value::Array(values) } else { values.pop().unwrap_or(Value::Null) })
}

impl Member {
    fn fixed(&self) -> Option<&Value> {
        match self {
            Self::Fixed(value) => Some(value),
            Self::Computed(_) => None,
        }
    }
}

/// The hub that is meant unless another one is named.
pub(crate) const DEFAULT_HUB: &str = "default";
const MARK: &str = "@=";
const IS_LIST: [&str; 4] = ["targets", "topics", "hub", "on"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::Operation;

    const FIELDS: [&str; 3] = ["id", "owner", "owners"];

    fn plan(options: &[(&'static str, Setting)]) -> Result<Plan, String> {
        let setup = options.iter().fold(Setup::new(), |setup, (name, setting)| setup.option(name, *setting));
        Plan::compile(&setup, false, &FIELDS, &scope())
    }

    fn scope() -> Scope {
        Scope::new("https://example.com")
    }

    fn options(options: &[(&'static str, Setting)]) -> Result<Options, String> {
        let Value::Object(fields) = json!({"id": 1, "owner": "ann", "owners": ["ann", "bob"]}) else {
            unreachable!()
        };
        plan(options)?.options(&Row::new("/books/1", fields), None, &scope())
    }

    #[test]
    fn each_option_may_be_an_expression() {
        use Setting::{Flag, List, Text};
        assert_eq!(options(&[]), Ok(Options::new()));
        assert_eq!(options(&[("targets", List(&["a", "b"]))]), Ok(Options::new().targets(["a", "b"])));
        assert_eq!(
            options(&[("targets", List(&["staff", "@=object.owners"]))]),
            Ok(Options::new().targets(["staff", "ann", "bob"]))
        );
        assert_eq!(options(&[("", Text("object.owners"))]), Ok(Options::new().targets(["ann", "bob"])));
        let expected = Options::new()
            .private(true)
            .topics(["https://example.com/books/1", "/users/ann"])
            .on([Operation::Insert]);
        assert_eq!(
            options(&[
                ("private", Flag(true)),
                ("topics", List(&["@=iri(object)", "@='/users/' + object.owner"])),
                ("on", List(&["create"])),
            ]),
            Ok(expected)
        );
        assert_eq!(
            options(&[("retry", Text("@=object.id * 1000")), ("data", Text("@=object.owner"))]),
            Ok(Options::new().retry(1000).data("ann"))
        );
    }

    #[test]
    fn what_is_known_at_start_is_checked_at_start() {
        use Setting::{Flag, List, Text};
        for (given, problem) in [
            (&[("", Text("objct"))][..], "`mercure = \"objct\"` cannot be used: `objct` is unknown"),
            (
                &[("topics", List(&["@=object.ownr"]))],
                "`mercure(topics = ...)` cannot be used: the expression \"object.ownr\": `object` has no `ownr`",
            ),
            (
                &[("private", Flag(false)), ("targets", List(&["a"]))],
                "`private` is false, but there are `targets`",
            ),
            (&[("owners", Flag(true))], "there is no option `owners`"),
        ] {
            let said = plan(given).unwrap_err();
            assert!(said.contains(problem), "{said}");
        }
        let said = options(&[("private", Text("@=object.owner"))]).unwrap_err();
        assert_eq!(said, "the options of the row: `private` is neither true nor false");
    }

    #[test]
    fn what_clients_are_told_follows_from_the_options() {
        use Setting::{Flag, List, Text};
        let plain = plan(&[]).unwrap();
        assert!(plain.is_public && plain.has_own_topic && !plain.may_wait);
        assert_eq!(plain.hubs, Some(vec!["default".to_owned()]));
        let other =
            plan(&[("hub", List(&["a", "b"])), ("async", Flag(false)), ("private", Flag(true))]).unwrap();
        assert_eq!(other.hubs, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert!(other.may_wait && !other.is_public);
        let row = plan(&[("", Text("{'hub': object.owner, 'async': false}"))]).unwrap();
        assert!(row.hubs.is_none() && row.may_wait && row.has_own_topic);
        assert!(!plan(&[("topics", List(&["@=object.owner"]))]).unwrap().has_own_topic);
        let bulk = plan(&[("bulk", Setting::Number(9)), ("targets", List(&["a"])), ("topics", List(&["b"]))])
            .unwrap();
        assert_eq!(bulk.bulk(), Some((9, Options::new().targets(["a"]))));
        let said = plan(&[("bulk", Setting::Number(9)), ("topics", Text("@=object.owner"))]).unwrap_err();
        assert!(said.contains("differ from row to row"), "{said}");
        assert!(!plan(&[("on", List(&["create"]))]).unwrap().may_publish(Operation::Delete));
    }
}
