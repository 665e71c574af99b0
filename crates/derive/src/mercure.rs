//! What `mercure` says: the forms of the attribute that makes a resource live.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Path, Token, Type};

use crate::expression;

/// What is said about publishing.
#[derive(Default)]
pub(crate) struct Mercure {
    options: Vec<(&'static str, TokenStream)>,
    /// Computes all options from a row.
    with: Option<Path>,
    /// The serialisation that the option `view` names.
    view: Option<Type>,
}

impl Mercure {
    /// Reads what follows the word `mercure`; `None` if it says that the resource is not live.
    pub(crate) fn read(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<Self>> {
        let mut mercure = Self::default();
        if meta.input.peek(Token![=]) {
            return mercure.read_value(meta);
        }
        if meta.input.peek(syn::token::Paren) {
            meta.parse_nested_meta(|option| mercure.read_option(&option))?;
            if mercure.with.is_some() && mercure.options.iter().any(|(name, _)| *name != "async") {
                return Err(
                    meta.error("the function of `with` says everything; only `async` may stand beside it")
                );
            }
        }
        Ok(Some(mercure))
    }

    fn read_value(mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<Option<Self>> {
        match meta.value()?.parse::<Lit>()? {
            Lit::Bool(live) => Ok(live.value.then_some(self)),
            Lit::Str(text) => {
                // The mark is not needed here, and harmless.
                let source = text.value();
                let source = source.strip_prefix(expression::MARK).unwrap_or(&source);
                expression::check(source, text.span())?;
                self.options.push(("", quote! { ::petasos::live::Setting::Text(#source) }));
                Ok(Some(self))
            }
            other => {
                let message = "`mercure` is an expression in a string, or has options in parentheses";
                Err(syn::Error::new_spanned(other, message))
            }
        }
    }

    fn read_option(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let Some(known) = OPTIONS.iter().find(|known| **known == name) else {
            let known = OPTIONS.map(|name| format!("`{name}`")).join(", ");
            return Err(meta.error(format!("unknown option; `mercure` has {known}")));
        };
        if self.options.iter().any(|(given, _)| given == known) {
            return Err(meta.error(format!("`{known}` is given twice")));
        }
        match *known {
            "with" => {
                self.with = Some(meta.value()?.parse()?);
                return Ok(());
            }
            "view" => {
                let view: Type = meta.value()?.parse()?;
                let name = view_name(&view);
                self.options.push(("view", quote! { ::petasos::live::Setting::Text(#name) }));
                self.view = Some(view);
                return Ok(());
            }
            _ => {}
        }
        let setting = match *known {
            "private" | "async" => flag(meta)?,
            "bulk" => bulk(meta)?,
            "retry" => number_or_expression(meta)?,
            "targets" | "topics" | "hub" => texts(meta)?,
            "on" => operations(meta)?,
            _ => {
                let text: LitStr = meta.value()?.parse()?;
                expression::check_marked(&text)?;
                quote! { ::petasos::live::Setting::Text(#text) }
            }
        };
        self.options.push((*known, setting));
        Ok(())
    }

    /// The calls that tell the description.
    pub(crate) fn calls(&self) -> TokenStream {
        let options = self.options.iter().map(|(name, setting)| quote! { .option(#name, #setting) });
        let view = self.view.iter().map(expand_view);
        let with = self.with.iter().map(|with| quote! { .live_options(#with) });
        quote! { .live(::petasos::live::Setup::new() #(#options)*) #(#view)* #(#with)* }
    }
}

/// The call that registers another serialisation.
pub(crate) fn expand_view(view: &Type) -> TokenStream {
    let name = view_name(view);
    quote! { .view::<#view>(#name) }
}

/// A view is known by the last part of its path.
fn view_name(view: &Type) -> String {
    match view {
        Type::Path(path) => path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string()),
        other => quote! { #other }.to_string(),
    }
}

/// `private`, `private = true` or an expression.
fn flag(meta: &ParseNestedMeta<'_>) -> syn::Result<TokenStream> {
    if !meta.input.peek(Token![=]) {
        return Ok(quote! { ::petasos::live::Setting::Flag(true) });
    }
    match meta.value()?.parse::<Lit>()? {
        Lit::Bool(LitBool { value, .. }) => Ok(quote! { ::petasos::live::Setting::Flag(#value) }),
        Lit::Str(text) => marked(&text, "true, false"),
        other => Err(syn::Error::new_spanned(other, "this is true, false, or an expression like \"@=...\"")),
    }
}

fn number_or_expression(meta: &ParseNestedMeta<'_>) -> syn::Result<TokenStream> {
    match meta.value()?.parse::<Lit>()? {
        Lit::Int(number) => {
            let number: u64 = number.base10_parse()?;
            Ok(quote! { ::petasos::live::Setting::Number(#number) })
        }
        Lit::Str(text) => marked(&text, "a number of milliseconds"),
        other => Err(syn::Error::new_spanned(other, "this is a number of milliseconds")),
    }
}

/// How many rows may change at once before the collection is announced instead.
fn bulk(meta: &ParseNestedMeta<'_>) -> syn::Result<TokenStream> {
    let number: LitInt = meta.value()?.parse()?;
    match number.base10_parse::<u64>()? {
        0 => Err(syn::Error::new(number.span(), "`bulk` is a number of rows, at least 1")),
        rows => Ok(quote! { ::petasos::live::Setting::Number(#rows) }),
    }
}

/// A text that has to be an expression, where a plain text makes no sense.
fn marked(text: &LitStr, instead: &str) -> syn::Result<TokenStream> {
    if !text.value().starts_with(expression::MARK) {
        return Err(syn::Error::new(
            text.span(),
            format!("this is {instead}, or an expression like \"@=...\""),
        ));
    }
    expression::check_marked(text)?;
    Ok(quote! { ::petasos::live::Setting::Text(#text) })
}

/// One text or a list of them.
fn texts(meta: &ParseNestedMeta<'_>) -> syn::Result<TokenStream> {
    let value: Expr = meta.value()?.parse()?;
    let elements: Vec<&Expr> = match &value {
        Expr::Array(array) => array.elems.iter().collect(),
        single => vec![single],
    };
    let mut texts = Vec::new();
    for element in elements {
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = element else {
            return Err(syn::Error::new_spanned(
                element,
                "this is a string, like \"a-group\" or \"@=object.owner\"",
            ));
        };
        expression::check_marked(text)?;
        texts.push(text.clone());
    }
    Ok(quote! { ::petasos::live::Setting::List(&[#(#texts),*]) })
}

/// `[create, update, delete]`, or one of them.
fn operations(meta: &ParseNestedMeta<'_>) -> syn::Result<TokenStream> {
    let input = meta.value()?;
    let idents: Vec<Ident> = if input.peek(syn::token::Bracket) {
        let inner;
        syn::bracketed!(inner in input);
        Punctuated::<Ident, Token![,]>::parse_terminated(&inner)?.into_iter().collect()
    } else {
        vec![input.parse()?]
    };
    let names: Vec<String> = idents.iter().map(Ident::to_string).collect();
    for (ident, name) in idents.iter().zip(&names) {
        if !["create", "update", "delete"].contains(&name.as_str()) {
            return Err(syn::Error::new(ident.span(), "there are `create`, `update` and `delete`"));
        }
    }
    if names.is_empty() {
        return Err(syn::Error::new(
            Span::call_site(),
            "`on` names at least one of `create`, `update` and `delete`",
        ));
    }
    Ok(quote! { ::petasos::live::Setting::List(&[#(#names),*]) })
}

const OPTIONS: [&str; 13] = [
    "targets", "private", "topics", "data", "id", "type", "retry", "view", "hub", "on", "async", "with",
    "bulk",
];
