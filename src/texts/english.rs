use super::{CommandLine, Discover, Discovery, Errors, Operator, Server, Texts};

/// English.
pub static ENGLISH: Texts = Texts {
    cli: CommandLine {
        usage: |command| match command {
            "server" => "Usage: minichat server [OPTIONS]",
            "discover" => "Usage: minichat discover [OPTIONS]",
            "connect" => "Usage: minichat connect [OPTIONS] [HOST[:PORT] | HOST PORT | NAME]",
            _ => "Usage: minichat [-h | -V]\n       minichat [COMMAND [OPTIONS]]",
        },
        arguments: "Positional arguments:",
        options: "Options:",
        commands: "Commands:",
        more: "See `minichat COMMAND --help` for the options of each.",
        helps: &[],

        unknown_option: |option| format!("unrecognized option `{option}`"),
        unknown_command: |command| format!("unrecognized command `{command}`"),
        unexpected: |word| format!("unexpected free argument `{word}`"),
        missing_value: |option| format!("missing argument to option `{option}`"),
        needless_value: |option| format!("option `{option}` does not accept an argument"),
        wrong_value: |option, what| format!("invalid argument to option `{option}`: {what}"),

        no_port: |value, lowest| {
            format!("`{value}` is not a port: a number from {lowest} to 65535")
        },
        no_ip: |value| format!("`{value}` is not an IP address"),
        no_number: |value, highest| format!("`{value}` is not a number from 0 to {highest}"),
        no_time: |value, most| format!("`{value}` is not a number of seconds up to {most}"),
        empty: "it is empty",
        no_text: |word| format!("`{word}` is not UTF-8"),
        no_nick: |nick| format!("{nick:?} is not a nickname"),
        no_address: |host| format!("`{host}` is not an address"),
        no_name: "which server? Its name is empty",
        after_port: |word| format!("unexpected `{word}` after the port"),
        two_ports: |first, second| format!("a port is given twice: `{first}` and `{second}`"),
        long_motd: |bytes| format!("the lines of --motd may have {bytes} bytes, not more"),
        exclusive: |one, other| format!("{one} and {other} exclude each other"),
        scan_and_watch: "--scan and --watch exclude each other: a scan is made once",
        auto_and_address: "--auto finds a server by itself; leave the address out",
        raw_and_nick: "--raw sends nothing but what is typed; leave --nick out",

        look_at: |line| format!("Try `{line}`"),
        did_you_mean: |line| format!("Did you mean `{line}`?"),
    },
    discover: Discover {
        head: ["NAME", "ADDRESS", "USERS", "VERSION"],
        another_protocol: "another protocol",
        scanning: "Trying port 9000 of every address in the local networks \
                   (at most 4 of 254 each)...",
    },
    discovery: Discovery {
        no_network: "no network interface is up",
        elsewhere: "the server does not listen on any interface to announce it on",
        port_taken: "another program holds UDP port 5353",
        no_multicast: "the network does not carry multicast",
        blocked: "multicast may be blocked (guest Wi-Fi, VPN, firewall)",
    },
    error: Errors {
        address_in_use: |at, line| {
            format!(
                "cannot listen on {at}: address already in use\n\
                 Another server is running? Choose a port: {line}"
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
        silent: |server, seconds| {
            format!(
                "no answer from {server} in {seconds} s, though it accepts connections\n\
                 Is it a chat server? Look at its address and port again, \
                 or wait longer: --timeout SECS"
            )
        },
        lost: |server, line| format!("lost the connection to {server}\nJoin again: {line}"),
        not_found: |interfaces, seconds, cause| {
            let on =
                if interfaces.is_empty() { String::new() } else { format!(" on {interfaces}") };
            format!(
                "no server found{on} in {seconds:.1} s: {cause}\n\
                 Start one: minichat server; or try: minichat discover --scan; \
                 or give its address: minichat connect 192.168.1.100"
            )
        },
        unknown: |title| {
            format!(
                "no server {title:?} found, and no host of that name\n\
                 Look which there are: minichat discover; \
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
            format!("there is no network interface {name:?} that is up\nThere are: {others}")
        },
        no_nick: "no nickname\nUse --nick NAME or set MINICHAT_NICK",
        nick: |nick, why| {
            format!("the server did not take the nick {nick:?}: {why}\nChoose another: --nick NAME")
        },
        refused: |server, why| {
            format!("{server} does not let us in: {why}\nTry again later, or another server")
        },
        output: |why| format!("cannot write the output: {why}\nIs the disk full?"),
        signals: |why| {
            format!("cannot watch for signals: {why}\nIs the system out of memory or descriptors?")
        },
        search: |why| {
            format!("cannot look for servers: {why}\nIs the system out of memory or descriptors?")
        },

        system: |_, _| None,
    },
    operator: Operator {
        unknown: |word| format!("no command {word}: see /help; to say it to all: /say {word}"),
    },
    server: Server {
        listening: |at| format!("Listening on {at}"),
        announced: |title| format!("Announced as \"{title}\"."),
        join_from_network: "To join from this network:",
        join_from_machine: "To join from this machine:",
        notes: "Messages are not encrypted. Ctrl-C stops.",
        renamed: |old, new| format!("{old} is now {new}"),
        cut: |who, ip, what| format!("cut off {who} {ip}: reads too slowly ({what})"),
        guest: "a guest",
        behind: |bytes| format!("{bytes} bytes behind"),
        stalled: "nothing in 10 s",
        stopped: |members| match members {
            0 => "Server stopped; nobody was connected.".into(),
            1 => "Server stopped; 1 user was connected.".into(),
            _ => format!("Server stopped; {members} users were connected."),
        },
        warning: |what| format!("minichat: warning: {what}"),
        hidden: |why| format!("not announced ({why}); people can join by address"),
        log_gap: |path| format!("the log {path} has a gap: the disk was too slow"),
        log_failed: |path, why| {
            format!("the log {path} cannot be written: {why}; the chat goes on")
        },
    },
};
