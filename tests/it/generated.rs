//! Parts that are generated from the table of commands and options: of the completions, of
//! the man pages and of the READMEs. The files are committed; a test compares them.
//!
//! `cargo test --test it -- --ignored write_generated_files` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use minichat::cli::flags::{COMMANDS, Command, Completes, Flag};
use minichat::client::chat_commands;
use minichat::texts::{ENGLISH, Language, PORTUGUESE};

/// The width of the lines of a script.
const WIDTH: usize = 100;

/// The sections of man pages, in both languages.
const OPTIONS: [&str; 2] = ["OPTIONS", "OPÇÕES"];
const COMMANDS_TITLE: [&str; 2] = ["COMMANDS", "COMANDOS"];

#[test]
fn generated_parts_of_files_are_those_of_the_table() {
    for (path, text) in files() {
        let found = read(&path);
        let differing = found.lines().zip(text.lines()).find(|(found, text)| found != text);
        assert!(
            found == text,
            "{path} is not what the table says: {differing:?}\n\
             To write it anew: cargo test --test it -- --ignored write_generated_files"
        );
    }
}

#[test]
#[ignore = "it writes files of the project"]
fn write_generated_files() {
    for (path, text) in files() {
        if read(&path) != text {
            fs::write(full(&path), text).expect("the file can be written");
            eprintln!("written: {path}");
        }
    }
}

/// Each file that has generated parts, as it must be.
fn files() -> Vec<(String, String)> {
    let mut files = vec![
        ("completions/minichat.bash".to_string(), bash(read("completions/minichat.bash"))),
        ("completions/_minichat".to_string(), zsh(read("completions/_minichat"))),
        ("completions/minichat.fish".to_string(), fish(read("completions/minichat.fish"))),
        ("completions/_minichat.ps1".to_string(), powershell(read("completions/_minichat.ps1"))),
    ];
    let languages = [(&ENGLISH, "man", "README.md"), (&PORTUGUESE, "man/pt_BR", "README.pt-BR.md")];
    for (texts, folder, readme) in languages {
        let language = texts.cli.language;
        for command in COMMANDS.iter().filter(|command| command.name != "completions") {
            let path = format!("{folder}/minichat-{}.1", command.name).replace("-.1", ".1");
            let mut page = with_items(&read(&path), OPTIONS, &option_items(command, language));
            if command.name.is_empty() {
                page = with_items(&page, COMMANDS_TITLE, &command_items(language));
            }
            if command.name == "connect" {
                page = with_items(&page, COMMANDS_TITLE, &chat_items(language));
            }
            files.push((path, page));
        }
        let text = part(&read(readme), ["<!--", " -->"], "options", &option_list(language));
        let text = with_chat_rows(&text, language);
        files.push((readme.to_string(), text));
    }
    files
}

fn full(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the project.
#[track_caller]
fn read(path: &str) -> String {
    let text = fs::read_to_string(full(path)).unwrap_or_else(|err| panic!("{path}: {err}"));
    text.replace("\r\n", "\n")
}

/// The text with a new part between two comments that name it.
#[track_caller]
fn part(text: &str, [open, close]: [&str; 2], name: &str, new: &str) -> String {
    let begin = format!("{open} written by write_generated_files: {name}{close}\n");
    let end = format!("{open} end of {name}{close}\n");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("there is no {begin}"));
    let (old, after) = rest.split_once(&end).unwrap_or_else(|| panic!("there is no {end}"));
    let indent = &old[old.rfind('\n').map_or(0, |at| at + 1)..];
    format!("{before}{begin}{new}{indent}{end}{after}")
}

/// Words in lines that end in `end`, but for the last one.
fn wrapped(words: &[String], separator: &str, first: &str, next: &str, end: &str) -> String {
    let mut lines = vec![first.to_string()];
    for (at, word) in words.iter().enumerate() {
        let separator = if at + 1 == words.len() { "" } else { separator };
        let line = lines.last_mut().expect("there is a line");
        let blank = if line.trim().is_empty() || line.ends_with(' ') { "" } else { " " };
        if line.len() + blank.len() + word.len() + separator.len() + end.len() > WIDTH {
            lines.push(format!("{next}{word}{separator}"));
        } else {
            *line += &format!("{blank}{word}{separator}");
        }
    }
    lines.join(&format!("{end}\n"))
}

