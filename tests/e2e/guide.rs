//! The functions of the guide for those who write pages, in a browser, on the page's own origin.

use petasos_testkit::Browser;
use petasos_tests::{Bookshop, blocks};

/// Runs a script in which the guide's functions are known; what it leaves in `window.seen` is looked at later.
fn run(browser: &Browser, script: &str) {
    let functions = blocks("docs/how-to/subscribe-from-a-page.md", "js").unwrap().join("\n");
    browser
        .execute(&format!(
            "{functions}
             window.seen = [];
             const see = (document) => window.seen.push(document);
             window.failed = null;
             {script}"
        ))
        .unwrap();
}

/// Waits until an expression is true in the page, which shows nothing of it.
fn wait(browser: &Browser, expression: &str) {
    browser
        .execute(&format!(
            "const look = () => {{
               let holds = false;
               try {{ holds = Boolean({expression}); }} catch {{ holds = false; }}
               document.body.dataset.holds = holds;
               if (!holds) setTimeout(look, 20);
             }};
             look();"
        ))
        .unwrap();
    let held = browser.wait_until("document.body.dataset.holds === 'true'");
    let seen = browser.execute("return [window.failed, window.seen]").unwrap();
    assert!(held.is_ok(), "{expression}: {held:?} {seen}");
}

#[test]
fn what_the_guide_says_of_public_resources_works() {
    let shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(800, 600).unwrap();
    browser.goto(&shop.url).unwrap();
    run(&browser, "window.books = books; live().catch((error) => { window.failed = String(error); });");
    wait(&browser, "window.books.size === 12 && window.books.get('/books/1')");
    shop.sql("UPDATE book SET title = 'By the guide' WHERE id = 1").unwrap();
    shop.sql("INSERT INTO book (title, author) VALUES ('New', 'Nobody')").unwrap();
    shop.sql("DELETE FROM book WHERE id = 2").unwrap();
    wait(
        &browser,
        "window.books.get('/books/1').title === 'By the guide' && window.books.get('/books/13') && !window.books.has('/books/2')",
    );
}

#[test]
fn what_the_guide_says_of_private_resources_works() {
    let shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(800, 600).unwrap();
    browser.goto(&shop.url).unwrap();
    run(
        &browser,
        "orders({ 'Bookshop-Reader': 'ann' }, see).catch((error) => { window.failed = String(error); });",
    );
    wait(&browser, "window.seen.length > 0");
    shop.sql(
        "INSERT INTO orders (customer, book_id, status) VALUES ('bob', 1, 'for bob'), ('ann', 1, 'for ann')",
    )
    .unwrap();
    wait(&browser, "window.seen.some((order) => order.status === 'for ann')");
    assert_eq!(
        browser.execute("return window.seen.some((order) => order.customer === 'bob')").unwrap(),
        false
    );
}
