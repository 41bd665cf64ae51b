//! Chromium, driven by the DevTools protocol over two pipes.
//!
//! The browser reads commands from descriptor 3 and writes answers to descriptor 4, as JSON
//! that ends in a NUL. It ends when the pipes close, so it never outlives its test.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::PATIENCE;

/// Set to 1, a missing browser is a failure.
const REQUIRED: &str = "MINICHAT_REQUIRE_BROWSER";

/// The arguments of the browser: no window, no sandbox (the tests may run as root), and
/// no connections of its own.
const FLAGS: [&str; 15] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--mute-audio",
    "--hide-scrollbars",
    "--password-store=basic",
    "--remote-debugging-pipe",
];

/// Whether there is a browser to test with. Says so if not.
pub fn is_there() -> bool {
    let there = Command::new("chromium").arg("--version").output().is_ok();
    if !there {
        let required = std::env::var_os(REQUIRED).is_some_and(|value| value == "1");
        assert!(!required, "there is no chromium");
        eprintln!("SKIP: there is no chromium");
    }
    there
}

/// A running browser.
pub struct Browser {
    process: Child,
    pipe: RefCell<Pipe>,
    profile: PathBuf,
}

struct Pipe {
    commands: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// The number of the last command.
    last: u64,
    /// Events that arrived while an answer was awaited.
    events: Vec<Value>,
}

/// A window of the browser.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub language: &'static str,
}

/// A telephone that is set to Portuguese.
pub const PHONE: Window = Window { width: 360, height: 740, dark: false, language: "pt-BR" };
/// A laptop that is set to English.
pub const LAPTOP: Window = Window { width: 1280, height: 800, dark: false, language: "en-US" };

impl Browser {
    pub fn start() -> Browser {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("minichat-{}-{count}", std::process::id()));
        // The shell moves its input and output to the descriptors that the browser uses.
        let mut process = Command::new("sh")
            .args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec chromium \"$@\"", "sh"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let mut answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            loop {
                let mut message = Vec::new();
                match answers.read_until(0, &mut message) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => message.pop(),
                };
                let message = serde_json::from_slice(&message).expect("the browser sends JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let commands = process.stdin.take();
        let pipe = RefCell::new(Pipe { commands, messages, last: 0, events: Vec::new() });
        Browser { process, pipe, profile }
    }

    /// Calls a method and returns its result.
    #[track_caller]
    fn try_call(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, Value> {
        let mut pipe = self.pipe.borrow_mut();
        pipe.last += 1;
        let id = pipe.last;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let commands = pipe.commands.as_mut().expect("the browser was not stopped");
        commands.write_all(format!("{command}\0").as_bytes()).expect("the browser reads");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = pipe.messages.recv_timeout(left);
            let mut message = message.unwrap_or_else(|err| panic!("{method}: {err}; {params}"));
            if message["id"] != id {
                pipe.events.push(message);
                continue;
            }
            return match message.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(message["result"].take()),
            };
        }
    }

    #[track_caller]
    fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.try_call(session, method, params).unwrap_or_else(|err| panic!("{method}: {err}"))
    }

    /// Opens a window with a storage of its own.
    #[track_caller]
    pub fn window(&self, window: Window) -> Page<'_> {
        let context = self.call(None, "Target.createBrowserContext", json!({}));
        let target = self.call(
            None,
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        );
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach);
        let session = session["sessionId"].as_str().expect("a session").to_string();
        let page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network", "Performance"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        let mobile = window.width < 800;
        page.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": window.width, "height": window.height, "mobile": mobile,
                "deviceScaleFactor": 1 }),
        );
        page.call("Emulation.setTouchEmulationEnabled", json!({ "enabled": mobile }));
        let scheme = if window.dark { "dark" } else { "light" };
        page.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        let locale = window.language.replace('-', "_");
        page.call("Emulation.setLocaleOverride", json!({ "locale": locale }));
        let agent = page.eval("navigator.userAgent");
        page.call(
            "Emulation.setUserAgentOverride",
            json!({ "userAgent": agent, "acceptLanguage": window.language }),
        );
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.pipe.get_mut().commands = None; // That ends it, in its own time.
        let deadline = Instant::now() + PATIENCE / 6;
        while Instant::now() < deadline {
            match self.process.try_wait() {
                Ok(None) => thread::yield_now(),
                _ => break,
            }
        }
        self.process.kill().ok(); // It may have ended.
        self.process.wait().ok();
        fs::remove_dir_all(&self.profile).ok(); // Another run uses another folder.
    }
}

/// One window and what it shows.
pub struct Page<'a> {
    browser: &'a Browser,
    session: String,
}

