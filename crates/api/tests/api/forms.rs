//! Resources for each form of `mercure`, all of the same columns.

/// Declares a resource whose attribute is the last argument.
macro_rules! resource {
    ($module:ident, $table:tt, $($mercure:tt)+) => {
        pub mod $module {
            use petasos::Resource;
            use sea_orm::entity::prelude::*;
            use serde::{Deserialize, Serialize};

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize, Resource)]
            #[sea_orm(table_name = $table)]
            #[serde(rename_all = "camelCase")]
            #[resource($($mercure)+)]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                pub title: String,
                #[sea_orm(column_name = "the_owner")]
                pub owner: Option<String>,
                #[sea_orm(column_type = "JsonBinary", nullable)]
                pub all_owners: Option<Json>,
                pub due_on: Option<Date>,
                /// No document shows it.
                #[serde(skip)]
                #[sea_orm(default_value = false)]
                pub is_hidden: bool,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            /// A row with one owner.
            #[allow(dead_code, reason = "some forms never get as far as a row")]
            pub fn row(id: i32, owner: &str) -> ActiveModel {
                use sea_orm::ActiveValue::Set;
                ActiveModel {
                    id: Set(id),
                    title: Set(format!("title {id}")),
                    owner: Set(Some(owner.to_owned())),
                    all_owners: Set(Some(serde_json::json!([owner, "staff"]))),
                    due_on: Set(Date::from_ymd_opt(2026, 12, 31)),
                    is_hidden: Set(false),
                }
            }
        }
    };
}

resource!(plain, "plain", mercure);
resource!(massive, "massive", mercure(bulk = 100, targets = ["staff"]));
resource!(targeted, "targeted", mercure(targets = ["a-group", "@=object.allOwners"]));
resource!(owned, "owned", mercure = "object.allOwners.filter(owner, owner != 'staff')");
resource!(visible, "visible", mercure = "!object.isHidden && object.dueOn == '2026-12-31'");
resource!(
    mapped,
    "mapped",
    mercure =
        "{'targets': [object.owner], 'type': 'order', 'retry': object.id * 1000, 'data': {'n': object.id}}"
);
resource!(optional, "optional", mercure(
    private,
    topics = ["@=iri(object)", "@=iri('/users/' + escape(object.owner))"],
    data = "@='just ' + object.title",
    id = "@='urn:x:' + string(object.id)",
    type = "news",
    retry = 250,
    on = [create, update]
));
resource!(short, "short", mercure(view = crate::forms::Short));
resource!(
    choosy,
    "choosy",
    views(crate::forms::Short),
    mercure = "{'view': object.isHidden ? 'Short' : 'Long'}"
);
resource!(computed, "computed", mercure(with = crate::forms::options));
resource!(archived, "archived", mercure(hub = ["default", "archive"]));
resource!(elsewhere, "elsewhere", mercure(hub = "@=object.owner"));
resource!(unknown, "unknown", mercure = "{object.owner: 'staff'}");
resource!(waiting, "waiting", mercure(async = false));

/// Another serialisation.
#[derive(serde::Serialize)]
pub struct Short {
    headline: String,
}

impl From<short::Model> for Short {
    fn from(row: short::Model) -> Self {
        Self { headline: row.title.to_uppercase() }
    }
}

impl From<choosy::Model> for Short {
    fn from(row: choosy::Model) -> Self {
        Self { headline: row.title.to_uppercase() }
    }
}

/// Tells an owner of deletions and everyone of everything else.
pub fn options(row: &computed::Model, operation: petasos::live::Operation) -> petasos::live::Options {
    use petasos::live::{Operation, Options};
    match operation {
        Operation::Delete => {
            assert_eq!((row.title.as_str(), row.is_hidden), ("title 1", false), "the old row is whole");
            Options::new().targets(row.owner.clone())
        }
        _ => Options::from(!row.is_hidden),
    }
}
