use std::io::ErrorKind;

use super::{
    Client, CommandLine, Discover, Discovery, Errors, Language, Operator, Server, Terminal, Texts,
    bare, grouped,
};

/// English.
pub static ENGLISH: Texts = Texts {
    client: Client {
        language: Language::English,
        said_to_all: "All else is said to all; //TEXT says /TEXT",
        looking: "Looking for a server...",
        joining: |server| format!("joining {server}"),
        welcome: "Messages are not encrypted. /help shows the commands.",
        welcome_encrypted: "/help shows the commands.",
        which: "Which one? [1] ",
        open_room: "Nobody has a room here. Open one? [Y/n] ",
        no: &["n", "no"],
        opened: "You have opened a room: it lives in this program. Others just type: minichat",
        hosted: "This room lives on the machines of its members: it has no server of its own.",
        room_ends: "If you leave, the room ends: no other machine here can be reached (a firewall?).",
        room_moved: "The room is on another machine now.",
        room_held: "You hold the room now; it goes on when you leave.",
        people: |count| match count {
            0 => "nobody yet".into(),
            1 => "1 person".into(),
            _ => format!("{count} people"),
        },
        no_choice: |answer, count| match count {
            1 => format!("{answer} is not that one: type 1, or its name"),
            _ => format!("{answer} is none of them: type a number from 1 to {count}, or a name"),
        },
        nickname: |proposal| match proposal {
            "" => "Nickname: ".into(),
            _ => format!("Nickname [{proposal}]: "),
        },
        you_are: |nick| format!("You are {nick}."),
        here: |nicks, count| format!("Here: {nicks} ({count} in all)"),
        alone: "Nobody else is here yet.",
        users: |count, nicks| format!("here ({count}): {nicks}"),
        joined: |nicks, _| format!("+ {nicks} joined"),
        left: |nicks, _| format!("- {nicks} left"),
        history: |count| format!("History: {count}"),
        stopping: "the server is stopping; goodbye",
        goes_on: |address| format!("the room goes on at {address}"),
        removed: "you were removed by the operator",
        notices_end: "so many are here that comings and goings are not told any more",
        notices_again: "comings and goings are told again",
        notices_off: "comings and goings are not told here",
        nick_lost: "somebody else took your nick while this server was cut off",
        cut_off: "the other servers cannot be reached; what you say waits until they can",
        together: "the servers of this room are together again",
        others: |count, in_the_clear| {
            let others = if count == 1 { "other" } else { "others" };
            let clear = if in_the_clear { " in the clear" } else { "" };
            format!("and {} {others}{clear}", grouped(count as u64, ','))
        },
        in_the_clear: |nicks, count| {
            let are = if count == 1 { "is" } else { "are" };
            format!(
                "Encrypted, but {nicks} {are} not: what you say to all can be read on its way to them."
            )
        },
        more: |count| format!("and {count} more"),
        remembered: |count, since| match count {
            1 => format!("--- the room remembers 1 line since {since} ---"),
            _ => format!("--- the room remembers {count} lines since {since} ---"),
        },
        past: |count, since| match count {
            1 => format!("--- 1 line since {since} ---"),
            _ => format!("--- {count} lines since {since} ---"),
        },
        past_cut: |count, all| match count {
            1 => format!("--- the last one of {all}; /last shows others ---"),
            _ => format!("--- the last {count} of {all}; /last shows others ---"),
        },
        past_end: "--- now ---",
        nothing_found: "nothing found",
        no_history: "this server keeps no history",
        still_searching: "the server still answers the last question; wait for it",
        searches_too_fast: "too many searches; wait 10 seconds",
        search_length: "search for 2 to 200 bytes; a letter with an accent has 2",
        since_failed: |path, why| {
            format!("{path} cannot be written: {why}; what was read is not remembered")
        },
        recorded: |days| match days {
            None => "this room is recorded: what is said to all is kept".into(),
            Some(1) => "this room is recorded: what is said to all is kept for 1 day".into(),
            Some(days) => {
                format!("this room is recorded: what is said to all is kept for {days} days")
            }
        },
        number: |number| grouped(number, ','),
        you: "you",
        bye: "Bye.",
        refused: |why| format!("the server refused that: {why}"),
        nick_taken: |nick, other| format!("\"{nick}\" is taken. Try {other}:"),
        nick_refused: |nick, why| format!("\"{nick}\" was refused: {why}"),
        nick_in_use: "somebody here has that nick",
        perhaps: |nick| format!("perhaps {nick}"),
        nick_reserved: "it is reserved",
        nick_invalid: "a nick is 1 to 32 letters, digits, '-', '_' or '.'",
        user_not_found: "nobody here has that nick",
        malformed_dm: "a direct message needs a nick and a text",
        empty_message: "there was nothing to say",
        not_registered: "it wants a nick first",
        unknown_command: "it does not know that command",
        line_too_long: "the line is too long",
        invalid_utf8: "the text is not UTF-8",
        too_fast: "not so many nicks in so little time",
        muted: "the operator has muted you; nobody was told",
        room_full: "the room is full",
        banned: "the operator lets nobody in from your address",
        crowded: "too many connections come from your address",
        registration_timeout: "it has waited too long for a nick; join again",
        bad_handshake: "it does not know this way to encrypt",
        encryption_required: "everybody there is encrypted; join with minichat",
        wrong_password: "it has another password",
        too_many_guesses: "too many passwords were tried there; wait a minute",
        said_goodbye: "it said goodbye",
        closed: "it closed the connection; is it a chat server?",
        in_pieces: |count| format!("that line was too long for one message; it went as {count}"),
        left_out: "the server sent a line that is too long; it is left out",
        garbled: "* that was not UTF-8; what came with it is left out",
        long_nick: "nobody has such a long nick; nothing was sent",
        private: "to tell one person: @NICK TEXT; nothing was sent",
        message: "MSG TEXT; nothing was sent",
        usage: |usage| format!("{usage}; nothing was sent"),
        unknown: |word, guess| match guess {
            Some(guess) => {
                format!("no command {word}. Did you mean {guess}? To send it as text: /{word}")
            }
            None => format!("no command {word}: see /help; to send it as text: /{word}"),
        },
        ambiguous: |word, words| format!("{word} may be {words}"),
        leave: "/quit leaves; to send the word, type a space before it",
        nobody: |nick, guess| match guess {
            Some(guess) => format!("{nick} is not here. Did you mean {guess}?"),
            None => format!("{nick} is not here; nothing was sent"),
        },
        no_reply: "nobody has written to you alone yet",
        reply_gone: |nick, successor| match successor {
            Some(other) => format!(
                "{nick} left, perhaps to come back as {other}; nothing was sent. \
                 To tell {other}: @{} TEXT",
                bare(other)
            ),
            None => format!(
                "{nick} left, or you were away, and the nick may be somebody else's now; \
                 nothing was sent. To tell {nick} nevertheless: @{} TEXT",
                bare(nick)
            ),
        },
        changed_hands: |nick| {
            format!(
                "{nick} may be somebody else than before; nothing was sent. \
                 The same line again is sent"
            )
        },
        one_line: "a command has one line; nothing was sent",
        on_its_way: |text| format!("on its way, but not said yet: {text}"),
        ignoring: |nick| format!("ignoring {nick} until they leave; again to hear them"),
        heeding: |nick| format!("no longer ignoring {nick}"),
        ignoring_too: |nick, old| {
            format!(
                "ignoring {nick}, too: perhaps {old} by another nick; /ignore {} shows them",
                bare(nick)
            )
        },
        heard_again: |nick| {
            format!(
                "{nick} is not ignored: it may be somebody else than the one before; \
                 /ignore {} hides them",
                bare(nick)
            )
        },
        still_ignoring: |nicks| {
            format!("still ignoring {nicks}, though they may be others than before")
        },
        ignored: |nicks| format!("ignored: {nicks}"),
        ignored_nobody: "nobody is ignored",
        quiet: |quiet| match quiet {
            true => "who comes and goes is not shown any more".into(),
            false => "who comes and goes is shown again".into(),
        },
        bell: |when| format!("bell: {when}"),
        no_screen: "there is no screen to clear here",
        lost: "connection lost; trying again (Ctrl-C leaves)",
        back: |nick, at| match at {
            Some(at) => format!("back, as {nick}, at {at}"),
            None => format!("back, as {nick}"),
        },
        offline: "not connected; nothing was sent (the Up key brings it back)",
        dismissed: |why| format!("the server ended the conversation: {why}"),
        rest: "the conversation ended before the input; the rest was not sent",
        unheard: |text| format!("perhaps nobody heard: {text}"),
        unheard_more: |count| match count {
            1 => "and one message more".into(),
            _ => format!("and {count} messages more"),
        },
        held: |nick| {
            format!(
                "\"{nick}\" is still taken, perhaps by your own lost connection; /nick takes another"
            )
        },
        oneself: "that is you",
        not_yet: |why| format!("the server is there, but {why}; trying again"),
    },
    cli: CommandLine {
        language: Language::English,
        usage: |command| match command {
            "server" => "Usage: minichat server [OPTIONS]",
            "discover" => "Usage: minichat discover [OPTIONS]",
            "connect" => "Usage: minichat connect [OPTIONS] [HOST[:PORT] | HOST PORT | NAME]",
            "completions" => "Usage: minichat completions SHELL",
            _ => {
                "Usage: minichat [-h | -V]\n       minichat [COMMAND [OPTIONS]]\n       \
                 minichat [OPTIONS] HOST[:PORT] | NAME"
            }
        },
        arguments: "Positional arguments:",
        options: "Options:",
        commands: "Commands:",
        more: "See `minichat COMMAND --help` for the options of each.",
        examples: "Examples:",
        examples_of: |command| match command {
            "server" => &["minichat server", "minichat server --name \"Sala 3\" --history 20"],
            "discover" => &["minichat discover", "minichat discover --json | jq -r .name"],
            "connect" => &[
                "minichat connect \"Sala 3\"",
                "minichat connect 192.168.1.100",
                "uptime | minichat connect --auto --nick bot",
                "minichat connect --auto --nick log --stay --json < /dev/null >> talk.jsonl",
            ],
            "completions" => &["source <(minichat completions bash)"],
            _ => &["minichat server", "minichat", "minichat \"Sala 3\"", "minichat 192.168.1.100"],
        },

        unknown_option: |option| format!("unrecognized option `{option}`"),
        unknown_command: |command| format!("unrecognized command `{command}`"),
        unexpected: |word| format!("`{word}` is one word too many"),
        missing_value: |option| format!("missing argument to option `{option}`"),
        needless_value: |option| format!("option `{option}` does not accept an argument"),
        wrong_value: |option, what| format!("invalid argument to option `{option}`: {what}"),

        no_port: |value, lowest| {
            format!("`{value}` is not a port: a number from {lowest} to 65535")
        },
        no_ip: |value| format!("`{value}` is not an IP address"),
        one_link: |value| {
            format!(
                "`{value}` is valid on one link only; take another address, or :: for all of IPv6"
            )
        },
        no_engine: "it has to be like redis://HOST/ROOM or unix:///PATH?room=ROOM",
        engine_tls: "minichat speaks no TLS with an engine; use redis:// through stunnel, or unix://",
        no_number: |value, highest| format!("`{value}` is not a number from 0 to {highest}"),
        no_time: |value, most| format!("`{value}` is not a number of seconds up to {most}"),
        no_choice: |value, words| format!("`{value}` is none of {words}"),
        no_shell: |words| format!("which shell? One of {words}"),
        no_dash: "`-` names no file; a file of that name is ./-",
        empty: "it is empty",
        no_text: |word| format!("`{word}` is not UTF-8"),
        no_nick: |nick| format!("{nick:?} is not a nickname"),
        no_address: |host| format!("`{host}` is not an address"),
        no_name: "which server? Its name is empty",
        garbled_name: |word| {
            format!("no server or host has control characters in its name: `{word}`")
        },
        after_port: |word| format!("unexpected `{word}` after the port"),
        unquoted: |name| {
            format!("a name with blanks stands in quotes: minichat connect \"{name}\"")
        },
        two_ports: |first, second| format!("a port is given twice: `{first}` and `{second}`"),
        long_motd: |bytes| format!("the lines of --motd may have {bytes} bytes, not more"),
        no_web_port: |port| format!("browsers open no page on port {port}; take another"),
        password_short: |least| format!("a password has {least} characters or more"),
        password_long: |most| format!("a password has {most} bytes or less"),
        password_unseen: "a password is UTF-8 without control characters",
        password_unshown: "--quiet shows no password that is made; set MINICHAT_PASSWORD",
        exclusive: |one, other| format!("{one} and {other} exclude each other"),
        lacking: |one, other| format!("{one} does nothing without {other}"),
        scan_and_watch: "--scan and --watch exclude each other: a scan is made once",
        auto_and_address: "--auto finds a server by itself; leave the address out",
        raw_and_nick: "--raw sends nothing but what is typed; leave --nick out",

        look_at: |line| format!("Try `{line}`"),
        did_you_mean: |line| format!("Did you mean `{line}`?"),
    },
    discover: Discover {
        head: ["NAME", "ADDRESS", "USERS", "VERSION", "PAGE"],
        another_protocol: "another protocol",
        hosted: "a member's",
        scanning: "Trying port 9000 of every address in the local networks \
                   (at most 4 of 254 each)...",
    },
    discovery: Discovery {
        no_network: "no network interface is up",
        elsewhere: "the server does not listen on any interface to announce it on",
        port_taken: "another program holds UDP port 5353",
        no_multicast: "the network does not carry multicast",
        blocked: "nobody serves here yet, or multicast may be blocked (guest Wi-Fi, VPN, firewall)",
    },
    encryption: super::encryption::ENGLISH,
    error: Errors {
        address_in_use: |at, line| {
            format!(
                "cannot listen on {at}: address already in use\n\
                 Another server is running? Choose a port: {line}"
            )
        },
        listen_for_page: |at, why| {
            format!(
                "cannot serve the page for browsers on {at}: {why}\n\
                 Choose another port with --web-port PORT, or no page with --no-web"
            )
        },
        port_denied: |at| {
            format!(
                "cannot listen on {at}: permission denied\n\
                 Ports below 1024 are for administrators. \
                 Choose another: minichat server --port 9000"
            )
        },
        no_such_address: |at| {
            format!(
                "cannot listen on {at}: this machine does not have that address\n\
                 Leave out --bind to listen on all the addresses that it has"
            )
        },
        listen: |at, why| format!("cannot listen on {at}: {why}\nTry another --bind or --port"),
        log: |path, why| {
            format!(
                "cannot write the log {path}: {why}\nChoose a file that you may write: --log FILE"
            )
        },
        store: |dir, why| {
            format!("cannot store in {dir}: {why}\nChoose a folder that you may write: --store DIR")
        },
        store_in_use: |dir| {
            format!(
                "cannot store in {dir}: another server uses it\n\
                 Stop that server, or choose another folder: --store DIR"
            )
        },
        store_not_ours: |dir| {
            format!(
                "cannot store in {dir}: it belongs to another user\n\
                 Choose a folder of your own: --store DIR"
            )
        },
        store_unknown: |file| {
            format!(
                "cannot store beside {file}: it is no history, or one of a newer minichat\n\
                 Nothing was changed; choose another folder: --store DIR"
            )
        },
        engine: |at, why| {
            format!(
                "cannot use the engine at {at}: {why}\n\
                 Look whether it runs and may be used: redis-cli -u URL ping"
            )
        },
        engine_login: "it does not know this user or password",
        engine_denied: |why| format!("not permitted: {why}"),
        engine_old: "it is too old; Redis 6.2, Valkey or newer is needed",
        engine_key: |key| format!("the key {key} holds something else"),
        engine_version: |version| {
            format!("another minichat uses this room, with version {version} of its log")
        },
        engine_missing: "this minichat was built without engines",
        since: |path, why| {
            format!("cannot read {path}: {why}\nChoose a file that you may read: --since-file FILE")
        },
        no_place: |path| {
            format!(
                "cannot go on from {path}: it holds something else than a place\n\
                 Choose another file, which need not be there yet: --since-file FILE"
            )
        },
        log_held: |path| {
            format!(
                "cannot open the log {path}: nobody reads this pipe, or the disk hangs\n\
                 Start the pipe's reader first, or choose another file: --log FILE"
            )
        },
        resolve: |host, why| {
            format!(
                "cannot find {host:?}: {why}\n\
                 Give the address that the server prints: minichat connect 192.168.1.100"
            )
        },
        connect: |server, line, why| {
            format!(
                "cannot connect to {server}: {why}\n\
                 Is the server running there? Start it: {line}"
            )
        },
        unanswered: |server, port, why| {
            format!(
                "cannot connect to {server}: {why}\n\
                 Is that machine on? Does its firewall let in TCP port {port}?"
            )
        },
        unreachable: |server, why| {
            format!(
                "cannot connect to {server}: {why}\n\
                 That address is in another network, or no machine there has it. \
                 Join the server's network, or look who serves here: minichat discover"
            )
        },
        no_link: |server, why| {
            format!(
                "cannot connect to {server}: {why}\n\
                 An address that begins with fe80 needs the interface behind it: fe80::1%eth0"
            )
        },
        silent: |server, seconds| {
            format!(
                "no answer from {server} in {seconds} s, though it accepts connections\n\
                 Is it a chat server? Look at its address and port again, \
                 or wait longer: --timeout SECS"
            )
        },
        lost: |server, line| format!("lost the connection to {server}\nJoin again: {line}"),
        not_found: |interfaces, seconds, cause| {
            if interfaces.is_empty() {
                return format!(
                    "no server found in {seconds:.1} s: {cause}\n\
                     Connect this machine to a network, by cable or Wi-Fi; \
                     a server on this machine is at: minichat connect 127.0.0.1"
                );
            }
            format!(
                "no server found on {interfaces} in {seconds:.1} s: {cause}\n\
                 Start one: minichat server; or try: minichat discover --scan; \
                 or give its address: minichat connect 192.168.1.100"
            )
        },
        not_scanned: |interfaces, port| {
            let on =
                if interfaces.is_empty() { String::new() } else { format!(" on {interfaces}") };
            format!(
                "no server found{on}, nor at any address there on TCP port {port}\n\
                 Start one: minichat server; or let in TCP port {port} on the server's machine; \
                 another port needs its address: minichat connect 192.168.1.100:9001"
            )
        },
        unknown: |title| {
            format!(
                "no server {title:?} found, and no host of that name\n\
                 Is it running? Multicast may be blocked: try minichat discover --scan; \
                 or give its address: minichat connect 192.168.1.100"
            )
        },
        unknown_among: |title, others| {
            format!("no server {title:?} found, and no host of that name\nThere are: {others}")
        },
        several: |titles| {
            format!(
                "several servers found: {titles}\n\
                 Say which one: minichat connect NAME; \
                 or take the first: minichat connect --auto"
            )
        },
        same_title: |titles, address| {
            format!(
                "several servers have that name: {titles}\n\
                 Say which one by its address: minichat connect {address}"
            )
        },
        meant: |host, name| {
            format!(
                "there is no host {host:?}, but a server of a longer name\n\
                 Did you mean that? minichat connect {name}"
            )
        },
        incompatible: |title, version| {
            format!(
                "{title:?} speaks another version of the protocol: {version}\n\
                 Get the version of minichat that it has: minichat discover shows it"
            )
        },
        unversioned: |title| {
            format!(
                "{title:?} does not say which protocol it speaks\n\
                 If it is a chat, join it by its address: minichat discover shows it"
            )
        },
        no_interface: |name, others| {
            let way_out = match others {
                "" => "There is none: connect this machine to a network, by cable or Wi-Fi".into(),
                others => format!("There are: {others}"),
            };
            format!("there is no network interface {name:?} that is up\n{way_out}")
        },
        no_nick: "no nickname\nUse --nick NAME or set MINICHAT_NICK",
        nick: |nick, why| {
            format!(
                "the server did not accept the nick {nick:?}: {why}\nChoose another: --nick NAME"
            )
        },
        refused: |server, why| {
            format!("{server} does not let us in: {why}\nTry again later, or another server")
        },
        input: |why| {
            format!("cannot read standard input: {why}\nGive a file or a pipe: minichat < FILE")
        },
        utf16: "the input is UTF-16\nGive UTF-8: iconv -f UTF-16 -t UTF-8 FILE | minichat connect",
        output: |why| format!("cannot write the output: {why}\nIs the disk full?"),
        signals: |why| {
            format!("cannot watch for signals: {why}\nIs the system out of memory or descriptors?")
        },
        search: |why| {
            format!("cannot look for servers: {why}\nIs the system out of memory or descriptors?")
        },
        no_workers: |why| {
            format!(
                "cannot start what it takes, the limit of processes is reached: {why}\n\
                 Raise the limit of processes (ulimit -u, TasksMax), or end other programs"
            )
        },

        // On Windows these are whole sentences, and in its own language.
        system: |kind, _| match kind {
            ErrorKind::ConnectionRefused => Some("connection refused"),
            ErrorKind::ConnectionReset => Some("connection reset by peer"),
            ErrorKind::HostUnreachable => Some("no route to host"),
            ErrorKind::NetworkUnreachable => Some("network is unreachable"),
            ErrorKind::PermissionDenied => Some("permission denied"),
            _ => None,
        },
    },
    operator: Operator {
        ends: "Ctrl-C stops the server.",
        commands: [
            ("", "who is here, and from where"),
            ("TEXT", "say something to all, as the server"),
            ("NICK [REASON]", "remove somebody, who may come back"),
            ("[NICK]", "let somebody say nothing; alone: list"),
            ("[NICK]", "let somebody talk again; alone: list"),
            ("[NICK|ADDRESS]", "keep out; an address again: let in"),
            ("", "show here what is said, or no longer"),
            ("[ADDRESS]", "show how to join, and the code to scan"),
            ("", "this help"),
        ],
        unknown: |word, meant| match meant {
            Some(meant) => format!("no command {word}; did you mean {meant}?"),
            None => format!("no command {word}: see /help; to say it to all: /say {word}"),
        },
        ambiguous: |word, commands| format!("{word} may be any of {commands}"),
        not_said: "nobody was told; to say it to all: /say TEXT",
        nobody: |nick, meant| match meant {
            Some(meant) => format!("nobody here is called {nick}; did you mean {meant}?"),
            None => format!("nobody here is called {nick}"),
        },
        empty: "nobody is here",
        person: |nick, address, time, muted| {
            let muted = if muted { ", muted" } else { "" };
            format!("{nick} {address}, for {time}{muted}")
        },
        elsewhere: |people| format!("at other servers: {people}"),
        passed_on: |nick| format!("passed on to the server of {nick}"),
        said: |people| match people {
            0 => "nobody is here; newcomers may read it in the history".into(),
            1 => "said to 1 person".into(),
            _ => format!("said to {people} people"),
        },
        kicked: |nick| format!("removed: {nick}"),
        muted: |nick, others| match others {
            "" => format!("muted: {nick}; /unmute {nick} ends it"),
            _ => format!(
                "muted: {nick}; from the same address, and not muted: {others}; \
                 /unmute {nick} ends it"
            ),
        },
        already_muted: |nick| format!("{nick} is muted already; /unmute {nick} ends it"),
        unmuted: |nick| format!("may talk again: {nick}"),
        not_muted: |nick| format!("{nick} was not muted"),
        muted_absent: |nick, address, time| match address {
            "" => format!("{nick}, who left this machine {time} ago"),
            _ => format!("{nick}, who left {address} {time} ago"),
        },
        no_mutes: "nobody is muted",
        new_owner: |nick, address, time| {
            format!(
                "{nick} is somebody else since {time} ago, from {address}: nothing is done; \
                 give the order again if that person is meant"
            )
        },
        now_called: |nick, now| format!("nobody here is called {nick} now; {nick} is now {now}"),
        listens: "what is said to all is shown here; /listen again ends it",
        listens_no_more: "what is said is no longer shown here",
        banned: |place, removed| match removed {
            "" => format!("banned: {place}; nobody from there was here"),
            _ => format!("banned: {place}; removed: {removed}"),
        },
        only_kicked: |nick| {
            format!("removed: {nick}; not banned: everybody on this machine would be")
        },
        not_banned: |address| {
            format!("{address} was not banned: everybody on this machine would be")
        },
        lifted: |place| format!("no longer banned: {place}"),
        no_bans: "nobody is banned",
    },
    server: Server {
        listening: |at| format!("Listening on {at}"),
        announced: |title| format!("Announced as \"{title}\"."),
        join_from_network: "To join from this network:",
        join_from_machine: "To join from this machine:",
        unreachable: "No network interface is up: nobody can join yet.",
        join_by_name: "To join by name:",
        scan_or_open: "Or scan this with a phone, or open it in any browser:",
        open_in_browser: "Or open this in any browser:",
        only_ipv6: "only IPv6 can join; add --bind 0.0.0.0 for IPv4",
        name_cut: |most, title| {
            format!("the name is longer than {most} bytes; others see \"{title}\"")
        },
        page_moved: |wanted, port| {
            format!("port {wanted} is taken; the page for browsers is on port {port}")
        },
        no_page: |port, why| {
            format!("no page for browsers: port {port}: {why}; choose another with --web-port PORT")
        },
        no_page_here: "This server has no page for browsers.\n",
        notes: "Ctrl-C stops.",
        notes_and_orders: "Commands here: /who /say /kick /mute /ban /invite /help; Ctrl-C stops.",
        no_orders: |why| {
            format!("cannot read standard input: {why}; no more commands are taken here")
        },
        renamed: |old, new| format!("{old} is now {new}"),
        cut: |who, ip, what| format!("cut off {who} {ip}: {what}"),
        then_type: "then: NICK you, MSG text",
        several: |sign, nicks, more| match more {
            0 => format!("{sign} {nicks}"),
            _ => format!("{sign} {nicks} and {more} more"),
        },
        muted_again: |nick, muted| {
            format!("{nick} is muted: {muted}, who was, came from there; /unmute {nick} ends it")
        },
        perhaps_muted: |nick, muted| {
            format!("{nick} comes from the same address as {muted}, who is muted; {nick} is not")
        },
        guest: "a guest",
        behind: |bytes| match bytes {
            1 => "reads too slowly, 1 byte behind".into(),
            _ => format!("reads too slowly, {bytes} bytes behind"),
        },
        stalled: |bytes| match bytes {
            1 => "took nothing in 10 s, 1 byte waits".into(),
            _ => format!("took nothing in 10 s, {bytes} bytes wait"),
        },
        lost: |bytes| match bytes {
            1 => "no longer answers, 1 byte waits".into(),
            _ => format!("no longer answers, {bytes} bytes wait"),
        },
        evicted: "has no nick, and another one needed the place",
        failed: "minichat made a mistake; please report it",
        resumed: "is back, by another connection",
        more_cut: |count| match count {
            1 => "1 more was cut off".into(),
            _ => format!("{count} more were cut off"),
        },
        stopped: |members| match members {
            0 => "Server stopped; nobody was connected.".into(),
            1 => "Server stopped; 1 user was connected.".into(),
            _ => format!("Server stopped; {members} users were connected."),
        },
        warning: |what| format!("minichat: warning: {what}"),
        hidden: |why| format!("not announced ({why}); people can join by address"),
        not_on: |links| {
            format!(
                "not announced on {links}: there are too many networks; people there can join by address"
            )
        },
        log_gap: |path| format!("the log {path} has a gap: the disk was too slow"),
        one_room: |servers, people| {
            let servers = match servers {
                0 => return "One room with the servers that will come".into(),
                1 => "1 other server".to_string(),
                _ => format!("{servers} other servers"),
            };
            let people = match people {
                1 => "1 person".to_string(),
                _ => format!("{people} people"),
            };
            format!("One room with {servers}, {people} there")
        },
        other_version: |version| {
            format!("a server of another minichat is not heard: its log has version {version}")
        },
        recording: |dir, days| match days {
            0 => format!("Recording to {dir}, for ever"),
            1 => format!("Recording to {dir}, for 1 day"),
            _ => format!("Recording to {dir}, for {days} days"),
        },
        left_out: |path, count| match count {
            1 => format!("{path}: 1 line left out: not a line of a history"),
            _ => format!("{path}: {count} lines left out: not lines of a history"),
        },
        store_gap: |dir| format!("what is kept in {dir} has a gap: the disk was too slow"),
        store_failed: |dir, why| {
            format!("what is said cannot be kept in {dir}: {why}; the chat goes on")
        },
        no_answer: "it has not answered for 3 s",
        log_failed: |path, why| {
            format!("the log {path} cannot be written: {why}; the chat goes on")
        },
    },
    terminal: Terminal {
        lines: |count| match count {
            1 => "(1 line)".into(),
            _ => format!("({count} lines)"),
        },
        search: |wanted, fails| match fails {
            true => format!("(search: nothing) {wanted}: "),
            false => format!("(search) {wanted}: "),
        },
        stays: "* The room lives in this program, and would stand still; /quit leaves.",
    },
};
