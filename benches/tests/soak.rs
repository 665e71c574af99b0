//! A short form of the soak run, bounded by counts: after clients of every kind have come and gone, nothing is left of them.

use std::process::Command;

#[test]
fn a_hub_under_churn_returns_to_where_it_was() {
    let run = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["--cycles", "24", "--clients", "100"])
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(said.lines().filter(|line| line.contains("| everyone has left |")).count(), 2, "{said}");
    assert!(said.ends_with("24 cycles, 2928 subscriptions\n"), "{said}");
}
