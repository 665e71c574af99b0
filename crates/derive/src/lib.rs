//! `#[derive(Resource)]`: describes a SeaORM entity to the API layer.
//!
//! Use it through the `petasos` crate, which documents it. The macro reads `#[resource(...)]`, and what it needs of
//! `#[sea_orm(...)]` and `#[serde(...)]`, and writes one implementation; everything else happens at run time.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod attributes;
mod expand;
mod expression;
mod mercure;
mod names;

/// Makes a SeaORM model a resource of the API. Documented in the `petasos` crate.
#[proc_macro_derive(Resource, attributes(resource, sea_orm, serde))]
pub fn derive_resource(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    let (tokens, errors) = expand::expand(&input);
    let errors = errors.into_iter().map(syn::Error::into_compile_error);
    quote::quote! { #tokens #(#errors)* }.into()
}
