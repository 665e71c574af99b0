//! `petasos completions`: tells a shell how to complete commands and options.

use std::io::{self, Write};

use clap_complete::Shell;

/// Print the script that completes commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  petasos completions bash > /etc/bash_completion.d/petasos
  petasos completions zsh > \"${fpath[1]}/_petasos\"
  petasos completions fish > ~/.config/fish/completions/petasos.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script of `command` on standard output.
pub(crate) fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<()> {
    let name = command.get_name().to_owned();
    // Written by us and not by the generator, which panics when the reader has enough.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
