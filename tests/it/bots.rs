//! `docs/bots.md` describes every JSON object, and nothing else is printed. The three bots
//! that it names do what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
#[cfg(unix)]
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{GREETING, StandIn, connect, run};
#[cfg(unix)]
use crate::harness::{PATIENCE, Running, Server, program, state_home};
#[cfg(unix)]
use crate::shells::{scratch, tool};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bots.md");
    fs::read_to_string(path).expect("the page can be read")
}

/// The words between backquotes in one cell of a table.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// The types, and the fields that each has beside the time and the type.
fn described() -> BTreeMap<String, BTreeSet<String>> {
    let page = page();
    let (_, table) = page.split_once("| type | fields | when |\n|---|---|---|\n").expect("a table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        (words(cells[1]).remove(0), words(cells[2]).into_iter().collect())
    };
    rows.map(row).collect()
}

/// The fields of a server, and the type of each.
pub fn described_server() -> BTreeMap<String, String> {
    let page = page();
    let (_, page) = page.split_once("## Servers of `discover`\n").expect("a section");
    let page = page.split("\n## ").next().expect("it has a beginning");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (words(cells[1]).remove(0), cells[2].to_string())
    };
    rows.map(row).collect()
}

/// Whether a value is of the type that the page names.
pub fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "string or null" => value.is_string() || value.is_null(),
        "number or null" => value.is_number() || value.is_null(),
        "true or false" => value.is_boolean(),
        "array of strings" => {
            value.as_array().is_some_and(|values| values.iter().all(Value::is_string))
        }
        _ => panic!("nobody has described a {name:?} so far"),
    }
}

const INPUT: &str = "oi\n@ana psst\nWHO\n@x y\nNICK robo\n/last 1\n";

#[test]
fn every_json_line_is_as_the_page_describes_it() {
    let stand_in = StandIn::open();
    let mut command = connect(stand_in.address, &["-n", "bot", "--json"]);
    let script = thread::spawn(move || run(&mut command, INPUT));
    let mut peer = stand_in.caller();
    peer.says(GREETING);
    peer.reads("NICK bot");
    peer.sends("Capabilities: history\nOK welcome bot\nFROM server [dm]: olá\nHistory: 1\n");
    peer.sends("FROM ana [all]: a\x1b[2J\n");
    peer.sends("User ana joined.\nUser rui left the chat.\nFROM ana [dm]: psst\nwhat?\n");
    for line in ["MSG oi", "WHO", "MSG @ana psst", "WHO", "MSG @x y", "NICK robo", "LAST 1"] {
        peer.reads(line);
    }
    peer.sends("FROM bot [all]: oi\nConnected users: ana, bot\nConnected users: ana, bot\n");
    peer.sends("ERR user_not_found\nERR no such thing\nOK welcome robo\nConnected users:\n");
    peer.sends("Past: 7 1764340012 FROM ana [all]: cedo\nFound: 1 of more\n");
    peer.reads("QUIT");
    peer.says("BYE");
    let output = script.join().expect("it runs to its end");

    let described = described();
    let mut seen = BTreeSet::new();
    for line in output.stdout.lines() {
        let object: Value = serde_json::from_str(line).expect("one object");
        let object = object.as_object().expect("one object");
        let kind = object["type"].as_str().expect("a word");
        let fields = described.get(kind).unwrap_or_else(|| panic!("{kind} is not described"));
        let always = ["time", "type"].map(String::from);
        let expected: BTreeSet<&String> = fields.iter().chain(&always).collect();
        assert_eq!(object.keys().collect::<BTreeSet<_>>(), expected, "{line}");
        for (field, value) in object {
            match &**field {
                "nicks" => {
                    let nicks = value.as_array().expect("a list");
                    assert!(nicks.iter().all(Value::is_string), "{line}");
                    let nicks: Vec<&str> = nicks.iter().filter_map(Value::as_str).collect();
                    assert_eq!(Some(&*nicks.join(", ")), object["text"].as_str());
                }
                "time" => {
                    let time = value.as_str().expect("a string");
                    chrono::DateTime::parse_from_rfc3339(time).expect("a time");
                }
                "past" => assert_eq!(value, true, "{line}"),
                "number" => assert_eq!(value, 7, "{line}"),
                _ => assert!(value.is_string(), "{line}"),
            }
        }
        seen.insert(kind.to_string());
    }
    // A test of its own loses a connection.
    seen.extend(["lost", "back"].map(String::from));
    assert_eq!(seen, described.into_keys().collect(), "{}", output.stdout);
    let private = r#""type":"private","from":"bot","to":"ana","text":"psst""#;
    assert!(output.stdout.contains(private), "{}", output.stdout);
}

