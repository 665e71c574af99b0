//! A real browser: headless Chromium, driven over the WebDriver protocol.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, http};

/// A browser with one session; closed when dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser whose window has this size, in CSS pixels.
    ///
    /// # Errors
    /// If Chromium or its driver is missing or does not start.
    pub fn start(width: u32, height: u32) -> anyhow::Result<Self> {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver is needed; `cargo xtask test` installs it")?;
        let mut lines =
            BufReader::new(driver.stdout.take().context("no pipe")?).lines().map_while(Result::ok);
        // It chooses a free port itself, so that nobody else can take it first.
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // A driver that cannot write any more would end.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir()?;
        let mut browser = Self { driver, session: String::new(), _profile: profile };
        let base = format!("http://127.0.0.1:{}/session", port.context("chromedriver did not start")?);
        browser.session.clone_from(&base);
        let wish = capabilities(browser._profile.path(), width, height);
        let session = browser.command("POST", "", &wish).context("Chromium does not start")?;
        let id = session["sessionId"].as_str().context("the driver gave no session")?;
        browser.session = format!("{base}/{id}");
        Ok(browser)
    }

    /// Opens a page in the current tab.
    ///
    /// # Errors
    /// If the page cannot be loaded.
    pub fn goto(&self, url: &str) -> anyhow::Result<()> {
        self.command("POST", "/url", &json!({"url": url})).map(drop)
    }

    /// Opens another tab and makes it the current one; its handle.
    ///
    /// # Errors
    /// If the browser opens none.
    pub fn new_tab(&self) -> anyhow::Result<String> {
        let tab = self.command("POST", "/window/new", &json!({"type": "tab"}))?;
        let handle = tab["handle"].as_str().context("the driver gave no handle")?.to_owned();
        self.switch_to(&handle)?;
        Ok(handle)
    }

    /// Makes a tab the current one.
    ///
    /// # Errors
    /// If there is no such tab.
    pub fn switch_to(&self, handle: &str) -> anyhow::Result<()> {
        self.command("POST", "/window", &json!({"handle": handle})).map(drop)
    }

    /// Runs a script in the page; what it returns.
    ///
    /// # Errors
    /// If the script throws.
    pub fn execute(&self, script: &str) -> anyhow::Result<Value> {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression is true in the page; it is looked at after each change of the document.
    ///
    /// # Errors
    /// If it is not true within a minute; the message shows the text of the page.
    pub fn wait_until(&self, expression: &str) -> anyhow::Result<()> {
        let script = format!(
            "const done = arguments[0];
             const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
             if (holds()) {{ done(true); return; }}
             const end = (value) => {{ observer.disconnect(); clearTimeout(timer); done(value); }};
             const observer = new MutationObserver(() => {{ if (holds()) end(true); }});
             observer.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
             const timer = setTimeout(() => end(holds()), 5000);"
        );
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.command("POST", "/execute/async", &json!({"script": script, "args": []})) {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(_) => {}
                // A page that is left takes its script with it; the one that comes is asked anew.
                Err(error) if was_left(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let text = self.execute("return document.body.innerText")?;
        bail!("never became true in the page: {expression}\n{}", text.as_str().unwrap_or_default())
    }

    /// Makes the page as large as this screen, smaller than any window may be too, light or dark, and
    /// lets nothing move.
    ///
    /// # Errors
    /// If the browser does not take it.
    pub fn emulate(&self, width: u32, height: u32, dark: bool) -> anyhow::Result<()> {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen)?;
        let scheme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        let motion = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": [scheme, motion]}))
    }

    /// What the page looks like, as a PNG.
    ///
    /// # Errors
    /// If the browser gives none.
    pub fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let image = self.command("GET", "/screenshot", &json!({}))?;
        decode_base64(image.as_str().context("the driver gave no image")?).context("the image is not base64")
    }

    /// The errors that the page's console has told since this was asked last, violations of its policy among them.
    ///
    /// # Errors
    /// If the browser does not say.
    pub fn errors(&self) -> anyhow::Result<Vec<String>> {
        let entries = self.command("POST", "/se/log", &json!({"type": "browser"}))?;
        let entries = entries.as_array().context("the driver gave no log")?;
        let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        Ok(severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    fn devtools(&self, command: &str, parameters: &Value) -> anyhow::Result<()> {
        self.command("POST", "/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).map(drop)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.session);
        let headers = [("content-type", "application/json; charset=utf-8")];
        let response = http::request(method, &url, &headers, &body.to_string())?;
        let mut answer: Value = serde_json::from_str(&response.body)?;
        let value = answer["value"].take();
        if response.head.status != 200 {
            bail!("{method} {path}: {}", value["message"].as_str().unwrap_or_default());
        }
        Ok(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Err(error) = self.command("DELETE", "", &json!({})) {
            eprintln!("the browser did not close: {error:#}");
        }
        if let Err(error) = self.driver.kill().and_then(|()| self.driver.wait().map(drop)) {
            eprintln!("the driver could not be stopped: {error}");
        }
    }
}

fn capabilities(profile: &Path, width: u32, height: u32) -> Value {
    let mut args: Vec<String> = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    .map(str::to_owned)
    .into();
    args.push(format!("--window-size={width},{height}"));
    args.push(format!("--user-data-dir={}", profile.display()));
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": args},
        "goog:loggingPrefs": {"browser": "ALL"},
        "timeouts": {"script": 10000},
    }}})
}

/// Whether a script has no answer because its page was left meanwhile.
fn was_left(error: &anyhow::Error) -> bool {
    let message = format!("{error:#}");
    ["script timeout", "unloaded", "navigat"].iter().any(|part| message.contains(part))
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for digit in digits {
        let value = BASE64.iter().position(|other| *other == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\nYmFy", "foobar")]
        {
            assert_eq!(decode_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode_base64("_"), None);
    }

    #[test]
    fn a_page_is_opened_and_watched() {
        let browser = Browser::start(800, 600).unwrap();
        browser.goto("data:text/html,<p id=p>before</p>").unwrap();
        browser
            .execute("setTimeout(() => { document.getElementById('p').textContent = 'after'; }, 50)")
            .unwrap();
        browser.wait_until("document.getElementById('p').textContent === 'after'").unwrap();
        assert_eq!(browser.execute("return window.innerWidth").unwrap(), 800);
        browser.emulate(360, 640, true).unwrap();
        assert_eq!(browser.execute("return window.innerWidth").unwrap(), 360);
        let dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
        assert_eq!(browser.execute(dark).unwrap(), true);
        assert!(browser.screenshot().unwrap().starts_with(b"\x89PNG"));
        browser.execute("console.error('oh no')").unwrap();
        assert!(browser.errors().unwrap()[0].contains("oh no"));
    }
}
