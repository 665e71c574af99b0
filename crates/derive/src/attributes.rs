//! What the attributes of a model and of its fields say.

use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitInt, LitStr, Token, Type};

use crate::mercure::Mercure;

/// What is said about the model.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) table_name: Option<String>,
    pub(crate) rename_all: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) path: Option<LitStr>,
    pub(crate) mercure: Option<Mercure>,
    /// Serialisations that options may name.
    pub(crate) views: Vec<Type>,
    pub(crate) doc: String,
}

/// What is said about a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) key: bool,
    pub(crate) given_key: bool,
    pub(crate) has_default: bool,
    pub(crate) ignored: bool,
    pub(crate) hidden: bool,
    pub(crate) read_only: bool,
    pub(crate) rename: Option<String>,
    pub(crate) iri: Option<LitStr>,
    pub(crate) exact: bool,
    pub(crate) not_blank: bool,
    pub(crate) length: Bounds,
    pub(crate) range: Bounds,
    pub(crate) doc: String,
}

/// A least and a greatest value.
#[derive(Default)]
pub(crate) struct Bounds {
    pub(crate) min: Option<LitInt>,
    pub(crate) max: Option<LitInt>,
}

impl Container {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Vec<syn::Error>) -> Self {
        let mut container = Self { doc: doc(attributes), ..Self::default() };
        each(attributes, "resource", errors, |meta| container.resource(&meta));
        each(attributes, "sea_orm", errors, |meta| {
            if meta.path.is_ident("table_name") {
                container.table_name = Some(meta.value()?.parse::<LitStr>()?.value());
                return Ok(());
            }
            skip(&meta)
        });
        each(attributes, "serde", errors, |meta| {
            if meta.path.is_ident("rename_all") && meta.input.peek(Token![=]) {
                container.rename_all = Some(meta.value()?.parse()?);
                return Ok(());
            }
            skip(&meta)
        });
        container
    }

    fn resource(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("mercure") {
            self.mercure = Mercure::read(meta)?;
        } else if meta.path.is_ident("views") {
            let content;
            syn::parenthesized!(content in meta.input);
            self.views = Punctuated::<Type, Token![,]>::parse_terminated(&content)?.into_iter().collect();
        } else if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("path") {
            let path: LitStr = meta.value()?.parse()?;
            if !path.value().starts_with('/') || path.value().ends_with('/') {
                return Err(syn::Error::new(
                    path.span(),
                    "a path begins with a slash and does not end with one, like \"/books\"",
                ));
            }
            self.path = Some(path);
        } else {
            return Err(meta.error("unknown option; a resource has `mercure`, `name`, `path` and `views`"));
        }
        Ok(())
    }
}

impl Field {
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Vec<syn::Error>) -> Self {
        let mut field = Self { doc: doc(attributes), ..Self::default() };
        each(attributes, "resource", errors, |meta| field.resource(&meta));
        each(attributes, "sea_orm", errors, |meta| field.sea_orm(&meta));
        each(attributes, "serde", errors, |meta| field.serde(&meta));
        field
    }

    fn resource(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("iri") {
            self.iri = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("read_only") {
            self.read_only = true;
        } else if meta.path.is_ident("skip") {
            self.hidden = true;
        } else if meta.path.is_ident("exact") {
            self.exact = true;
        } else if meta.path.is_ident("not_blank") {
            self.not_blank = true;
        } else if meta.path.is_ident("length") {
            self.length = bounds(meta)?;
        } else if meta.path.is_ident("range") {
            self.range = bounds(meta)?;
        } else {
            return Err(meta.error(
                "unknown option; a field has `iri`, `read_only`, `skip`, `exact`, `not_blank`, `length` and `range`",
            ));
        }
        Ok(())
    }

    fn sea_orm(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("primary_key") {
            self.key = true;
        } else if meta.path.is_ident("ignore") {
            self.ignored = true;
        } else if meta.path.is_ident("auto_increment") {
            let value: Expr = meta.value()?.parse()?;
            self.given_key =
                matches!(&value, Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) if !value.value);
            return Ok(());
        } else if meta.path.is_ident("default_value") || meta.path.is_ident("default_expr") {
            self.has_default = true;
        }
        skip(meta)
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("rename") && meta.input.peek(Token![=]) {
            self.rename = Some(meta.value()?.parse::<LitStr>()?.value());
            return Ok(());
        }
        self.hidden |= meta.path.is_ident("skip") || meta.path.is_ident("skip_serializing");
        self.read_only |= meta.path.is_ident("skip_deserializing");
        skip(meta)
    }
}

fn bounds(meta: &ParseNestedMeta<'_>) -> syn::Result<Bounds> {
    let mut bounds = Bounds::default();
    meta.parse_nested_meta(|meta| {
        if meta.path.is_ident("min") {
            bounds.min = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("max") {
            bounds.max = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error("unknown bound; there are `min` and `max`"));
        }
        Ok(())
    })?;
    Ok(bounds)
}

/// Hands every option of the attributes of this name to `read`; keeps all errors, not only the first.
fn each(
    attributes: &[Attribute],
    name: &str,
    errors: &mut Vec<syn::Error>,
    mut read: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        if let Err(error) = attribute.parse_nested_meta(&mut read) {
            errors.push(error);
        }
    }
}

/// Passes over the value of an option that is none of our business.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        meta.parse_nested_meta(|meta| skip(&meta))?;
    }
    Ok(())
}

/// The doc comment as one paragraph.
fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(syn::MetaNameValue {
            value: Expr::Lit(ExprLit { lit: Lit::Str(text), .. }),
            ..
        }) = &attribute.meta
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join(" ").trim().to_owned()
}