/// The names of an option, with their dashes.
fn names(flag: &Flag) -> Vec<String> {
    let short = flag.short.map(|letter| format!("-{letter}"));
    short.into_iter().chain([format!("--{}", flag.long)]).collect()
}

/// All options of all commands.
fn all_flags() -> Vec<&'static Flag> {
    COMMANDS.iter().flat_map(|command| (command.flags)()).collect()
}

/// The names of all options that take a value, each once.
fn valued() -> Vec<String> {
    let mut all = Vec::new();
    for name in all_flags().into_iter().filter(|flag| flag.value.is_some()).flat_map(names) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// The names of options with the same kind of value, each once, by kind. A name means one
/// kind in all commands, because the scripts look for values by the name alone.
fn completed() -> Vec<(Completes, Vec<String>)> {
    let mut kinds: Vec<(Completes, Vec<String>)> = Vec::new();
    for flag in all_flags() {
        let Some(value) = flag.value else { continue };
        for name in names(flag) {
            match kinds.iter_mut().find(|(_, names)| names.contains(&name)) {
                Some((kind, _)) => assert_eq!(*kind, value.completes, "{name} has two kinds"),
                None => match kinds.iter_mut().find(|(kind, _)| *kind == value.completes) {
                    Some((_, names)) => names.push(name),
                    None => kinds.push((value.completes, vec![name])),
                },
            }
        }
    }
    kinds.retain(|(kind, _)| *kind != Completes::Nothing);
    kinds
}

/// The commands, without the program itself.
fn commands() -> &'static [Command] {
    static ALL: [Command; COMMANDS.len()] = COMMANDS;
    &ALL[1..]
}

fn bash(script: String) -> String {
    let first = " ".repeat(16);
    let next = " ".repeat(20);
    let separated: Vec<String> = valued().join(" | ").split(' ').map(String::from).collect();
    let list = wrapped(&separated, "", &first, &next, " \\");
    let script = part(&script, ["#", ""], "values", &format!("{list}) option=$word ;;\n"));

    let mut arms = String::new();
    for (kind, names) in completed() {
        let offer = match kind {
            Completes::Files => "compopt -o default 2>/dev/null".to_string(),
            Completes::Interfaces => "_minichat_interfaces".to_string(),
            Completes::Servers => "_minichat_servers".to_string(),
            Completes::Words(words) => format!("_minichat_offer {}", words.join(" ")),
            Completes::Nothing => continue,
        };
        arms += &format!("        {}) {offer} ;;\n", names.join(" | "));
    }
    let script = part(&script, ["#", ""], "offers", &arms);

    let all: Vec<&str> = commands().iter().map(|command| command.name).collect();
    let mut arms = format!("        :0:*) _minichat_offer {} ;;\n", all.join(" "));
    for command in commands() {
        for (at, argument) in command.arguments.iter().enumerate() {
            let offer = match argument.completes {
                Completes::Servers => "_minichat_servers".to_string(),
                Completes::Words(words) => format!("_minichat_offer {}", words.join(" ")),
                other => panic!("no script offers {other:?} for an argument yet"),
            };
            arms += &format!("        {}:{at}:*) {offer} ;;\n", command.name);
        }
    }
    let script = part(&script, ["#", ""], "arguments", &arms);

    let mut arms = String::new();
    for command in &COMMANDS {
        let name = if command.name.is_empty() { "''" } else { command.name };
        let words: Vec<String> = (command.flags)().into_iter().flat_map(names).collect();
        let line = format!("        {name}) _minichat_offer {} ;;\n", words.join(" "));
        if line.len() <= WIDTH {
            arms += &line;
            continue;
        }
        let list = wrapped(&words, "", "            _minichat_offer ", &" ".repeat(16), " \\");
        arms += &format!("        {name})\n{list}\n            ;;\n");
    }
    part(&script, ["#", ""], "options", &arms)
}

