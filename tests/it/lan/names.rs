//! Servers are joined by the names that they were given, and what cannot be reached is
//! told with the way out that fits.

use super::{Host, on_a_lan};

/// Drops what comes for one TCP port, as a firewall does.
const SHUT: &str = "
    table inet shut {
        chain heard {
            type filter hook input priority 0; policy accept;
            tcp dport 9009 drop
        }
    }";

/// Starts a server of this name, and joins it from another host by this word.
fn check(server: &Host, client: &Host, name: &str, word: &str) {
    let name = format!("--name={name}");
    let _server = server.server(&[&name]);
    let output = client.run(&["connect", "--nick", "bot", "-t", "10", "--", word], "oi\n");
    assert_eq!(output.status, Some(0), "{name} by {word:?}: {}", output.stderr);
}

#[test]
fn any_title_is_joined_by_its_name() {
    on_a_lan(2, |lan| {
        for (name, word) in [
            ("101", "101"),
            ("3.5", "3.5"),
            ("0x10", "0x10"),
            ("Turma:1", "turma:1"),
            ("Sala 2:9000", "Sala 2:9000"),
            ("localhost", "localhost"),
            ("Química", "QUI\u{301}MICA"),
            ("  Redes   1 ", " redes 1  "),
            (&"x".repeat(100), &"x".repeat(100)),
            ("[a]:1", "[a]:1"),
        ] {
            check(lan.host(1), lan.host(2), name, word);
        }
    });
}

#[test]
fn name_with_blanks_is_guessed_if_quotes_are_missing() {
    on_a_lan(2, |lan| {
        let _server = lan.host(1).server(&["--name", "Redes 1"]);
        lan.host(2).sees(&["Redes 1"]);
        let output = lan.host(2).tries(&["Redes", "1"]);
        let (_, way_out) = output.complaint();
        assert_eq!(output.status, Some(3));
        assert_eq!(way_out, "Did you mean that? minichat connect \"Redes 1\"");
        let output = lan.host(2).tries(&["Sala", "de", "Redes"]);
        let (what, _) = output.complaint();
        assert_eq!(output.status, Some(2));
        assert!(what.contains("minichat connect \"Sala de Redes\""), "{what}");
    });
}

#[test]
fn servers_of_one_title_are_told_apart_by_address() {
    on_a_lan(2, |lan| {
        let start = |port| lan.host(1).server(&["--name", "Sala", "--port", port]);
        let _first = start("9001");
        lan.host(1).sees(&["Sala"]);
        let _second = start("9002");
        let mut watch = lan.host(2).watch();
        watch.stdout.find("10.77.0.1:9002");
        let output = lan.host(2).tries(&["Sala"]);
        let (what, way_out) = output.complaint();
        assert_eq!(output.status, Some(2), "{what}");
        assert!(what.contains("10.77.0.1:9001") && what.contains("10.77.0.1:9002"), "{what}");
        assert!(way_out.contains("minichat connect 10.77.0.1:900"), "{way_out}");
    });
}

#[test]
fn advice_fits_what_is_broken() {
    on_a_lan(2, |lan| {
        lan.host(1).nft(SHUT);
        for (word, english, portuguese) in [
            ("10.77.0.1:9009", "let in TCP port 9009?", "deixa entrar a porta TCP 9009?"),
            ("192.0.2.1", "in another network", "em outra rede"),
            ("10.77.0.99", "in another network", "em outra rede"),
            ("10.77.0.1", "Start it: minichat server", "Inicie-o: minichat server"),
            ("Redes 1", "minichat discover --scan", "minichat discover --scan"),
        ] {
            for (language, advice) in [("en_US.UTF-8", english), ("pt_BR.UTF-8", portuguese)] {
                let output =
                    lan.host(2).run_in(language, &["connect", "-n", "bot", "-t", "6", word]);
                assert!(output.stderr.contains(advice), "{word}: {}", output.stderr);
            }
        }
    });
}
