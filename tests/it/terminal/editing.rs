//! The line that is being typed.

use super::{
    Chatter, PROMPT, SIZES, hears, holds, last, let_in, prompts, sit_down, sit_down_at, times_told,
    wait_for_draft,
};
use crate::harness::{Server, StandIn};

const TYPED: &str = "olá joão 👍 日本 tudo bem";

#[test]
fn arriving_lines_do_not_disturb_the_draft() {
    for size in SIZES {
        let server = Server::start(&[]);
        let tty = sit_down_at(server.address, size, &[], &[]);
        let chatter = Chatter::of(server.member("joao"));
        tty.wait("the chatter", |screen| screen.contains("joao  linha"));
        tty.types(TYPED);
        let mut joao = chatter.stop();
        joao.says("MSG fim");
        tty.wait("the end of the chatter", |screen| {
            screen.contains("joao  fim") && last(screen) == format!("{PROMPT} {TYPED}")
        });
        assert!(holds(&tty.screen(), TYPED), "{}", tty.screen());

        tty.send("\r");
        tty.wait("her own line", |screen| {
            screen.contains(&format!("ana  {TYPED}")) && holds(screen, "")
        });
        joao.skips_to(&format!("FROM ana [all]: {TYPED}"));
        joao.says("MSG recebido");
        hears(&tty, "joao  recebido");
        assert_eq!(times_told(&tty.lines(), &format!("ana  {TYPED}")), 1);
    }
}

#[test]
fn draft_stays_whole_where_it_wraps() {
    for (cols, rows) in SIZES {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let tty = sit_down_at(server.address, (cols, rows), &[], &[]);
        let cols = usize::from(cols);
        let room = cols - PROMPT.len() - 1;
        for width in [room - 1, room, room + 1, room + cols - 1, room + cols, room + cols + 1] {
            let text: String = ('a'..='z').cycle().take(width - 1).collect();
            tty.send(&text);
            wait_for_draft(&tty, &text);
            joao.says(format!("MSG com {width}"));
            tty.wait("the line above", |screen| {
                screen.contains(&format!("joao  com {width}")) && holds(screen, &text)
            });
            // One more key, and one back, now that everything has moved.
            tty.send("Z");
            wait_for_draft(&tty, &format!("{text}Z"));
            joao.says(format!("MSG ainda {width}"));
            tty.wait("the line above", |screen| {
                screen.contains(&format!("joao  ainda {width}"))
                    && holds(screen, &format!("{text}Z"))
            });
            tty.send("\x7f");
            wait_for_draft(&tty, &text);
            tty.send("\x15");
            wait_for_draft(&tty, "");
        }
        let lines = tty.lines();
        assert_eq!(lines.iter().filter(|line| line.contains("joao  com ")).count(), 6);
        assert_eq!(lines.iter().filter(|line| line.contains("joao  ainda ")).count(), 6);
    }
}

#[test]
fn draft_stays_whole_while_the_window_changes() {
    let text = "olá joão 👍 日本 tudo bem, até amanhã cedo";
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    tty.types(text);
    wait_for_draft(&tty, text);
    for cols in [30, 80, 60, 34] {
        tty.resize(cols, 14);
        // Where it fits into one row it must be in one.
        tty.wait(&format!("the draft in {cols} columns"), |screen| {
            holds(screen, text) && (cols < 60 || last(screen) == format!("{PROMPT} {text}"))
        });
        joao.says(format!("MSG em {cols}"));
        tty.wait("the line above", |screen| {
            screen.contains(&format!("joao  em {cols}")) && holds(screen, text)
        });
    }
    tty.send("\r");
    joao.skips_to(&format!("FROM ana [all]: {text}"));
}

#[test]
fn one_key_takes_back_one_character_as_people_see_it() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    for (text, rest) in [("olá", "ol"), ("oi 👍", "oi "), ("日本", "日"), ("joa\u{303}", "jo")]
    {
        tty.send(text);
        tty.wait("the text", |screen| holds(screen, text));
        tty.send("\x7f!");
        wait_for_draft(&tty, &format!("{rest}!"));
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
}