/// A text between single quotes of a shell.
fn quoted(text: &str) -> String {
    assert!(!text.contains(['\'', '[', ']', '|']), "a script cannot hold {text}");
    format!("'{text}'")
}

/// The options that an option excludes, or is excluded by, with their dashes.
fn excluded(command: &Command, flag: &Flag) -> Vec<String> {
    let flags = (command.flags)();
    let by = flags.iter().filter(|other| other.excludes.contains(&flag.long));
    let other = |name: &&str| flags.iter().find(|other| other.long == *name);
    let both = flag.excludes.iter().filter_map(other).chain(by);
    both.flat_map(|other| names(other)).collect()
}

/// One row for `_arguments`.
fn zsh_row(command: &Command, flag: &Flag) -> String {
    let text = flag.help.english;
    quoted(text);
    let value = flag.value.map(|value| {
        let action = match value.completes {
            Completes::Nothing => String::new(),
            Completes::Files => "_files".into(),
            Completes::Interfaces => "_net_interfaces".into(),
            Completes::Servers => "_minichat_servers".into(),
            Completes::Words(words) => format!("({})", words.join(" ")),
        };
        format!(":{}:{action}", value.name.english)
    });
    let (plus, equals) = if value.is_some() { ("+", "=") } else { ("", "") };
    let rest = format!("[{text}]{}'", value.unwrap_or_default());
    let others = excluded(command, flag);
    let is_last = ["help", "version"].contains(&flag.long);
    let is_repeated = text.contains("may be repeated");
    match flag.short {
        Some(short) => {
            let long = flag.long;
            let own = names(flag).into_iter().chain(others).collect::<Vec<_>>().join(" ");
            let group = match (is_last, is_repeated) {
                (true, _) => "'(- *)'".to_string(),
                (_, true) => "'*'".to_string(),
                _ => format!("'({own})'"),
            };
            format!("{group}{{-{short}{plus},--{long}{equals}}}'{rest}")
        }
        None if others.is_empty() => format!("'--{}{equals}{rest}", flag.long),
        None => format!("'({})--{}{equals}{rest}", others.join(" "), flag.long),
    }
}

fn zsh(script: String) -> String {
    let end = |indent: usize| format!(" \\\n{}", " ".repeat(indent));
    let rows = |command: &Command| -> Vec<String> {
        (command.flags)().into_iter().map(|flag| zsh_row(command, flag)).collect()
    };
    let mut own = vec!["    _arguments -C".to_string()];
    own.extend(rows(&COMMANDS[0]));
    own.extend(["'1:command:->command'".into(), "'*::argument:->argument' && ret=0\n".into()]);
    let script = part(&script, ["#", ""], "program", &own.join(&end(8)));

    let list = commands().iter().map(|command| {
        format!("            {}\n", quoted(&format!("{}:{}", command.name, command.help.english)))
    });
    let list = format!("        commands=(\n{}        )\n", list.collect::<String>());
    let script = part(&script, ["#", ""], "commands", &list);

    let mut arms = String::new();
    for command in commands() {
        let mut all = vec!["            _arguments -s".to_string()];
        all.extend(rows(command));
        for argument in command.arguments {
            let flags = (command.flags)();
            let by = flags.iter().filter(|flag| argument.excluded_by.contains(&flag.long));
            let by: Vec<String> = by.flat_map(|flag| names(flag)).collect();
            let by = if by.is_empty() { String::new() } else { format!("({})", by.join(" ")) };
            match argument.completes {
                Completes::Words(words) => {
                    all.push(format!("'{by}1:{}:({})'", argument.name, words.join(" ")));
                }
                Completes::Servers => {
                    all.push(format!("'{by}1:server:_minichat_servers'"));
                    all.push(format!("'{by}2:port:'"));
                }
                other => panic!("no script offers {other:?} for an argument yet"),
            }
        }
        let all = all.join(&end(16));
        arms += &format!("        ({})\n{all} && ret=0\n            ;;\n", command.name);
    }
    part(&script, ["#", ""], "options", &arms)
}

