//! What shells are told of the command.

use std::process::{Command, Stdio};

use crate::support::output;

#[test]
fn every_shell_is_told_of_every_command_and_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = output(&["completions", shell]);
        assert!(output.status.success(), "{output:?}");
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["subscribe", "public-url", "last-event-id", "admin-listen"] {
            assert!(script.contains(word), "{shell} is not told of {word}");
        }
    }
    assert_eq!(output(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn bash_takes_its_script_and_completes_with_it() {
    let script = String::from_utf8(output(&["completions", "bash"]).stdout).unwrap();
    let ask = "\nCOMP_WORDS=(petasos hub --max-bo) COMP_CWORD=2\n_petasos petasos --max-bo hub; echo \"${COMPREPLY[@]}\"\n";
    let mut bash = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), format!("{script}{ask}").as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "--max-body", "{:?}", output.stderr);
}
