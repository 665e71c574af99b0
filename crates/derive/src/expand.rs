//! From a model to the implementation that describes it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Fields};

use crate::attributes::{Bounds, Container, Field};
use crate::mercure::{self, Mercure};
use crate::names;

/// The implementation, and everything that is wrong with the model.
pub(crate) fn expand(input: &DeriveInput) -> (TokenStream, Vec<syn::Error>) {
    let mut errors = Vec::new();
    let container = Container::read(&input.attrs, &mut errors);
    let Data::Struct(syn::DataStruct { fields: Fields::Named(named), .. }) = &input.data else {
        errors.push(syn::Error::new_spanned(
            &input.ident,
            "a resource is a SeaORM model: a struct with named fields",
        ));
        return (TokenStream::new(), errors);
    };
    let Some(table) = container.table_name.clone() else {
        errors
            .push(syn::Error::new_spanned(&input.ident, "a resource needs #[sea_orm(table_name = \"...\")]"));
        return (TokenStream::new(), errors);
    };
    let fields: Vec<TokenStream> =
        named.named.iter().filter_map(|field| expand_field(field, &container, &mut errors)).collect();
    let (name, path) = (name(&container, &table, &mut errors), path(&container, &table));
    let doc = &container.doc;
    let views = container.views.iter().map(mercure::expand_view);
    let live = container.mercure.iter().map(Mercure::calls);
    let tokens = quote! {
        #[automatically_derived]
        impl ::petasos::Resource for Entity {
            fn describe() -> ::petasos::resource::Description<Self> {
                ::petasos::resource::Description::new(#name, #path, #doc)
                    #( .field(#fields) )*
                    #(#views)*
                    #(#live)*
            }
        }
    };
    (tokens, errors)
}

fn name(container: &Container, table: &str, errors: &mut Vec<syn::Error>) -> String {
    let name = container.name.as_ref().map_or_else(|| names::pascal(table), syn::LitStr::value);
    if !name.chars().all(|char| char.is_ascii_alphabetic()) || name.is_empty() {
        let message = "the name of a resource has letters only: clients make file names of it";
        errors.push(syn::Error::new_spanned(&container.name, message));
    }
    name
}

fn path(container: &Container, table: &str) -> String {
    let own = || format!("/{}", names::plural(&table.to_lowercase()));
    container.path.as_ref().map_or_else(own, syn::LitStr::value)
}

fn expand_field(
    field: &syn::Field,
    container: &Container,
    errors: &mut Vec<syn::Error>,
) -> Option<TokenStream> {
    let said = Field::read(&field.attrs, errors);
    let ident = field.ident.as_ref()?;
    if said.ignored {
        return None;
    }
    let plain = ident.to_string().trim_start_matches("r#").to_owned();
    let rule = container.rename_all.as_ref();
    let json =
        said.rename.clone().or_else(|| names::serde_field(&plain, rule.map(syn::LitStr::value).as_deref()));
    let Some(json) = json else {
        errors.push(syn::Error::new_spanned(rule, "serde knows no such rule"));
        return None;
    };
    let column: Ident = format_ident!("{}", names::pascal(&plain));
    let (ty, calls) = (&field.ty, calls(&said));
    Some(quote! { ::petasos::resource::Field::new::<#ty>(Column::#column, #json) #(#calls)* })
}

/// The calls that say of a field what its attributes say.
fn calls(said: &Field) -> Vec<TokenStream> {
    let doc = &said.doc;
    let mut calls = vec![quote! { .doc(#doc) }];
    if said.key {
        let generated = !said.given_key;
        calls.push(quote! { .key(#generated) });
    }
    let flags = [
        (said.hidden, "hidden"),
        (said.read_only, "read_only"),
        (said.has_default, "optional"),
        (said.exact, "exact"),
        (said.not_blank, "not_blank"),
    ];
    for (_, name) in flags.iter().filter(|(is_set, _)| *is_set) {
        let call = format_ident!("{name}");
        calls.push(quote! { .#call() });
    }
    if let Some(iri) = &said.iri {
        calls.push(quote! { .iri(#iri) });
    }
    for (bounds, name) in [(&said.length, "length"), (&said.range, "range")] {
        let call = format_ident!("{name}");
        if let Some((min, max)) = expand_bounds(bounds) {
            calls.push(quote! { .#call(#min, #max) });
        }
    }
    calls
}

fn expand_bounds(bounds: &Bounds) -> Option<(TokenStream, TokenStream)> {
    if bounds.min.is_none() && bounds.max.is_none() {
        return None;
    }
    let option = |value: &Option<syn::LitInt>| match value {
        Some(value) => quote! { ::core::option::Option::Some(#value) },
        None => quote! { ::core::option::Option::None },
    };
    Some((option(&bounds.min), option(&bounds.max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> (String, Vec<String>) {
        let (tokens, errors) = expand(&syn::parse_str(text).unwrap());
        (tokens.to_string().replace(' ', ""), errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_model_is_described() {
        let (tokens, errors) = expanded(
            r#"
            /// A book
            /// on the shelf.
            #[sea_orm(table_name = "book", rename_all = "x")] #[serde(rename_all = "camelCase", deny_unknown_fields)]
            #[resource(mercure)]
            struct Model {
                #[sea_orm(primary_key)] id: i32,
                #[resource(not_blank, length(max = 255), iri = "https://schema.org/name")] title: String,
                #[sea_orm(column_type = "Text", nullable)] #[serde(default)] publication_date: Option<Date>,
                #[serde(skip)] secret: String,
                #[sea_orm(ignore)] other: i32,
            }"#,
        );
        assert!(errors.is_empty(), "{errors:?}");
        for part in [
            r#"Description::new("Book","/books","Abookontheshelf.")"#,
            ".live(::petasos::live::Setup::new())",
            r#"Field::new::<i32>(Column::Id,"id").doc("").key(true)"#,
            r#"Column::Title,"title").doc("").not_blank().iri("https://schema.org/name").length(::core::option::Option::None,::core::option::Option::Some(255))"#,
            r#"Column::PublicationDate,"publicationDate")"#,
            r#"Column::Secret,"secret").doc("").hidden()"#,
        ] {
            assert!(tokens.contains(part), "{part} is not in {tokens}");
        }
        assert!(!tokens.contains("Other"));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let (_, errors) = expanded(
            r#"#[sea_orm(table_name = "book")] #[resource(mercure(secret), path = "books")] #[resource(live)]
            struct Model { #[resource(unique)] id: i32, #[resource(length(most = 1))] title: String }"#,
        );
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(
            errors[0].contains("unknown option; `mercure` has `targets`")
                && errors[1].contains("unknown option"),
            "{errors:?}"
        );
    }

    fn live(attribute: &str) -> (String, Vec<String>) {
        expanded(&format!(
            "#[sea_orm(table_name = \"book\")] #[resource({attribute})] struct Model {{ #[sea_orm(primary_key)] id: i32 }}"
        ))
    }

    #[test]
    fn every_form_of_mercure_is_told_to_the_description() {
        for (attribute, call) in [
            ("mercure = true", ".live(::petasos::live::Setup::new())"),
            ("mercure = \"object.owners\"", r#".option("",::petasos::live::Setting::Text("object.owners"))"#),
            (
                "mercure(targets = [\"a\", \"@=object.b\"])",
                r#".option("targets",::petasos::live::Setting::List(&["a","@=object.b"]))"#,
            ),
            (
                "mercure(topics = \"@=iri(object)\")",
                r#".option("topics",::petasos::live::Setting::List(&["@=iri(object)"]))"#,
            ),
            ("mercure(private)", r#".option("private",::petasos::live::Setting::Flag(true))"#),
            (
                "mercure(private = \"@=object.hidden\")",
                r#".option("private",::petasos::live::Setting::Text("@=object.hidden"))"#,
            ),
            ("mercure(async = false)", r#".option("async",::petasos::live::Setting::Flag(false))"#),
            (
                "mercure(data = \"x\", id = \"y\", type = \"z\")",
                r#".option("type",::petasos::live::Setting::Text("z"))"#,
            ),
            ("mercure(retry = 500)", r#".option("retry",::petasos::live::Setting::Number(500u64))"#),
            ("mercure(hub = \"archive\")", r#".option("hub",::petasos::live::Setting::List(&["archive"]))"#),
            (
                "mercure(on = [create, delete])",
                r#".option("on",::petasos::live::Setting::List(&["create","delete"]))"#,
            ),
            (
                "mercure(view = super::Short)",
                r#".option("view",::petasos::live::Setting::Text("Short"))).view::<super::Short>("Short")"#,
            ),
            ("mercure(with = Model::options)", ".live_options(Model::options)"),
            ("mercure, views(Short, Long)", r#".view::<Short>("Short").view::<Long>("Long")"#),
        ] {
            let (tokens, errors) = live(attribute);
            assert!(errors.is_empty(), "{attribute}: {errors:?}");
            assert!(tokens.contains(call), "{attribute}: {tokens}");
        }
        assert!(!live("mercure = false").0.contains("live"));
    }

    #[test]
    fn what_is_wrong_with_mercure_is_named() {
        for (attribute, problem) in [
            ("mercure = \"object.owners +\"", "syntax error in the expression at line 1, column"),
            ("mercure(topics = [\"@=iri(object\"])", "syntax error in the expression at line 1, column"),
            ("mercure(data = \"@=\")", "an expression is needed here"),
            (
                "mercure(owners = [\"a\"])",
                "unknown option; `mercure` has `targets`, `private`, `topics`, `data`, `id`, `type`, `retry`, `view`, `hub`, `on`, `async`, `with`, `bulk`",
            ),
            ("mercure(private, private)", "`private` is given twice"),
            ("mercure(private = \"yes\")", "this is true, false, or an expression"),
            ("mercure(on = [created])", "there are `create`, `update` and `delete`"),
            ("mercure(on = [])", "at least one"),
            ("mercure(targets = [1])", "this is a string"),
            ("mercure(retry = \"soon\")", "a number of milliseconds"),
            ("mercure(with = Model::options, private)", "only `async` may stand beside it"),
            ("mercure = 1", "an expression in a string"),
        ] {
            let (_, errors) = live(attribute);
            assert!(errors.len() == 1 && errors[0].contains(problem), "{attribute}: {errors:?}");
        }
    }

    #[test]
    fn what_is_no_model_is_refused() {
        assert!(expanded("enum Model { A }").1[0].contains("named fields"));
        assert!(expanded("struct Model { id: i32 }").1[0].contains("table_name"));
        assert!(
            expanded(r#"#[sea_orm(table_name = "a1")] struct Model { id: i32 }"#).1[0]
                .contains("letters only")
        );
    }
}
