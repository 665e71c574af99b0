//! The reference of all options, made of the table: `docs/reference/configuration.md` holds it, and a test compares.

#[cfg(test)]
mod tests {
    use super::super::form::Form;
    use super::super::table::{Opt, TABLE};

    fn reference() -> String {
        let mut text = String::new();
        let mut group = "";
        for opt in TABLE {
            if opt.group != group {
                group = opt.group;
                text.push_str(&format!(
                    "\n## {group}\n\n| option | variable | default | meaning |\n|---|---|---|---|\n"
                ));
            }
            text.push_str(&row(opt));
        }
        text
    }

    fn row(opt: &Opt) -> String {
        let code = |value: &str| if value.is_empty() { "none".to_owned() } else { format!("`{value}`") };
        let default = match opt.dev {
            "" => code(opt.default),
            dev => format!("{}; `{dev}` with `--dev`", code(opt.default)),
        };
        let value = match opt.form {
            Form::Switch => String::new(),
            form => format!(" {}", form.placeholder()),
        };
        let repeated = if opt.many { " May be repeated." } else { "" };
        let option = format!("`--{}{value}`", opt.name);
        let meaning = format!("{}.{repeated}", opt.help);
        let cells = [option, format!("`{}`", opt.env), default, meaning].map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.join(" | "))
    }

    /// `PETASOS_WRITE_DOCS=1 cargo test -p petasos-cli reference` writes the page anew.
    #[test]
    fn the_reference_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let expected = format!("{before}{BEGIN}\n{}\n{END}{after}", reference());
        if std::env::var_os("PETASOS_WRITE_DOCS").is_some() {
            std::fs::write(path, &expected).unwrap();
            return;
        }
        assert!(
            page == expected,
            "docs/reference/configuration.md is not what the table of options says; \
             write it anew by PETASOS_WRITE_DOCS=1 cargo test -p petasos-cli reference"
        );
    }

    const BEGIN: &str = "<!-- options -->";
    const END: &str = "<!-- end of options -->";
}
