//! The page in Chromium: it follows what happens elsewhere, in ten tabs at once.

use petasos_testkit::{Browser, http};
use petasos_tests::Bookshop;

const LIVE: &str =
    "document.querySelector('#status').dataset.state === 'open' && document.querySelector('.card')";
const PATCH: [(&str, &str); 1] = [("content-type", "application/merge-patch+json")];

fn shows(text: &str) -> String {
    format!("[...document.querySelectorAll('.card')].some((card) => card.innerText.includes({text:?}))")
}

#[test]
fn the_page_follows_http_and_sql_without_a_reload() {
    let shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(1280, 900).unwrap();
    browser.goto(&shop.url).unwrap();
    browser.wait_until(LIVE).unwrap();
    browser.execute("window.sameDocument = true").unwrap();

    let url = format!("{}/books/1", shop.url);
    http::request("PATCH", &url, &PATCH, "{\"title\":\"Changed over HTTP\"}").unwrap();
    browser.wait_until(&shows("Changed over HTTP")).unwrap();
    shop.sql("UPDATE book SET title = 'Changed by SQL' WHERE id = 1").unwrap();
    browser.wait_until(&shows("Changed by SQL")).unwrap();
    shop.sql("INSERT INTO book (title, author) VALUES ('Born in SQL', 'Nobody')").unwrap();
    browser.wait_until(&shows("Born in SQL")).unwrap();
    shop.sql("DELETE FROM book WHERE title = 'Born in SQL'").unwrap();
    browser.wait_until(&format!("!{}", shows("Born in SQL"))).unwrap();

    assert_eq!(browser.execute("return window.sameDocument").unwrap(), true);
    let errors = browser.execute("return performance.getEntriesByType('navigation').length").unwrap();
    assert_eq!(errors, 1, "the page was loaded once");
}

#[test]
fn ten_tabs_are_live_at_once() {
    let shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(1000, 700).unwrap();
    let mut tabs = Vec::new();
    for _ in 0..10 {
        tabs.push(browser.new_tab().unwrap());
        browser.goto(&shop.url).unwrap();
        browser.wait_until(LIVE).unwrap();
    }
    shop.sql("UPDATE book SET title = 'Everywhere at once' WHERE id = 2").unwrap();
    for tab in &tabs {
        browser.switch_to(tab).unwrap();
        browser.wait_until(&shows("Everywhere at once")).unwrap();
    }
}

#[test]
fn the_page_fits_a_phone_and_notices_that_the_shop_is_gone() {
    let mut shop = Bookshop::open(&[]).unwrap();
    let browser = Browser::start(500, 800).unwrap();
    browser.goto(&shop.url).unwrap();
    browser.wait_until(LIVE).unwrap();
    let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.execute(overflow).unwrap(), 0);
    shop.process.kill().unwrap();
    browser
        .wait_until("['reconnecting', 'offline'].includes(document.querySelector('#status').dataset.state)")
        .unwrap();
}
