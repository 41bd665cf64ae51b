//! Shells that complete, without a terminal and without their owner's habits.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Output, run};

/// Set to 1, a tool that is not installed is a failure.
const REQUIRED: &str = "MINICHAT_REQUIRE_TOOLS";

/// A tool, in the project's folder, if it is installed. Otherwise that is said, and
/// a test that needs it can do nothing.
#[track_caller]
pub fn tool(name: &str) -> Option<Command> {
    if is_installed(name) {
        let mut command = Command::new(name);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("LC_ALL", "C.UTF-8");
        command.env_remove("COLUMNS");
        return Some(command);
    }
    assert!(env::var_os(REQUIRED).is_none_or(|value| value != "1"), "{name} is not installed");
    eprintln!("SKIP: {name} is not installed");
    None
}

/// Whether there is a tool of this name.
pub fn is_installed(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// A file or folder of this name for a test alone, which is not there yet.
pub fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).ok(); // Of another time.
    path
}

/// The words that TAB offers at the end of a command line.
#[derive(Debug)]
pub struct Tab {
    /// All that is offered, as the shell would put it into the line, with blanks
    /// between.
    pub words: String,
    /// The same one by one, and what is told about each where a shell shows that.
    pub offers: Vec<(String, String)>,
}

impl Tab {
    /// From a line for each offer, with its help behind a tab.
    fn of(lines: &str) -> Tab {
        let lines = lines.lines().filter(|line| !line.is_empty());
        let rows = lines.map(|line| line.split_once('\t').unwrap_or((line, "")));
        let offers: Vec<_> = rows.map(|(word, help)| (word.into(), help.into())).collect();
        let words: Vec<&str> = offers.iter().map(|(word, _): &(String, _)| &**word).collect();
        Tab { words: words.join(" "), offers }
    }

    /// The names of what is offered, in their order.
    pub fn names(&self) -> BTreeSet<&str> {
        self.offers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Runs a tool that must have nothing to complain of.
#[track_caller]
pub fn told(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = run(command, "");
    assert_eq!((status, &*stderr), (Some(0), ""), "{command:?}: {stdout}");
    stdout
}

/// Lets a shell complete `minichat LINE`, and ask this program what else there is.
/// None if there is no such shell.
#[track_caller]
pub fn complete(shell: &str, line: &str, program: &Path) -> Option<Tab> {
    let mut command = tool(shell)?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folder = program.parent().map(PathBuf::from);
    let path = env::join_paths(folder.into_iter().chain(env::split_paths(&path)));
    command.env("PATH", path.expect("folders have no colon"));
    Some(match shell {
        "bash" => bash(&mut command, line),
        "fish" => fish(&mut command, line),
        "zsh" => zsh(&mut command, line),
        _ => unreachable!("{shell} is no shell that we drive"),
    })
}

#[track_caller]
fn bash(command: &mut Command, line: &str) -> Tab {
    let script = "
        source completions/minichat.bash
        compopt() { echo \"compopt $*\"; }
        COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))
        _minichat
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    command.args(["--norc", "--noprofile", "-c", script, "bash", "minichat"]);
    Tab::of(&told(command.args(line.split(' '))))
}

#[track_caller]
fn fish(command: &mut Command, line: &str) -> Tab {
    let script = "source completions/minichat.fish; complete --escape -C $argv[1]";
    Tab::of(&told(command.args(["--no-config", "-c", script, &format!("minichat {line}")])))
}

/// An interactive zsh on a terminal of zsh's own making, which puts all that it
/// offers into the line.
#[track_caller]
fn zsh(command: &mut Command, line: &str) -> Tab {
    let outside = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "source $1"
        zpty -w -n shell "minichat $2"$'\t\C-x\C-t'
        while zpty -r shell row; do [[ $row == *THE-END* ]] && break; done
        zpty -d shell"#;
    let inside = r#"
        PROMPT='' KEYTIMEOUT=1
        unsetopt zle_bracketed_paste beep
        setopt extended_glob
        fpath=($PWD/completions $fpath)
        autoload -Uz compinit && compinit -C -d ${TAB:h}/zsh-completions
        insert-all() { compstate[insert]=all }
        compadd() {
            if [[ ${@[1,(i)(-|--)]} != *-[a-zA-Z]#[OAD]* ]]; then
                local -a offers
                builtin compadd -A offers "$@"
                print -rl -- $offers >> $TAB
                comppostfuncs=(insert-all)
            fi
            builtin compadd "$@"
        }
        show() { print -r -- "minichat$BUFFER" >> $TAB; print -r -- THE-''END }
        zle -N show
        bindkey '^X^T' show
        bindkey '^I' complete-word
    "#;
    let name = line.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let (commands, tab) = (scratch(&format!("zsh-{name}")), scratch(&format!("tab-{name}")));
    fs::write(&commands, inside).expect("a file can be made");
    command.env("TAB", &tab).env("TERM", "vt100").args(["-f", "-c", outside, "zsh"]);
    told(command.arg(&commands).arg(line));
    let text = fs::read_to_string(&tab).expect("it says what it has done");
    for path in [commands, tab] {
        fs::remove_file(path).expect("a file can be removed");
    }
    let (offers, buffer) = text.split_once("minichatminichat ").expect("it shows the line");
    // The completed text comes in the place of the word that was there.
    let last = line.rfind(' ').map_or(0, |blank| blank + 1);
    Tab { words: buffer[last..].trim_end().into(), ..Tab::of(offers) }
}
