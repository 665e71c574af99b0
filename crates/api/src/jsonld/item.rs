//! Documents that show resources.

use serde_json::{Map, Value, json};

use crate::resource::{ErasedResource, FieldInfo, Info, Item, ListQuery, Page};

/// The IRI of a row: an absolute path.
pub(crate) fn iri(info: &Info, id: &str) -> String {
    format!("{}/{id}", info.path)
}

/// A row on its own, as `GET` shows it and as updates carry it.
pub(crate) fn item(resource: &dyn ErasedResource, row: Item) -> Value {
    let mut document = Map::new();
    document.insert("@context".to_owned(), format!("/contexts/{}", resource.info().name).into());
    document.extend(member(resource, row));
    document.into()
}

/// A row that is serialised in another way.
pub(crate) fn viewed(info: &Info, iri: &str, members: Map<String, Value>) -> Value {
    let mut document = Map::new();
    document.insert("@context".to_owned(), format!("/contexts/{}", info.name).into());
    document.insert("@id".to_owned(), iri.into());
    document.insert("@type".to_owned(), info.name.into());
    document.extend(members);
    document.into()
}

/// A list.
pub(crate) fn collection(resource: &dyn ErasedResource, page: Page, query: &ListQuery) -> Value {
    let info = resource.info();
    let members: Vec<Value> = page.items.into_iter().map(|row| member(resource, row).into()).collect();
    let mut document = json!({
        "@context": format!("/contexts/{}", info.name),
        "@id": info.path,
        "@type": "hydra:Collection",
        "hydra:totalItems": page.total,
        "hydra:member": members,
    });
    if page.total > query.per_page || !query.filters.is_empty() {
        document["hydra:view"] = view(info, page.total, query);
    }
    document["hydra:search"] = search(info);
    document
}

/// A row in a list: the same without its context.
fn member(resource: &dyn ErasedResource, row: Item) -> Map<String, Value> {
    let info = resource.info();
    let mut member = Map::new();
    member.insert("@id".to_owned(), iri(info, &resource.id(&row)).into());
    member.insert("@type".to_owned(), info.name.into());
    member.extend(row);
    member
}

fn view(info: &Info, total: u64, query: &ListQuery) -> Value {
    let link = |page: u64| Value::from(format!("{}?{}", info.path, query.to_page(page)));
    let last = total.div_ceil(query.per_page).max(1);
    let mut view = json!({"@id": link(query.page), "@type": "hydra:PartialCollectionView", "hydra:first": link(1), "hydra:last": link(last)});
    if query.page > 1 {
        view["hydra:previous"] = link(query.page - 1);
    }
    if query.page < last {
        view["hydra:next"] = link(query.page + 1);
    }
    view
}

fn search(info: &Info) -> Value {
    let fields = || info.fields.iter().filter(|field| !field.hidden);
    let mapping = |variable: String, field: &FieldInfo| json!({"@type": "IriTemplateMapping", "variable": variable, "property": field.name, "required": false});
    let filters = fields().map(|field| mapping(field.name.to_owned(), field));
    let orders = fields().map(|field| mapping(format!("order[{}]", field.name), field));
    let mappings: Vec<Value> = filters.chain(orders).collect();
    let variables: Vec<&str> = mappings.iter().filter_map(|mapping| mapping["variable"].as_str()).collect();
    json!({
        "@type": "hydra:IriTemplate",
        "hydra:template": format!("{}{{?{}}}", info.path, variables.join(",")),
        "hydra:variableRepresentation": "BasicRepresentation",
        "hydra:mapping": mappings,
    })
}
