//! Documents, literally: existing clients read them with expressions.

use petasos_testkit::http;
use serde_json::{Value, json};

use crate::support::Served;

#[test]
fn the_entrypoint_is_for_programs_and_the_page_for_browsers() {
    let served = Served::start();
    let entrypoint = http::get(&format!("{}/", served.url)).unwrap();
    assert_eq!(entrypoint.head.header("content-type"), Some("application/ld+json; charset=utf-8"));
    let expected = "{\"@context\":\"/contexts/Entrypoint\",\"@id\":\"/\",\"@type\":\"Entrypoint\",\"book\":\"/books\",\"tag\":\"/tags\"}";
    assert_eq!(entrypoint.body, expected);
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = http::request("GET", &format!("{}/", served.url), &browser, "").unwrap();
    assert_eq!(page.head.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.head.all("vary").any(|vary| vary == "Accept"));
    assert_eq!(page.body, "<!doctype html><p>page");
}

#[test]
fn the_documentation_describes_each_resource() {
    let served = Served::start();
    let docs = served.document("/docs.jsonld");
    assert_eq!(docs["@context"][1]["@vocab"], format!("{}/docs.jsonld#", served.url));
    let class = &docs["hydra:supportedClass"][0];
    assert_eq!(
        (&class["@id"], &class["hydra:title"], &class["hydra:description"]),
        (&json!("#Book"), &json!("Book"), &json!("A book."))
    );
    let properties = class["hydra:supportedProperty"].as_array().unwrap();
    let names: Vec<&str> =
        properties.iter().map(|property| property["hydra:title"].as_str().unwrap()).collect();
    assert_eq!(names, ["title", "isbn", "publicationDate", "rating", "price", "owners", "sold"]);
    let title = json!({
        "@type": "hydra:SupportedProperty", "hydra:title": "title", "hydra:required": true, "hydra:readable": true,
        "hydra:writeable": true, "hydra:description": "On the cover.",
        "hydra:property": {
            "@id": "https://schema.org/name", "@type": "rdf:Property", "label": "title", "domain": "#Book", "range": "xsd:string",
        },
    });
    assert_eq!(properties[0], title);
    let ranges: Vec<&Value> =
        properties.iter().map(|property| &property["hydra:property"]["range"]).collect();
    assert_eq!(
        ranges,
        ["xsd:string", "xsd:string", "xsd:date", "xsd:integer", "xsd:decimal", "xsd:string", "xsd:boolean"]
    );
    let methods: Vec<&Value> = class["hydra:supportedOperation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["hydra:method"])
        .collect();
    assert_eq!(methods, ["GET", "PATCH", "PUT", "DELETE"]);
    let contexts = served.document("/contexts/Book");
    assert_eq!(contexts["@context"]["title"], "https://schema.org/name");
    assert_eq!(contexts["@context"]["isbn"], "Book/isbn");
    assert_eq!(
        served.document("/contexts/Entrypoint")["@context"]["book"],
        json!({"@id": "Entrypoint/book", "@type": "@id"})
    );
}

#[test]
fn lists_have_pages_an_order_and_filters() {
    let served = Served::start();
    for number in 1..=45 {
        served.create(&format!("{{\"title\":\"Book {number:02}\",\"rating\":{}}}", number % 6));
    }
    let first = served.document("/books");
    assert_eq!(
        (&first["hydra:totalItems"], first["hydra:member"].as_array().unwrap().len()),
        (&json!(45), 30)
    );
    assert!(first["hydra:member"][0].get("@context").is_none());
    let view = json!({
        "@id": "/books?page=1", "@type": "hydra:PartialCollectionView",
        "hydra:first": "/books?page=1", "hydra:last": "/books?page=2", "hydra:next": "/books?page=2",
    });
    assert_eq!(first["hydra:view"], view);
    let titles = |path: &str| -> Vec<String> {
        let list = served.document(path);
        list["hydra:member"]
            .as_array()
            .unwrap()
            .iter()
            .map(|book| book["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(titles("/books?page=2").len(), 15);
    assert_eq!(titles("/books?page=2?").len(), 15, "one client appends a question mark");
    assert_eq!(titles("/books?order[title]=DESC&itemsPerPage=2&page=1"), ["Book 45", "Book 44"]);
    assert_eq!(titles("/books?rating=5&order[id]=asc&itemsPerPage=3"), ["Book 05", "Book 11", "Book 17"]);
    assert_eq!(titles("/books?id[0]=/books/3&id[1]=/books/7"), ["Book 03", "Book 07"]);
    assert_eq!(titles("/books?title=OOK%204").len(), 6);
    assert_eq!(titles("/books?title=%25").len(), 0, "a filter is no pattern");
    assert_eq!(titles("/books?rating=five").len(), 0);
    assert_eq!(titles("/books?nonsense=1&page=x&order[nonsense]=asc&page[0]=2").len(), 30);
    let plain = [("accept", "application/json")];
    let plain = http::request("GET", &format!("{}/books?itemsPerPage=1", served.url), &plain, "").unwrap();
    let expected = json!([{
        "id": 1, "title": "Book 01", "isbn": null, "publicationDate": null, "rating": 1, "price": null, "owners": null, "sold": false,
    }]);
    assert_eq!(serde_json::from_str::<Value>(&plain.body).unwrap(), expected);
}
