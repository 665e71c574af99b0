//! The tutorial, followed to the letter: from `cargo new` to a live page, on three databases' worth of steps.

use std::path::Path;

use petasos_testkit::{Browser, Postgres};
use petasos_tests::Reader;

fn shows(text: &str) -> String {
    format!("document.body.innerText.includes({text:?})")
}

/// Keeps what the page looks like, if somebody wants to see it: `PETASOS_SCREENSHOTS` names the folder.
fn picture(window: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("PETASOS_SCREENSHOTS") {
        std::fs::write(Path::new(&folder).join(name), window.screenshot().unwrap()).unwrap();
    }
}

#[test]
fn what_the_tutorial_says_is_so() {
    let server = Postgres::shared().database().unwrap();
    let replace = [("postgres://me:secret@localhost/shop", server.as_str())];
    let mut reader = Reader::of("docs/live-resources.md", &replace).unwrap();
    for section in ["1.", "2.", "3.", "4.", "5."] {
        reader.follow(section).unwrap();
    }
    for text in ["Book 1 Dune", "The Left Hand of Darkness"] {
        let both = text.replace("Book 1 ", "");
        reader.windows[0].wait_until(&shows(&both)).unwrap();
    }
    picture(&reader.windows[0], "tutorial-page.png");

    reader.follow("6.").unwrap();
    reader.follow("7.").unwrap();
    let [ann, bob] = &reader.windows[..] else { panic!("two windows") };
    for (window, own, others) in [(ann, "ann, sent", "bob, sent"), (bob, "bob, sent", "ann, sent")] {
        window.wait_until(&shows(own)).unwrap();
        assert_eq!(window.execute(&format!("return {}", shows(others))).unwrap(), false, "{own}");
        assert_eq!(window.errors().unwrap(), Vec::<String>::new());
    }
    bob.wait_until(&shows("Two orders today")).unwrap();
    assert_eq!(ann.execute(&format!("return {}", shows("Two orders today"))).unwrap(), false);
    picture(ann, "tutorial-ann.png");
    picture(bob, "tutorial-bob.png");

    reader.follow("8.").unwrap();
    reader.shell("sqlite3 data/shop.db \"UPDATE book SET title = 'The last' WHERE id = 2\"").unwrap();
    let between = reader.hear("data: ...The last...").unwrap();
    assert!(!between.iter().any(|line| line.contains("/orders/")), "{between:?}");

    reader.follow("9.").unwrap();
    reader.windows[0].wait_until(&shows("Volume 9")).unwrap();
    reader.follow("10.").unwrap();
    reader.windows[0].wait_until(&shows("Dune, on another hub")).unwrap();
    reader.follow("11.").unwrap();
    reader.follow("12.").unwrap();
}
