//! Checks CEL expressions while the program is compiled, so that a typing mistake never reaches a running one.
//!
//! The parser is the one that the API layer compiles the expression with at start.

use proc_macro2::Span;
use syn::LitStr;

/// What a text of an option begins with if it is an expression.
pub(crate) const MARK: &str = "@=";

/// Bytes that an expression may have. Longer ones could exhaust the stack of the parser.
const LONGEST: usize = 1024;
const STACK: usize = 64 << 20;

/// Checks the syntax of an expression.
///
/// # Errors
/// What is wrong and where, at the place of the literal.
pub(crate) fn check(source: &str, span: Span) -> syn::Result<()> {
    let refuse = |problem: String| Err(syn::Error::new(span, problem));
    if source.trim().is_empty() {
        return refuse("an expression is needed here, like \"object.owners\"".to_owned());
    }
    if source.len() > LONGEST {
        return refuse(format!("the expression is {} bytes long; {LONGEST} are allowed", source.len()));
    }
    match parse(source) {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => refuse(problem),
        Err(problem) => refuse(format!("the expression cannot be checked: {problem}")),
    }
}

/// Checks a text that is an expression if it is marked as one.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_marked(text: &LitStr) -> syn::Result<()> {
    match text.value().strip_prefix(MARK) {
        Some(source) => check(source, text.span()),
        None => Ok(()),
    }
}

/// What is wrong with an expression, if anything. Parsed on a thread of its own, because the parser recurses.
fn parse(source: &str) -> Result<Option<String>, String> {
    let source = source.to_owned();
    let parse = move || {
        let errors = cel::Program::compile(&source).err()?;
        Some(errors.errors.first().map_or_else(
            || "the expression has a syntax error".to_owned(),
            |error| {
                let (line, column) = error.pos;
                format!("syntax error in the expression at line {line}, column {column}: {}", error.msg)
            },
        ))
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(parse);
    let thread = thread.map_err(|error| error.to_string())?;
    thread.join().map_err(|_| "its parser gave up".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str) -> String {
        check(source, Span::call_site()).unwrap_err().to_string()
    }

    #[test]
    fn a_syntax_error_says_where_it_is() {
        assert!(check("object.owners.map(o, '/users/' + o)", Span::call_site()).is_ok());
        let said = problem("object.owners +");
        assert!(said.starts_with("syntax error in the expression at line 1, column 16"), "{said}");
        assert!(problem("{'a': }").contains("line 1, column"), "{}", problem("{'a': }"));
        assert!(problem("object.a\n&& )").contains("line 2, column"), "{}", problem("object.a\n&& )"));
        assert!(problem(" ").contains("is needed here"));
    }

    #[test]
    fn what_could_exhaust_the_stack_is_refused_or_survived() {
        assert!(check(&format!("1{}", "+1".repeat(511)), Span::call_site()).is_ok());
        assert!(problem(&"(".repeat(1024)).contains("expression"));
        assert!(problem(&"x".repeat(1025)).contains("1025 bytes long; 1024 are allowed"));
    }
}