impl Page<'_> {
    #[track_caller]
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    #[track_caller]
    pub fn open(&self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(opened.get("errorText"), None, "{url}");
    }

    /// Closes the window.
    #[track_caller]
    pub fn close(self) {
        self.call("Page.close", json!({}));
    }

    /// How long the page has worked, without the time in which the processor did other things.
    #[track_caller]
    pub fn worked(&self) -> Duration {
        let all = self.call("Performance.getMetrics", json!({}));
        let all = all["metrics"].as_array().expect("a list of metrics");
        let time = all.iter().find(|metric| metric["name"] == "ThreadTime");
        Duration::from_secs_f64(time.expect("it is measured")["value"].as_f64().expect("seconds"))
    }

    /// The value of an expression; of a promise, what it becomes.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|err| panic!("{expression}: {err}"))
    }

    #[track_caller]
    fn try_eval(&self, expression: &str) -> Result<Value, Value> {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut result = self.browser.try_call(Some(&self.session), "Runtime.evaluate", params)?;
        match result.get("exceptionDetails") {
            Some(details) => Err(details.clone()),
            None => Ok(result["result"]["value"].take()),
        }
    }

    /// Waits until a condition holds. The page looks at it whenever it has time.
    #[track_caller]
    pub fn wait(&self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        let left = PATIENCE.as_millis() - 5000;
        let promise = format!(
            "new Promise(done => {{ const end = Date.now() + {left}; const look = () => {{ \
             let held; try {{ held = !!({condition}); }} catch (_) {{ held = false; }} \
             if (held || Date.now() > end) done(held); else setTimeout(look, 10); }}; look(); }})"
        );
        while Instant::now() < deadline {
            match self.try_eval(&promise) {
                Ok(held) if held == true => return,
                Ok(_) => break,
                Err(_) => thread::yield_now(), // Another page is being opened.
            }
        }
        let seen = self.try_eval("document.body.innerText").unwrap_or_default();
        panic!("{condition} does not come to hold; the page shows {seen}; {:?}", self.complaints());
    }

    /// Writes text where the cursor is, as an input method does.
    #[track_caller]
    pub fn write(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            key => panic!("no code for {key}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({ "type": kind, "key": key, "code": key,
                "windowsVirtualKeyCode": code });
            if key == "Enter" && kind == "keyDown" {
                params["text"] = "\r".into();
            }
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Clicks on the middle of an element.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let selector = json!(selector);
        // At rest, because what still moves is missed.
        self.wait(&format!(
            "document.querySelector({selector}) && !document.getAnimations().length"
        ));
        self.eval(&format!(
            "document.querySelector({selector}).scrollIntoView({{ block: 'nearest' }})"
        ));
        let at = self.eval(&format!(
            "(r => [r.x + r.width / 2, r.y + r.height / 2])\
             (document.querySelector({selector}).getBoundingClientRect())"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 }),
            );
        }
    }

    /// A picture of the window at rest, as PNG.
    #[track_caller]
    pub fn picture(&self, file: &Path) {
        use base64::Engine as _;
        self.wait("document.getAnimations().length === 0");
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let picture = picture["data"].as_str().expect("a picture");
        let picture = base64::prelude::BASE64_STANDARD.decode(picture).expect("it is base64");
        fs::write(file, picture).unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    }

    /// The complaints of the browser in this window: exceptions and refused resources.
    pub fn complaints(&self) -> Vec<String> {
        let pipe = self.browser.pipe.borrow();
        let own = pipe.events.iter().filter(|event| event["sessionId"] == *self.session);
        own.filter_map(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(event["params"].to_string()),
            Some("Log.entryAdded") => event["params"]["entry"]["text"].as_str().map(String::from),
            _ => None,
        })
        .collect()
    }

    /// Joins the room on the page that is open.
    #[track_caller]
    pub fn join(&self, nick: &str) {
        self.wait("!document.getElementById('door').hidden");
        self.eval(
            "document.getElementById('nick').value = '';\
            document.getElementById('nick').focus()",
        );
        self.write(nick);
        self.press("Enter");
    }

    #[track_caller]
    pub fn is_in(&self) {
        self.wait("!document.getElementById('room').hidden");
    }

    /// Says something.
    #[track_caller]
    pub fn says(&self, text: &str) {
        self.eval("document.getElementById('text').focus()");
        self.write(text);
        self.press("Enter");
    }

    /// Waits until a message or a notice with this text is shown.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.wait(&format!("{TEXTS}.some(t => t.includes({}))", json!(text)));
    }

    /// The texts of all messages and notices.
    #[track_caller]
    pub fn texts(&self) -> Vec<String> {
        serde_json::from_value(self.eval(TEXTS)).expect("a list of texts")
    }
}

/// The texts of all messages and notices, as an expression.
pub const TEXTS: &str =
    "Array.from(document.querySelectorAll('#log > *')).map(row => row.textContent)";
