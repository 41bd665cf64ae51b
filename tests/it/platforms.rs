//! Which tests run where: all of them everywhere, but for those that say why not.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use crate::harness::{program, run};

/// The tests that there are, as the sources tell.
#[derive(Default)]
struct Tests {
    here: BTreeSet<String>,
    elsewhere: BTreeSet<String>,
}

#[test]
fn every_test_runs_here_unless_it_says_why_not() {
    let mut tests = Tests::default();
    tests.read("main", "", true);
    let exe = env::current_exe().expect("the tests are a program");
    let output = run(program(exe).args(["--list", "--format", "terse"]), "");
    let listed = output.stdout.lines().filter_map(|line| line.strip_suffix(": test"));
    let listed: BTreeSet<String> = listed.map(Into::into).collect();
    assert_eq!(listed, tests.here, "the first are those that run");
    let linux = cfg!(target_os = "linux");
    assert!(!linux || tests.elsewhere.is_empty(), "not on Linux: {:?}", tests.elsewhere);
    println!("{} tests run here; only elsewhere: {:#?}", listed.len(), tests.elsewhere);
}

impl Tests {
    /// Reads a file and those of its modules, whose tests begin with `path`. They run
    /// here only if it does.
    fn read(&mut self, file: &str, path: &str, runs_here: bool) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
        let text = fs::read_to_string(root.join(format!("{file}.rs"))).expect("it is there");
        let (mut runs, mut is_test, mut explained) = (runs_here, false, true);
        for line in text.lines() {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("#[cfg(") {
                let (condition, reason) = rest.split_once(")]").expect("it ends");
                runs &= holds(condition);
                explained &= reason.starts_with(" // ");
            } else if !line.starts_with("#[") {
                let name = |begin, end| Some(line.strip_prefix(begin)?.split_once(end)?.0);
                let (module, test) = (name("mod ", ";"), name("fn ", "(").filter(|_| is_test));
                assert!(explained || module.or(test).is_none(), "{file}.rs: why not {line}");
                if let Some(module) = module {
                    let below = format!("{path}{module}");
                    self.read(&below.replace("::", "/"), &format!("{below}::"), runs);
                }
                if let Some(test) = test {
                    let tests = if runs { &mut self.here } else { &mut self.elsewhere };
                    tests.insert(format!("{path}{test}"));
                }
                (runs, is_test, explained) = (runs_here, false, true);
            }
        }
    }
}

/// Whether this is a build for which a condition holds.
fn holds(condition: &str) -> bool {
    match condition {
        "unix" => cfg!(unix),
        "windows" => cfg!(windows),
        "target_os = \"linux\"" => cfg!(target_os = "linux"),
        "debug_assertions" => cfg!(debug_assertions),
        _ => panic!("when does {condition:?} hold?"),
    }
}