fn fish(script: String) -> String {
    let list = wrapped(&valued(), "", "    set -l valued ", &" ".repeat(8), " \\");
    let script = part(&script, ["#", ""], "values", &format!("{list}\n"));

    let mut blocks = Vec::new();
    for command in &COMMANDS {
        let mut lines = String::new();
        if command.name.is_empty() {
            for command in commands() {
                let text = quoted(command.help.english);
                lines += &format!(
                    "complete -c minichat -n '__minichat_at \"\"' -a {} -d {text}\n",
                    command.name
                );
            }
        }
        let name = if command.name.is_empty() { "\"\"" } else { command.name };
        for (at, argument) in command.arguments.iter().enumerate() {
            let offer = match argument.completes {
                Completes::Servers => "-k -a '(__minichat_servers)'".to_string(),
                Completes::Words(words) => format!("-a '{}'", words.join(" ")),
                other => panic!("no script offers {other:?} for an argument yet"),
            };
            lines += &format!("complete -c minichat -n '__minichat_at {name} {at}' {offer}\n");
        }
        for flag in (command.flags)() {
            let short = flag.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
            let value = match flag.value.map(|value| value.completes) {
                None => String::new(),
                Some(Completes::Nothing) => " -x".into(),
                Some(Completes::Files) => " -r -F".into(),
                Some(Completes::Interfaces) => " -x -a '(__minichat_interfaces)'".into(),
                Some(Completes::Servers) => " -x -k -a '(__minichat_servers)'".into(),
                Some(Completes::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            };
            lines += &format!(
                "complete -c minichat -n '__minichat_at {name}'{short} -l {}{value} -d {}\n",
                flag.long,
                quoted(flag.help.english)
            );
        }
        blocks.push(lines);
    }
    part(&script, ["#", ""], "options", &blocks.join("\n"))
}

fn powershell(script: String) -> String {
    let word = |word: &&str| quoted(word);
    let list = |words: &[&str]| words.iter().map(word).collect::<Vec<_>>().join(", ");
    let mut text = "    $commands = @(\n".to_string();
    for command in commands() {
        text += &format!("        '{}|{}'\n", command.name, command.help.english);
    }
    text += "    )\n    $options = @{\n";
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or(0);
    for command in &COMMANDS {
        let blanks = " ".repeat(width - command.name.len());
        text += &format!("        '{}'{blanks} = @(\n", command.name);
        for flag in (command.flags)() {
            quoted(flag.help.english);
            text += &format!("            '{}|{}'\n", names(flag).join(", "), flag.help.english);
        }
        text += "        )\n";
    }
    text += "    }\n    $values = @{\n";
    let words = completed().into_iter().filter_map(|(kind, names)| match kind {
        Completes::Words(words) => Some((names, words)),
        _ => None,
    });
    for (names, words) in words {
        for name in names {
            text += &format!("        '{name}' = @({})\n", list(words));
        }
    }
    text += "    }\n";
    let valued: Vec<String> = valued().iter().map(|name| format!("'{name}'")).collect();
    let indent = " ".repeat(8);
    text +=
        &format!("    $takesValue = @(\n{}\n    )\n", wrapped(&valued, ",", &indent, &indent, ""));
    let shells = commands().iter().flat_map(|command| command.arguments);
    let shells = shells.filter_map(|argument| match argument.completes {
        Completes::Words(words) => Some(format!("    ${}s = @({})\n", argument.name, list(words))),
        _ => None,
    });
    text += &shells.collect::<String>();
    part(&script, ["#", ""], "options", &text)
}

/// An item of a man page: its head, and its first sentence.
type Item = (String, String);

/// The text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

fn option_items(command: &Command, language: Language) -> Vec<Item> {
    let item = |flag: &&Flag| {
        let short = flag.short.map(|letter| format!("Fl {letter} , ")).unwrap_or_default();
        let value = flag.value.map(|value| format!(" Ar {}", value.name.in_language(language)));
        let head = format!(".It {short}Fl -{}{}", flag.long, value.unwrap_or_default());
        (head, sentence(flag.help.in_language(language)))
    };
    (command.flags)().iter().map(item).collect()
}

fn command_items(language: Language) -> Vec<Item> {
    let item = |command: &Command| {
        let arguments = command.arguments.iter().filter(|argument| argument.name == "shell");
        let arguments = arguments.map(|argument| format!(" Ar {}", argument.name.to_uppercase()));
        let head = format!(".It Cm {}{}", command.name, arguments.collect::<String>());
        (head, sentence(command.help.in_language(language)))
    };
    commands().iter().map(item).collect()
}

fn chat_items(language: Language) -> Vec<Item> {
    let item = |(command, text): (String, &str)| {
        let (word, argument) = command.split_once(' ').unwrap_or((&command, ""));
        let optional = argument.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let argument = match (argument, optional) {
            ("", _) => String::new(),
            (_, Some(argument)) => format!(" Op Ar {argument}"),
            (argument, None) => format!(" Ar {argument}"),
        };
        (format!(".It Ic {word}{argument}"), sentence(text))
    };
    chat_commands(language).map(item).collect()
}

/// A README with the rows of the commands that are typed in a chat. `/help` is what tells
/// of the others. A row may go on by hand behind the text of the table.
#[track_caller]
fn with_chat_rows(readme: &str, language: Language) -> String {
    let head = "written by write_generated_files: commands -->\n";
    let (_, old) = readme.split_once(head).expect("the commands have a part");
    let (old, _) = old.split_once("<!-- end of commands").expect("the part ends");
    let mut lines = old.lines().skip(1);
    let title = lines.next().expect("the table has a head");
    let old: Vec<&str> = lines.skip(1).collect();
    let mut table = format!("\n{title}\n|---|---|\n");
    for (command, text) in chat_commands(language).skip(1) {
        let row = format!("| `{command}` | {text}");
        let plain = |row: &str| row.replace('`', "");
        let by_hand = old.iter().find(|old| plain(old).starts_with(&plain(&row)));
        table += &by_hand.map_or(format!("{row} |\n"), |old| format!("{old}\n"));
    }
    part(readme, ["<!--", " -->"], "commands", &format!("{table}\n"))
}

/// The key that tells one item from another: its name, without its value.
fn key(head: &str) -> &str {
    let words = || head.split(' ').skip(1);
    let long = words().find(|word| word.starts_with('-'));
    long.or_else(|| words().nth(1)).unwrap_or_default()
}

/// A man page with these items in the list of a section. What follows the first line of an
/// item is written by hand and stays.
#[track_caller]
fn with_items(page: &str, titles: [&str; 2], items: &[Item]) -> String {
    let title = titles.iter().map(|title| format!("\n.Sh {title}"));
    let title = title.into_iter().find(|title| page.contains(title)).expect("there is a section");
    let (before, rest) = page.split_once(&title).expect("it was found");
    let (intro, rest) = rest.split_once("\n.Bl -tag -width Ds\n").expect("the section has a list");
    let (list, after) = rest.split_once("\n.El\n").expect("the list ends");
    let old = list.split("\n.It ").map(|item| item.strip_prefix(".It ").unwrap_or(item));
    let by_hand = |head: &str| -> String {
        let same = |item: &&str| {
            key(&format!(".It {}", item.lines().next().unwrap_or_default())) == key(head)
        };
        let item = old.clone().find(same).unwrap_or_default();
        item.lines().skip(2).map(|line| format!("{line}\n")).collect()
    };
    let new = items.iter().map(|(head, first)| format!("{head}\n{first}\n{}", by_hand(head)));
    let new: String = new.collect();
    format!("{before}{title}{intro}\n.Bl -tag -width Ds\n{new}.El\n{after}")
}

/// The options of all commands, as a README lists them. Everybody knows `--help`.
fn option_list(language: Language) -> String {
    let mut blocks = Vec::new();
    for command in commands() {
        let flags = (command.flags)().into_iter().filter(|flag| flag.long != "help");
        let rows: Vec<(String, &str)> =
            flags.map(|flag| (flag.synopsis(language), flag.help.in_language(language))).collect();
        let width = rows.iter().map(|(names, _)| names.chars().count()).max();
        let Some(width) = width else { continue };
        let mut block = format!("minichat {}\n", command.name);
        for (names, text) in rows {
            block += &format!("  {names:width$}  {text}\n");
        }
        blocks.push(block);
    }
    format!("\n```text\n{}```\n\n", blocks.join("\n"))
}