#[test]
fn tab_goes_round_the_nicks_while_lines_arrive() {
    let server = Server::start(&[]);
    let [mut joao, mut joana, mut jorge, mut maria] =
        server.members(["joao", "joana", "jorge", "maria"]);
    let tty = sit_down(server.address);
    for (peer, nick) in [(&mut jorge, "jorge"), (&mut joao, "joao"), (&mut joana, "joana")] {
        peer.says("MSG oi");
        hears(&tty, &format!("{nick}  oi"));
    }
    tty.send("jo");
    wait_for_draft(&tty, "jo");
    for (n, nick) in ["joana", "joao", "jorge", "joana"].into_iter().enumerate() {
        tty.send("\t");
        tty.wait(&format!("{nick} in the draft"), |screen| {
            prompts(screen, PROMPT) == 1 && last(screen).starts_with(&format!("{PROMPT} {nick}"))
        });
        let draft = last(&tty.screen()).to_string();
        // A speaker now does not change the round.
        maria.says(format!("MSG linha {n}"));
        joao.says(format!("MSG linha {n}"));
        tty.wait("the lines above", |screen| {
            let line = |nick: &str| screen.contains(&format!("{nick}  linha {n}"));
            line("maria") && line("joao") && last(screen) == draft
        });
    }
    tty.send("oi\r");
    maria.skips_to("FROM ana [all]: joana: oi");
}

#[test]
fn tab_completes_nicks_inside_of_a_line_and_behind_an_at_sign() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("oi jo\t");
    tty.wait("the nick", |screen| last(screen) == format!("{PROMPT} oi joao"));
    tty.send("?\r");
    let line = joao.line();
    assert!(line == "FROM ana [all]: oi joao ?" || line == "FROM ana [all]: oi joao?", "{line}");
    // As fast as a paste would be no key of a person's.
    tty.types("@j\t");
    tty.wait("the nick", |screen| last(screen) == format!("{PROMPT} @joao"));
    tty.send("psst\r");
    joao.reads("FROM ana [dm]: psst");
}

#[test]
fn tab_completes_commands() {
    let server = Server::start(&[]);
    let tty = sit_down(server.address);
    for (begun, whole) in [("/wh", "/who x"), ("/he", "/help x"), ("/ig", "/ignore x")] {
        tty.send(format!("{begun}\tx"));
        wait_for_draft(&tty, whole);
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
}

#[test]
fn tab_with_nothing_to_complete_causes_no_delay() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    for text in ["", "xyz", "/xyz", "@"] {
        tty.send(format!("{text}\t\t"));
        joao.says(format!("MSG depois de {text:?}"));
        hears(&tty, &format!("joao  depois de {text:?}"));
        tty.send("\x15");
        wait_for_draft(&tty, "");
    }
}

#[test]
fn a_paste_is_seen_first_and_sent_in_order_by_one_enter() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("\x1b[200~a\rb\rc\x1b[201~");
    wait_for_draft(&tty, "abc");
    joao.reads_nothing_more();
    tty.send("\r");
    for text in ["a", "b", "c"] {
        joao.reads(format!("FROM ana [all]: {text}"));
    }
    hears(&tty, "ana  c");
    wait_for_draft(&tty, "");
    assert_eq!(
        ["a", "b", "c"].map(|text| times_told(&tty.lines(), &format!("ana  {text}"))),
        [1, 1, 1]
    );
    joao.reads_nothing_more();
}

#[test]
fn a_paste_of_several_lines_commands_nothing() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send("\x1b[200~a\tb\n/quit\n\n@app.route(\"/\")\nWHO\n@joao psst\n\t// fim\x1b[201~\r");
    for text in [
        "a\tb",
        "/quit",
        "\u{2800}",
        "\u{2800}@app.route(\"/\")",
        "WHO",
        "\u{2800}@joao psst",
        "\t// fim",
    ] {
        joao.reads(format!("FROM ana [all]: {text}"));
    }
    // One line is a text, too, also when it is called back.
    for text in ["// TODO: fix", "/* comment */", "/etc", "/quit", "QUIT", "/msg joao psst"] {
        tty.send(format!("\x1b[200~{text}\x1b[201~"));
        wait_for_draft(&tty, text);
        tty.send("\r");
        joao.reads(format!("FROM ana [all]: {text}"));
        tty.send("\x1b[A");
        wait_for_draft(&tty, text);
        tty.send("\r");
        joao.reads(format!("FROM ana [all]: {text}"));
    }
    joao.reads_nothing_more();
}

#[test]
fn typed_address_before_a_paste_keeps_all_of_it_private() {
    let server = Server::start(&[]);
    let [mut joao, mut maria] = server.members(["joao", "maria"]);
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    maria.reads("User ana joined.");
    tty.send("@joao ");
    wait_for_draft(&tty, "@joao");
    tty.send("\x1b[200~segredo\n\n/x\n@maria y\x1b[201~");
    tty.wait("the paste", |screen| screen.contains("@maria y"));
    tty.send("\r");
    for text in ["segredo", "\u{2800}", "/x", "@maria y"] {
        joao.reads(format!("FROM ana [dm]: {text}"));
    }
    joao.reads_nothing_more();
    maria.reads_nothing_more();
}

