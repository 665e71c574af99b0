//! The documentation that generators read: Hydra, in the shape that the existing ones understand.

use serde_json::{Value, json};

use super::{DOCS, entry_name};
use crate::resource::{FieldInfo, Info};

/// `GET /docs.jsonld`. `base` is the public URL of the API, without a final slash.
pub(crate) fn documentation(title: &str, base: &str, resources: &[&Info]) -> Value {
    let mut classes: Vec<Value> = resources.iter().map(|info| class(info)).collect();
    classes.push(entrypoint_class(resources));
    classes.push(violation_class());
    json!({
        "@context": context(base),
        "@id": DOCS,
        "@type": "hydra:ApiDocumentation",
        "hydra:title": title,
        "hydra:entrypoint": "/",
        "hydra:supportedClass": classes,
    })
}

/// Inline, because a context by reference would be fetched over the network by every client.
fn context(base: &str) -> Value {
    json!([
        {
            "hydra": "http://www.w3.org/ns/hydra/core#",
            "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
            "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
            "owl": "http://www.w3.org/2002/07/owl#",
            "schema": "https://schema.org/",
            "label": "rdfs:label",
            "returns": {"@id": "hydra:returns", "@type": "@vocab"},
            "expects": {"@id": "hydra:expects", "@type": "@vocab"},
        },
        {
            "@vocab": format!("{base}{DOCS}#"),
            "domain": {"@id": "rdfs:domain", "@type": "@id"},
            "range": {"@id": "rdfs:range", "@type": "@id"},
            "subClassOf": {"@id": "rdfs:subClassOf", "@type": "@id"},
        },
    ])
}

fn class(info: &Info) -> Value {
    // A key that clients cannot set is no property to them, though documents show it.
    let shown = info.fields.iter().filter(|field| !(field.hidden || field.key && field.generated));
    let properties: Vec<Value> = shown.map(|field| property(info, field)).collect();
    let mut class = json!({
        "@id": format!("#{}", info.name),
        "@type": "hydra:Class",
        "hydra:title": info.name,
        "hydra:supportedProperty": properties,
        // PATCH before PUT: the admin uses the first operation that edits.
        "hydra:supportedOperation": [
            operation("GET", "get", info, Some("schema:FindAction"), false, info.name),
            operation("PATCH", "patch", info, None, true, info.name),
            operation("PUT", "put", info, Some("schema:ReplaceAction"), true, info.name),
            operation("DELETE", "delete", info, Some("schema:DeleteAction"), false, "owl:Nothing"),
        ],
    });
    if !info.doc.is_empty() {
        class["hydra:description"] = info.doc.into();
    }
    class
}

fn property(info: &Info, field: &FieldInfo) -> Value {
    let id = field.iri.map_or_else(|| format!("#{}/{}", info.name, field.name), str::to_owned);
    let mut property = json!({
        "@type": "hydra:SupportedProperty",
        "hydra:title": field.name,
        "hydra:required": field.is_required(),
        "hydra:readable": true,
        "hydra:writeable": field.is_writable() || (field.key && !field.generated),
        "hydra:property": {
            "@id": id,
            "@type": "rdf:Property",
            "label": field.name,
            "domain": format!("#{}", info.name),
            "range": field.range,
        },
    });
    if !field.doc.is_empty() {
        property["hydra:description"] = field.doc.into();
    }
    property
}

fn operation(
    method: &str,
    verb: &str,
    info: &Info,
    action: Option<&str>,
    expects: bool,
    returns: &str,
) -> Value {
    let kind = action.map_or_else(|| json!("hydra:Operation"), |action| json!(["hydra:Operation", action]));
    let title = if returns == "hydra:Collection" {
        format!("{verb}{}Collection", info.name)
    } else {
        format!("{verb}{}", info.name)
    };
    let mut operation =
        json!({"@type": kind, "hydra:method": method, "hydra:title": title, "returns": returns});
    if expects {
        operation["expects"] = info.name.into();
    }
    operation
}

fn entrypoint_class(resources: &[&Info]) -> Value {
    let properties: Vec<Value> = resources.iter().map(|info| entry(info)).collect();
    json!({
        "@id": "#Entrypoint",
        "@type": "hydra:Class",
        "hydra:title": "Entrypoint",
        "hydra:supportedProperty": properties,
        "hydra:supportedOperation": {"@type": "hydra:Operation", "hydra:method": "GET", "hydra:title": "index", "returns": "Entrypoint"},
    })
}

fn entry(info: &Info) -> Value {
    let member = json!({
        "owl:equivalentClass": {"owl:onProperty": {"@id": "hydra:member"}, "owl:allValuesFrom": {"@id": format!("#{}", info.name)}},
    });
    json!({
        "@type": "hydra:SupportedProperty",
        "hydra:title": format!("get{}Collection", info.name),
        "hydra:readable": true,
        "hydra:writeable": false,
        "hydra:property": {
            "@id": format!("#Entrypoint/{}", entry_name(info)),
            "@type": "hydra:Link",
            "domain": "#Entrypoint",
            "range": [{"@id": "hydra:Collection"}, member],
            "hydra:supportedOperation": [
                operation("GET", "get", info, Some("schema:FindAction"), false, "hydra:Collection"),
                operation("POST", "post", info, Some("schema:CreateAction"), true, info.name),
            ],
        },
    })
}

fn violation_class() -> Value {
    let text = |name: &str| {
        json!({
            "@type": "hydra:SupportedProperty",
            "hydra:title": name,
            "hydra:readable": true,
            "hydra:writeable": false,
            "hydra:property": {"@id": format!("#ConstraintViolation/{name}"), "@type": "rdf:Property", "label": name, "range": "xsd:string"},
        })
    };
    json!({
        "@id": "#ConstraintViolation",
        "@type": "hydra:Class",
        "hydra:title": "ConstraintViolation",
        "hydra:supportedProperty": [text("propertyPath"), text("message")],
    })
}
