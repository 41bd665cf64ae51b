//! `docs/bots.md` describes every JSON object, and nothing else is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;

use serde_json::Value;

use crate::harness::{GREETING, StandIn, connect, run};

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