#[test]
fn addressed_lines_are_never_said_to_all() {
    let server = Server::start(&[]);
    let [mut joao, mut maria] = server.members(["joao", "maria"]);
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    maria.reads("User ana joined.");
    for (line, sent) in [
        ("＠joao um", true),
        ("\u{3000}@joao dois", true),
        ("\u{A0}/msg joao três", true),
        ("／msg　joao quatro", true),
        ("MSG ＠joao cinco", false),
        (" /MSG joao seis", false),
        ("/ msg joao sete", false),
        ("@ joao oito", false),
        (" /mgs joao nove", false),
    ] {
        tty.enters(line);
        match sent {
            true => joao.reads(format!("FROM ana [dm]: {}", line.rsplit(' ').next().unwrap())),
            false => tty.wait("the empty line", |screen| holds(screen, "")),
        }
    }
    tty.enters("fim");
    for peer in [&mut joao, &mut maria] {
        peer.reads("FROM ana [all]: fim");
        peer.reads_nothing_more();
    }
}

#[test]
fn code_from_a_terminal_without_paste_marks_completes_no_nick() {
    let server = Server::start(&[]);
    let mut bia = server.member("bia");
    let tty = sit_down(server.address);
    bia.reads("User ana joined.");
    tty.send("def f(b):\r\n\tif b:\r\n\t\treturn 1\r\nb\t= 2\r\n");
    for text in ["def f(b):", "\tif b:", "\t\treturn 1", "b\t= 2"] {
        bia.reads(format!("FROM ana [all]: {text}"));
    }
    bia.reads_nothing_more();
}

#[test]
fn thirty_lines_typed_at_once_are_thirty_messages() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.send((0..30).map(|n| format!("linha {n}\r")).collect::<String>());
    for n in 0..30 {
        joao.reads(format!("FROM ana [all]: linha {n}"));
    }
    joao.reads_nothing_more();
    tty.wait("all of them", |screen| screen.contains("ana  linha 29") && holds(screen, ""));
    for n in 0..30 {
        assert_eq!(times_told(&tty.lines(), &format!("ana  linha {n}")), 1, "linha {n}");
    }
}

#[test]
fn lines_typed_before_the_prompt_is_there_are_not_lost() {
    let door = StandIn::open();
    let tty = super::start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    tty.send("um\rdois\rmeio");
    let_in(&mut server, "ana");
    let said = [server.line(), server.line()];
    assert_eq!(said, ["MSG um", "MSG dois"]);
    wait_for_draft(&tty, "meio");
}

#[test]
fn a_paste_of_five_thousand_lines_is_delivered_whole() {
    let server = Server::start(&["--rate", "0"]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    let lines: Vec<String> = (0..5000).map(|n| format!("linha {n}")).collect();
    tty.send(format!("\x1b[200~{}\x1b[201~\r", lines.join("\r")));
    for line in lines {
        joao.reads(format!("FROM ana [all]: {line}"));
    }
    joao.reads_nothing_more();
    tty.wait("the last line", |screen| screen.contains("ana  linha 4999") && holds(screen, ""));
}

#[test]
fn earlier_lines_come_back_and_the_unsent_draft_does_too() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for line in ["um", "dois"] {
        tty.enters(line);
        hears(&tty, &format!("ana  {line}"));
    }
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    for (key, text) in [
        ("\x1b[A", "dois"),
        ("\x1b[A", "um"),
        ("\x1b[A", "um"),
        ("\x1b[B", "dois"),
        ("\x1b[B", "rascunho"),
        ("\x10", "dois"),
        ("\x0e", "rascunho"),
    ] {
        tty.send(key);
        wait_for_draft(&tty, text);
    }
    tty.send(" vivo\r");
    for line in ["um", "dois", "rascunho vivo"] {
        joao.reads(format!("FROM ana [all]: {line}"));
    }
    tty.send("\x1b[A\x1b[A!\r");
    joao.reads("FROM ana [all]: dois!");
}

#[test]
fn own_line_is_shown_though_the_server_does_not_answer() {
    let door = StandIn::open();
    let tty = super::start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana");
    super::ready(&tty);
    tty.enters("ninguém me responde");
    hears(&tty, "ana  ninguém me responde");
    wait_for_draft(&tty, "");
    server.reads("MSG ninguém me responde");
}

#[test]
fn an_own_line_is_shown_once_though_it_comes_back() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for text in ["olá", "olá", "olá  duas  vezes"] {
        tty.enters(text);
        joao.reads(format!("FROM ana [all]: {text}"));
    }
    joao.says("MSG fim");
    hears(&tty, "joao  fim");
    assert_eq!(times_told(&tty.lines(), "ana  olá"), 2);
    assert_eq!(times_told(&tty.lines(), "ana  olá  duas  vezes"), 1);
}
