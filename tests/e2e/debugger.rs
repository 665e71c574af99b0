//! The debugger of the hub in Chromium: subscribe, publish, and see what the hub does and answers.

use std::path::Path;

use petasos_testkit::{Browser, Process, http};

const SECRET: &str = "a secret of the debugger's hub, long enough";

/// A hub of one's own.
struct Hub {
    _process: Process,
    url: String,
    page: String,
}

impl Hub {
    fn start(args: &[&str]) -> Self {
        let all =
            [&["hub", "--listen", "127.0.0.1:0", "--admin-listen", "off", "--transport", "memory:"], args]
                .concat();
        let variables = [("MERCURE_PUBLISHER_JWT_KEY", SECRET)];
        let mut process = Process::start("petasos", &all, &variables, &std::env::temp_dir()).unwrap();
        let (url, page) = (process.url("hub").unwrap(), process.url("page").unwrap());
        Self { _process: process, url, page }
    }
}

/// A browser on the page, once the page has done what it does by itself.
fn open(hub: &Hub) -> Browser {
    let browser = Browser::start(1440, 1000).unwrap();
    browser.goto(&hub.page).unwrap();
    browser.wait_until("document.querySelector('#token-says').textContent !== ''").unwrap();
    browser
}

/// Fills a field as a person does.
fn fill(browser: &Browser, selector: &str, value: &str) {
    let script = format!(
        "const field = document.querySelector({selector:?}); field.value = {value:?};
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); field.dispatchEvent(new Event('change', {{ bubbles: true }}));"
    );
    browser.execute(&script).unwrap();
}

fn click(browser: &Browser, selector: &str) {
    browser.execute(&format!("document.querySelector({selector:?}).click()")).unwrap();
}

fn status(state: &str) -> String {
    format!("document.querySelector('#status').dataset.state === {state:?}")
}

fn shows(selector: &str, text: &str) -> String {
    format!("[...document.querySelectorAll({selector:?})].some((one) => one.textContent.includes({text:?}))")
}

/// Keeps what the page looks like, if somebody wants to see it: `PETASOS_SCREENSHOTS` names the folder.
fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("PETASOS_SCREENSHOTS") {
        std::fs::write(Path::new(&folder).join(name), browser.screenshot().unwrap()).unwrap();
    }
}

#[test]
fn the_debugger_subscribes_with_several_matchers_publishes_and_shows_what_comes() {
    let hub = Hub::start(&["--dev"]);
    let browser = open(&hub);
    assert_eq!(browser.execute("return document.querySelector('#dev-banner').hidden").unwrap(), false);
    browser.emulate(1440, 1000, false).unwrap();
    picture(&browser, "debugger-empty.png");
    fill(&browser, "#matchers input", "https://example.com/books/1");
    click(&browser, "#add-matcher");
    fill(&browser, "#matchers li:last-child select", "urlpattern");
    fill(&browser, "#matchers li:last-child input", "https://example.com/users/:id");
    click(&browser, "#subscribe-button");
    browser.wait_until(&status("live")).unwrap();
    browser.wait_until(&shows(".subscription", "https://example.com/books/1")).unwrap();
    browser.wait_until(&shows(".subscription", "https://example.com/users/:id")).unwrap();
    browser.wait_until(&shows(".answers dd", "text/event-stream")).unwrap();

    // An alternate topic that the pattern selects, private, with an id, a type and a time to reconnect.
    fill(&browser, "#topics input", "https://example.com/elsewhere");
    click(&browser, "#add-topic");
    fill(&browser, "#topics li:last-child input", "https://example.com/users/7");
    fill(&browser, "#data", "{\"title\": \"First\", \"pages\": 320}");
    fill(&browser, "#id", "urn:test:1");
    fill(&browser, "#type", "book");
    fill(&browser, "#retry", "1500");
    click(&browser, "#private");
    click(&browser, "#publish button[type=submit]");
    browser.wait_until(&shows("#publish-message", "urn:test:1")).unwrap();
    browser.wait_until(&shows(".event", "urn:test:1")).unwrap();
    browser.wait_until(&shows(".event .badge", "book")).unwrap();
    browser.wait_until(&shows(".event .json-name", "\"pages\"")).unwrap();

    // From outside, and by the keyboard.
    let token = browser.execute("return document.querySelector('#token').value").unwrap();
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = "topic=https://example.com/books/1&data=plain+text&id=urn:test:2";
    assert_eq!(http::request("POST", &hub.url, &headers, body).unwrap().head.status, 200);
    browser.wait_until(&shows(".event pre", "plain text")).unwrap();
    fill(&browser, "#id", "urn:test:3");
    let keys = "new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true })";
    browser.execute(&format!("document.querySelector('#data').dispatchEvent({keys})")).unwrap();
    browser.wait_until(&shows(".event", "urn:test:3")).unwrap();
    let order = "return [...document.querySelectorAll('.event-id')].map((id) => id.textContent).join(' ')";
    assert_eq!(browser.execute(order).unwrap(), "urn:test:3 urn:test:2 urn:test:1");
    browser.execute("scrollTo(0, 0)").unwrap();
    picture(&browser, "debugger.png");

    click(&browser, "#stop-button");
    browser.wait_until(&status("idle")).unwrap();
    browser.wait_until(&format!("!{}", shows(".subscription", "https://example.com/books/1"))).unwrap();
    assert_eq!(browser.errors().unwrap(), [""; 0]);
}