/// One of the bots of the page, with `minichat` in its path, for the room of a server.
#[cfg(unix)] // Elsewhere there is no `sh`, and Python has other names.
fn bot(server: &Server, script: &str) -> std::process::Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let minichat = Path::new(env!("CARGO_BIN_EXE_minichat"));
    let folder = minichat.parent().expect("it is in a folder");
    let mut command = program(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(script));
    command.env("PATH", format!("{}:{path}", folder.display()));
    command.env("ROOM", server.address.to_string()).envs(state_home());
    command
}

#[test]
#[cfg(unix)] // As above.
fn notifier_tells_the_room_how_a_command_ended() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let output = run(bot(&server, "notifier.sh").args(["true", "Sala 3"]), "");
    assert_eq!((output.status, &*output.stderr), (Some(0), ""));
    ana.skips_to("FROM notifier [all]: true Sala 3: went well");
    let output = run(bot(&server, "notifier.sh").args(["sh", "-c", "exit 7"]), "");
    assert_eq!((output.status, &*output.stderr), (Some(7), ""));
    ana.skips_to("FROM notifier [all]: sh -c exit 7: ended with status 7");
}

#[test]
#[cfg(unix)] // As above.
fn logger_goes_on_where_it_was_stopped() {
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    let folder = scratch("logger");
    fs::create_dir_all(&folder).expect("it can be made");
    let log = folder.join("talk.jsonl");
    let talk = || -> Vec<String> {
        let lines = fs::read_to_string(&log).unwrap_or_default();
        let events = lines.lines().map(|line| serde_json::from_str(line).expect("one object"));
        let said = events.filter(|event: &Value| event.get("text").is_some_and(is_said));
        said.map(|event: Value| event["text"].as_str().expect("a text").to_string()).collect()
    };
    fn is_said(text: &Value) -> bool {
        text.as_str().is_some_and(|text| text.starts_with("line "))
    }
    for run in 0..2 {
        let mut logger = Running::start(bot(&server, "logger.sh").arg(&folder));
        ana.skips_to("User logger joined.");
        ana.says(format_args!("MSG line {run}"));
        let deadline = Instant::now() + PATIENCE;
        while talk().len() < 2 * run + 1 {
            assert!(Instant::now() < deadline, "{:?}", talk());
            thread::sleep(Duration::from_millis(10));
        }
        logger.signal("TERM");
        logger.wait();
        ana.skips_to("User logger left the chat.");
        ana.says(format_args!("MSG line {run} while it was away"));
    }
    let expected = ["line 0", "line 0 while it was away", "line 1"];
    assert_eq!(talk(), expected);
    fs::remove_dir_all(&folder).expect("it can be removed");
}

#[test]
#[cfg(unix)] // As above.
fn answering_bot_answers_to_all_and_in_private() {
    if tool("python3").is_none() {
        return;
    }
    let server = Server::start(&[]);
    let mut ana = server.member("ana");
    ana.says("MSG !time");
    ana.skips_to("FROM ana [all]: !time");
    let mut answerer = Running::start(&mut bot(&server, "answerer.py"));
    ana.skips_to("User answerer joined.");
    ana.says("MSG @answerer !time");
    assert!(ana.line().starts_with("FROM answerer [dm]: it is "));
    ana.says("MSG !time");
    ana.reads("FROM ana [all]: !time");
    assert!(ana.line().starts_with("FROM answerer [all]: it is "));
    drop(server);
    drop(ana);
    answerer.signal("TERM");
    answerer.wait();
}