#[test]
fn the_debugger_replays_from_an_event_and_shows_the_headers_of_the_answer() {
    let hub = Hub::start(&["--dev"]);
    let browser = open(&hub);
    for id in ["urn:test:1", "urn:test:2"] {
        fill(&browser, "#id", id);
        click(&browser, "#publish button[type=submit]");
        browser.wait_until(&shows("#publish-message", id)).unwrap();
    }
    fill(&browser, "#matchers input", "https://example.com/books/1");
    fill(&browser, "#cursor", "urn:test:1");
    click(&browser, "#subscribe-button");
    browser.wait_until(&shows(".event", "urn:test:2")).unwrap();
    browser.wait_until(&shows(".answers li:first-child dt", "mercure-last-event-id")).unwrap();
    browser.wait_until(&shows(".answers li:first-child dd", "urn:test:1")).unwrap();
    browser.wait_until(&shows(".answers dd", "rel=\"mercure\"")).unwrap();
    assert_eq!(browser.execute("return document.querySelectorAll('.event').length").unwrap(), 1);
    click(&browser, "#clear-events");
    assert_eq!(browser.execute("return document.querySelectorAll('.event').length").unwrap(), 0);
    // A shared address brings the matchers with it, and never the token.
    let hash = browser.execute("return location.hash").unwrap();
    assert_eq!(hash, "#match_exact=https%3A%2F%2Fexample.com%2Fbooks%2F1");
}

#[test]
fn the_debugger_says_why_the_hub_refuses() {
    let hub = Hub::start(&["--debugger"]);
    let browser = open(&hub);
    assert_eq!(browser.execute("return document.querySelector('#dev-banner').hidden").unwrap(), true);
    assert_eq!(browser.execute("return document.querySelector('#token').value").unwrap(), "");
    click(&browser, "#subscribe-button");
    browser.wait_until(&status("refused")).unwrap();
    browser.wait_until(&shows("#subscribe-message", "access token")).unwrap();
    browser.wait_until(&shows(".answers dt", "www-authenticate")).unwrap();
    fill(&browser, "#topics input", "*");
    click(&browser, "#publish button[type=submit]");
    browser.wait_until("document.querySelector('#publish-message').dataset.wrong === 'true'").unwrap();
    fill(&browser, "#token", "nonsense");
    browser.wait_until(&shows("#token-says", "not a JSON Web Token")).unwrap();
}

#[test]
fn the_debugger_fits_a_phone_in_light_and_dark_and_every_control_has_a_name() {
    let hub = Hub::start(&["--dev"]);
    let browser = open(&hub);
    click(&browser, "#subscribe-button");
    browser.wait_until(&status("live")).unwrap();
    click(&browser, "#publish button[type=submit]");
    browser.wait_until(&shows(".event", "Hello from the debugger")).unwrap();
    let overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    for (width, height, dark, name) in [
        (1440, 1000, true, "debugger-dark.png"),
        (1000, 1400, false, "debugger-tablet.png"),
        (390, 2600, false, "debugger-phone.png"),
        (390, 2600, true, "debugger-phone-dark.png"),
        (360, 2600, false, "debugger-small.png"),
    ] {
        browser.emulate(width, height, dark).unwrap();
        assert_eq!(browser.execute(overflow).unwrap(), 0, "{name}");
        picture(&browser, name);
    }
    let nameless = "
        const name = (one) => one.ariaLabel || one.labels?.[0]?.textContent.trim() || one.textContent.trim();
        return [...document.querySelectorAll('button, input, select, textarea')].filter((one) => !name(one)).map((one) => one.outerHTML);";
    assert_eq!(browser.execute(nameless).unwrap(), serde_json::json!([]));
    assert_eq!(browser.errors().unwrap(), [""; 0]);
}
