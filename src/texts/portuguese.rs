use std::io::ErrorKind;

use super::{
    Client, CommandLine, Discover, Discovery, Errors, Language, Operator, Server, Terminal, Texts,
    bare, grouped,
};

/// Portuguese, as in Brazil.
pub static PORTUGUESE: Texts = Texts {
    client: Client {
        language: Language::Portuguese,
        said_to_all: "O resto é dito a todos; //TEXTO diz /TEXTO",
        looking: "Procurando um servidor...",
        joining: |server| format!("entrando em {server}"),
        welcome: "As mensagens não são criptografadas. /help mostra os comandos.",
        welcome_encrypted: "/help mostra os comandos.",
        which: "Qual deles? [1] ",
        open_room: "Ninguém tem uma sala aqui. Abrir uma? [S/n] ",
        no: &["n", "nao", "não"],
        opened: "Você abriu uma sala: ela vive neste programa. Os outros só digitam: minichat",
        hosted: "Esta sala vive nas máquinas de quem está nela: não há um servidor à parte.",
        room_ends: "Se você sair, a sala acaba: nenhuma outra máquina daqui pode ser alcançada (um firewall?).",
        room_moved: "A sala está em outra máquina agora.",
        room_held: "A sala está com você agora; ela continua quando você sair.",
        people: |count| match count {
            0 => "ninguém ainda".into(),
            1 => "1 pessoa".into(),
            _ => format!("{count} pessoas"),
        },
        no_choice: |answer, count| match count {
            1 => format!("{answer} não é esse: digite 1, ou o nome dele"),
            _ => {
                format!("{answer} não é nenhum deles: digite um número de 1 a {count}, ou um nome")
            }
        },
        nickname: |proposal| match proposal {
            "" => "Apelido: ".into(),
            _ => format!("Apelido [{proposal}]: "),
        },
        you_are: |nick| format!("Você é {nick}."),
        here: |nicks, count| format!("Aqui: {nicks} ({count} ao todo)"),
        alone: "Ninguém mais está aqui ainda.",
        users: |count, nicks| format!("aqui ({count}): {nicks}"),
        joined: |nicks, count| {
            format!("+ {nicks} {}", if count == 1 { "entrou" } else { "entraram" })
        },
        left: |nicks, count| format!("- {nicks} {}", if count == 1 { "saiu" } else { "saíram" }),
        history: |count| format!("Histórico: {count}"),
        stopping: "o servidor está parando; até logo",
        goes_on: |address| format!("a sala continua em {address}"),
        removed: "o operador tirou você da sala",
        notices_end: "há tanta gente aqui que não se avisa mais quem entra e quem sai",
        notices_again: "volta o aviso de quem entra e quem sai",
        notices_off: "aqui não se avisa quem entra e quem sai",
        nick_lost: "outra pessoa ficou com o seu apelido enquanto este servidor estava isolado",
        cut_off: "os outros servidores não respondem; o que você disser espera por eles",
        together: "os servidores desta sala estão juntos de novo",
        others: |count, in_the_clear| {
            let people = if count == 1 { "pessoa" } else { "pessoas" };
            let clear = if in_the_clear { " sem criptografia" } else { "" };
            format!("e mais {} {people}{clear}", grouped(count as u64, '.'))
        },
        in_the_clear: |nicks, _| {
            format!(
                "Conversa criptografada, mas sem criptografia para {nicks}: o que você diz a todos pode ser lido no caminho até lá."
            )
        },
        more: |count| format!("e mais {count}"),
        remembered: |count, since| match count {
            1 => format!("--- a sala lembra 1 linha desde {since} ---"),
            _ => format!("--- a sala lembra {count} linhas desde {since} ---"),
        },
        past: |count, since| match count {
            1 => format!("--- 1 linha desde {since} ---"),
            _ => format!("--- {count} linhas desde {since} ---"),
        },
        past_cut: |count, all| match count {
            1 => format!("--- a última de {all}; /last mostra outras ---"),
            _ => format!("--- as últimas {count} de {all}; /last mostra outras ---"),
        },
        past_end: "--- agora ---",
        nothing_found: "nada encontrado",
        no_history: "este servidor não guarda histórico",
        still_searching: "o servidor ainda faz a busca anterior; espere a resposta",
        searches_too_fast: "buscas demais; espere 10 segundos",
        search_length: "procure de 2 a 200 bytes; uma letra com acento tem 2",
        since_failed: |path, why| {
            format!("não foi possível gravar {path}: {why}; o que foi lido não fica marcado")
        },
        recorded: |days| match days {
            None => "esta sala é gravada: o que é dito a todos fica guardado".into(),
            Some(1) => "esta sala é gravada: o que é dito a todos fica guardado por 1 dia".into(),
            Some(days) => {
                format!("esta sala é gravada: o que é dito a todos fica guardado por {days} dias")
            }
        },
        number: |number| grouped(number, '.'),
        you: "você",
        bye: "Até logo.",
        refused: |why| format!("o servidor recusou: {why}"),
        nick_taken: |nick, other| format!("\"{nick}\" já está em uso. Tente {other}:"),
        nick_refused: |nick, why| format!("\"{nick}\" foi recusado: {why}"),
        nick_in_use: "alguém aqui já usa esse apelido",
        perhaps: |nick| format!("talvez {nick}"),
        nick_reserved: "ele é reservado",
        nick_invalid: "um apelido tem de 1 a 32 letras, algarismos, '-', '_' ou '.'",
        user_not_found: "ninguém aqui tem esse apelido",
        malformed_dm: "uma mensagem direta precisa de um apelido e de um texto",
        empty_message: "não havia texto",
        not_registered: "é preciso escolher um apelido primeiro",
        unknown_command: "ele não conhece esse comando",
        line_too_long: "a linha é longa demais",
        invalid_utf8: "o texto não é UTF-8",
        too_fast: "apelidos demais em tão pouco tempo",
        muted: "quem opera o servidor silenciou você; ninguém recebeu isso",
        room_full: "a sala está cheia",
        banned: "quem opera o servidor não deixa ninguém entrar do seu endereço",
        crowded: "há conexões demais do seu endereço",
        registration_timeout: "ele esperou demais por um apelido; entre de novo",
        bad_handshake: "ele não conhece esta criptografia",
        encryption_required: "lá tudo é criptografado; entre com o minichat",
        wrong_password: "a senha dele é outra",
        too_many_guesses: "houve tentativas de senha demais; espere um minuto",
        said_goodbye: "ele se despediu",
        closed: "ele fechou a conexão; é um servidor de chat?",
        in_pieces: |count| format!("essa linha era longa demais para uma mensagem; foi em {count}"),
        left_out: "o servidor mandou uma linha longa demais; ela foi omitida",
        garbled: "* isso não era UTF-8; o que veio junto foi descartado",
        long_nick: "ninguém tem um apelido tão longo; nada foi enviado",
        private: "para falar com uma pessoa: @APELIDO TEXTO; nada foi enviado",
        message: "MSG TEXTO; nada foi enviado",
        usage: |usage| format!("{usage}; nada foi enviado"),
        unknown: |word, guess| match guess {
            Some(guess) => {
                format!(
                    "não há comando {word}. Você quis dizer {guess}? Para enviar como texto: /{word}"
                )
            }
            None => format!("não há comando {word}: veja /help; para enviar como texto: /{word}"),
        },
        ambiguous: |word, words| format!("{word} pode ser {words}"),
        leave: "/quit sai; para enviar a palavra, digite um espaço antes",
        nobody: |nick, guess| match guess {
            Some(guess) => format!("{nick} não está aqui. Você quis dizer {guess}?"),
            None => format!("{nick} não está aqui; nada foi enviado"),
        },
        no_reply: "ninguém falou só com você ainda",
        reply_gone: |nick, successor| match successor {
            Some(other) => format!(
                "{nick} saiu e talvez tenha voltado como {other}; nada foi enviado. \
                 Para falar com {other}: @{} TEXTO",
                bare(other)
            ),
            None => format!(
                "{nick} saiu, ou você esteve fora, e o apelido pode ser de outra pessoa agora; \
                 nada foi enviado. Para falar com {nick} mesmo assim: @{} TEXTO",
                bare(nick)
            ),
        },
        changed_hands: |nick| {
            format!(
                "{nick} pode não ser a mesma pessoa de antes; nada foi enviado. \
                 Repita a linha para enviar"
            )
        },
        one_line: "um comando tem uma linha só; nada foi enviado",
        on_its_way: |text| format!("a caminho, mas ainda não foi dito: {text}"),
        ignoring: |nick| format!("ignorando {nick} até sair; de novo para voltar a ler"),
        heeding: |nick| format!("{nick} não é mais ignorado"),
        ignoring_too: |nick, old| {
            format!(
                "ignorando também {nick}: talvez seja {old} com outro apelido; \
                 /ignore {} volta a mostrar",
                bare(nick)
            )
        },
        heard_again: |nick| {
            format!(
                "{nick} não está sendo ignorado: pode não ser a mesma pessoa de antes; \
                 /ignore {} esconde",
                bare(nick)
            )
        },
        still_ignoring: |nicks| {
            format!("{nicks}: ignorando ainda, embora possam ser outras pessoas agora")
        },
        ignored: |nicks| format!("ignorados: {nicks}"),
        ignored_nobody: "ninguém é ignorado",
        quiet: |quiet| match quiet {
            true => "entradas e saídas não são mais mostradas".into(),
            false => "entradas e saídas voltam a ser mostradas".into(),
        },
        bell: |when| format!("sinal sonoro: {when}"),
        no_screen: "aqui não há tela para limpar",
        lost: "conexão perdida; tentando de novo (Ctrl-C sai)",
        back: |nick, at| match at {
            Some(at) => format!("de volta, como {nick}, em {at}"),
            None => format!("de volta, como {nick}"),
        },
        offline: "sem conexão; nada foi enviado (a seta para cima traz de volta)",
        dismissed: |why| format!("o servidor encerrou a conversa: {why}"),
        rest: "a conversa acabou antes da entrada; o resto não foi enviado",
        unheard: |text| format!("talvez ninguém tenha recebido: {text}"),
        unheard_more: |count| match count {
            1 => "e mais uma mensagem".into(),
            _ => format!("e mais {count} mensagens"),
        },
        held: |nick| {
            format!(
                "\"{nick}\" ainda está em uso, talvez pela sua própria conexão perdida; /nick troca"
            )
        },
        oneself: "é você",
        not_yet: |why| format!("o servidor está lá, mas {why}; tentando de novo"),
    },
    cli: CommandLine {
        language: Language::Portuguese,
        usage: |command| match command {
            "server" => "Uso: minichat server [OPÇÕES]",
            "discover" => "Uso: minichat discover [OPÇÕES]",
            "connect" => "Uso: minichat connect [OPÇÕES] [HOST[:PORTA] | HOST PORTA | NOME]",
            "completions" => "Uso: minichat completions SHELL",
            _ => {
                "Uso: minichat [-h | -V]\n     minichat [COMANDO [OPÇÕES]]\n     \
                 minichat [OPÇÕES] HOST[:PORTA] | NOME"
            }
        },
        arguments: "Argumentos:",
        options: "Opções:",
        commands: "Comandos:",
        more: "Veja `minichat COMANDO --help` para as opções de cada um.",
        examples: "Exemplos:",
        examples_of: |command| match command {
            "server" => &["minichat server", "minichat server --name \"Sala 3\" --history 20"],
            "discover" => &["minichat discover", "minichat discover --json | jq -r .name"],
            "connect" => &[
                "minichat connect \"Sala 3\"",
                "minichat connect 192.168.1.100",
                "uptime | minichat connect --auto --nick bot",
                "minichat connect --auto --nick log --stay --json < /dev/null >> conversa.jsonl",
            ],
            "completions" => &["source <(minichat completions bash)"],
            _ => &["minichat server", "minichat", "minichat \"Sala 3\"", "minichat 192.168.1.100"],
        },

        unknown_option: |option| format!("opção desconhecida `{option}`"),
        unknown_command: |command| format!("comando desconhecido `{command}`"),
        unexpected: |word| format!("`{word}` sobra aqui"),
        missing_value: |option| format!("falta o valor da opção `{option}`"),
        needless_value: |option| format!("a opção `{option}` não aceita valor"),
        wrong_value: |option, what| format!("valor inválido para a opção `{option}`: {what}"),

        no_port: |value, lowest| {
            format!("`{value}` não é uma porta: um número de {lowest} a 65535")
        },
        no_ip: |value| format!("`{value}` não é um endereço IP"),
        one_link: |value| {
            format!("`{value}` só vale em um enlace; use outro endereço, ou :: para todo o IPv6")
        },
        no_engine: "tem de ser como redis://HOST/SALA ou unix:///CAMINHO?room=SALA",
        engine_tls: "o minichat não fala TLS com um motor; use redis:// por um stunnel, ou unix://",
        no_number: |value, highest| format!("`{value}` não é um número de 0 a {highest}"),
        no_time: |value, most| format!("`{value}` não é um número de segundos até {most}"),
        no_choice: |value, words| format!("`{value}` não é um destes: {words}"),
        no_shell: |words| format!("qual shell? Um destes: {words}"),
        no_dash: "`-` não nomeia um arquivo; um arquivo com esse nome é ./-",
        empty: "está vazio",
        no_text: |word| format!("`{word}` não é UTF-8"),
        no_nick: |nick| format!("{nick:?} não serve de apelido"),
        no_address: |host| format!("`{host}` não é um endereço"),
        no_name: "qual servidor? O nome está vazio",
        garbled_name: |word| {
            format!("nenhum servidor ou máquina tem caracteres de controle no nome: `{word}`")
        },
        after_port: |word| format!("`{word}` inesperado depois da porta"),
        unquoted: |name| {
            format!("um nome com espaços fica entre aspas: minichat connect \"{name}\"")
        },
        two_ports: |first, second| format!("há duas portas: `{first}` e `{second}`"),
        long_motd: |bytes| format!("cada linha de --motd pode ter {bytes} bytes, não mais"),
        no_web_port: |port| format!("navegadores não abrem a porta {port}; use outra"),
        password_short: |least| format!("a senha tem {least} caracteres ou mais"),
        password_long: |most| format!("a senha tem no máximo {most} bytes"),
        password_unseen: "a senha é UTF-8 sem caracteres de controle",
        password_unshown: "--quiet não mostra a senha criada; defina MINICHAT_PASSWORD",
        exclusive: |one, other| format!("use {one} ou {other}, não os dois"),
        lacking: |one, other| format!("{one} não faz nada sem {other}"),
        scan_and_watch: "use --scan ou --watch, não os dois: a varredura é feita uma vez só",
        auto_and_address: "--auto encontra um servidor sozinho; tire o endereço",
        raw_and_nick: "--raw só envia o que é digitado; tire --nick",

        look_at: |line| format!("Veja `{line}`"),
        did_you_mean: |line| format!("Você quis dizer `{line}`?"),
    },
    discover: Discover {
        head: ["NOME", "ENDEREÇO", "USUÁRIOS", "VERSÃO", "PÁGINA"],
        another_protocol: "outro protocolo",
        hosted: "de um membro",
        scanning: "Tentando a porta 9000 de cada endereço das redes locais \
                   (no máximo 4, com 254 cada)...",
    },
    discovery: Discovery {
        no_network: "nenhuma interface de rede está ativa",
        elsewhere: "o servidor não escuta em nenhuma interface de rede onde possa ser anunciado",
        port_taken: "outro programa ocupa a porta UDP 5353",
        no_multicast: "a rede não transporta multicast",
        blocked: "ainda não há servidor aqui, ou o multicast pode estar bloqueado (Wi-Fi de visitantes, VPN, firewall)",
    },
    encryption: super::encryption::PORTUGUESE,
    error: Errors {
        address_in_use: |at, line| {
            format!(
                "não foi possível escutar em {at}: o endereço já está em uso\n\
                 Há outro servidor rodando? Escolha outra porta: {line}"
            )
        },
        listen_for_page: |at, why| {
            format!(
                "não foi possível servir a página para navegadores em {at}: {why}\n\
                 Escolha outra porta com --web-port PORTA, ou nenhuma página com --no-web"
            )
        },
        port_denied: |at| {
            format!(
                "não foi possível escutar em {at}: permissão negada\n\
                 Portas abaixo de 1024 são para administradores. \
                 Escolha outra: minichat server --port 9000"
            )
        },
        no_such_address: |at| {
            format!(
                "não foi possível escutar em {at}: esta máquina não tem esse endereço\n\
                 Tire --bind para escutar em todos os endereços que ela tem"
            )
        },
        listen: |at, why| {
            format!("não foi possível escutar em {at}: {why}\nTente outro --bind ou --port")
        },
        log: |path, why| {
            format!(
                "não foi possível gravar o log {path}: {why}\n\
                 Escolha um arquivo em que você possa escrever: --log ARQUIVO"
            )
        },
        store: |dir, why| {
            format!(
                "não foi possível guardar em {dir}: {why}\n\
                 Escolha uma pasta em que você possa escrever: --store PASTA"
            )
        },
        store_in_use: |dir| {
            format!(
                "não foi possível guardar em {dir}: outro servidor a usa\n\
                 Pare esse servidor, ou escolha outra pasta: --store PASTA"
            )
        },
        store_not_ours: |dir| {
            format!(
                "não foi possível guardar em {dir}: ela é de outro usuário\n\
                 Escolha uma pasta sua: --store PASTA"
            )
        },
        store_unknown: |file| {
            format!(
                "não foi possível guardar junto de {file}: não é um histórico, \
                 ou é de um minichat mais novo\n\
                 Nada foi mudado; escolha outra pasta: --store PASTA"
            )
        },
        engine: |at, why| {
            format!(
                "não foi possível usar o motor em {at}: {why}\n\
                 Veja se ele está no ar e pode ser usado: redis-cli -u URL ping"
            )
        },
        engine_login: "ele não conhece esse usuário ou essa senha",
        engine_denied: |why| format!("sem permissão: {why}"),
        engine_old: "ele é antigo demais; é preciso Redis 6.2, Valkey ou mais novo",
        engine_key: |key| format!("a chave {key} guarda outra coisa"),
        engine_version: |version| {
            format!("outro minichat usa esta sala, com a versão {version} do log")
        },
        engine_missing: "este minichat foi compilado sem motores",
        since: |path, why| {
            format!(
                "não foi possível ler {path}: {why}\n\
                 Escolha um arquivo que você possa ler: --since-file ARQUIVO"
            )
        },
        no_place: |path| {
            format!(
                "não dá para continuar de {path}: ele contém outra coisa, não um lugar\n\
                 Escolha outro arquivo, que pode ainda não existir: --since-file ARQUIVO"
            )
        },
        log_held: |path| {
            format!(
                "não foi possível abrir o log {path}: ninguém lê esse pipe, ou o disco travou\n\
                 Inicie antes o leitor do pipe, ou escolha outro arquivo: --log ARQUIVO"
            )
        },
        resolve: |host, why| {
            format!(
                "não foi possível encontrar {host:?}: {why}\n\
                 Use o endereço que o servidor mostra: minichat connect 192.168.1.100"
            )
        },
        connect: |server, line, why| {
            format!(
                "não foi possível conectar a {server}: {why}\n\
                 O servidor está rodando lá? Inicie-o: {line}"
            )
        },
        unanswered: |server, port, why| {
            format!(
                "não foi possível conectar a {server}: {why}\n\
                 Aquela máquina está ligada? O firewall dela deixa entrar a porta TCP {port}?"
            )
        },
        unreachable: |server, why| {
            format!(
                "não foi possível conectar a {server}: {why}\n\
                 Esse endereço fica em outra rede, ou nenhuma máquina o tem. \
                 Entre na rede do servidor, ou veja quem atende aqui: minichat discover"
            )
        },
        no_link: |server, why| {
            format!(
                "não foi possível conectar a {server}: {why}\n\
                 Um endereço que começa com fe80 precisa da interface no fim: fe80::1%eth0"
            )
        },
        silent: |server, seconds| {
            let seconds = comma(&seconds.to_string());
            format!(
                "{server} não respondeu em {seconds} s, embora aceite conexões\n\
                 É um servidor de chat? Confira o endereço e a porta, \
                 ou espere mais: --timeout SEGUNDOS"
            )
        },
        lost: |server, line| format!("a conexão com {server} foi perdida\nEntre de novo: {line}"),
        not_found: |interfaces, seconds, cause| {
            let seconds = comma(&format!("{seconds:.1}"));
            if interfaces.is_empty() {
                return format!(
                    "nenhum servidor encontrado em {seconds} s: {cause}\n\
                     Conecte esta máquina a uma rede, por cabo ou Wi-Fi; \
                     um servidor nesta máquina fica em: minichat connect 127.0.0.1"
                );
            }
            format!(
                "nenhum servidor encontrado via {interfaces} em {seconds} s: {cause}\n\
                 Inicie um: minichat server; ou tente: minichat discover --scan; \
                 ou dê o endereço: minichat connect 192.168.1.100"
            )
        },
        not_scanned: |interfaces, port| {
            let via =
                if interfaces.is_empty() { String::new() } else { format!(" via {interfaces}") };
            format!(
                "nenhum servidor encontrado{via}, nem em algum endereço de lá na porta TCP {port}\n\
                 Inicie um: minichat server; ou libere a porta TCP {port} na máquina do servidor; \
                 outra porta precisa do endereço: minichat connect 192.168.1.100:9001"
            )
        },
        unknown: |title| {
            format!(
                "nenhum servidor {title:?} encontrado, nem máquina com esse nome\n\
                 Ele está rodando? O multicast pode estar bloqueado: tente minichat discover --scan; \
                 ou dê o endereço: minichat connect 192.168.1.100"
            )
        },
        unknown_among: |title, others| {
            format!(
                "nenhum servidor {title:?} encontrado, nem máquina com esse nome\nDisponíveis: {others}"
            )
        },
        several: |titles| {
            format!(
                "há vários servidores: {titles}\n\
                 Diga qual: minichat connect NOME; \
                 ou entre no primeiro: minichat connect --auto"
            )
        },
        same_title: |titles, address| {
            format!(
                "há vários servidores com esse nome: {titles}\n\
                 Diga qual pelo endereço: minichat connect {address}"
            )
        },
        meant: |host, name| {
            format!(
                "não há máquina {host:?}, mas há um servidor de nome mais longo\n\
                 Era esse? minichat connect {name}"
            )
        },
        incompatible: |title, version| {
            format!(
                "{title:?} fala outra versão do protocolo: {version}\n\
                 Use a versão do minichat que ele tem: minichat discover a mostra"
            )
        },
        unversioned: |title| {
            format!(
                "{title:?} não diz qual protocolo fala\n\
                 Se for um chat, entre pelo endereço: minichat discover o mostra"
            )
        },
        no_interface: |name, others| {
            let way_out = match others {
                "" => "Não há nenhuma: conecte esta máquina a uma rede, por cabo ou Wi-Fi".into(),
                others => format!("Disponíveis: {others}"),
            };
            format!("não há interface de rede {name:?} ativa\n{way_out}")
        },
        no_nick: "falta o apelido\nUse --nick APELIDO ou defina MINICHAT_NICK",
        nick: |nick, why| {
            format!(
                "o servidor não aceitou o apelido {nick:?}: {why}\nEscolha outro: --nick APELIDO"
            )
        },
        refused: |server, why| {
            format!("{server} não permite a entrada: {why}\nTente mais tarde, ou outro servidor")
        },
        input: |why| {
            format!(
                "não foi possível ler a entrada padrão: {why}\nDê um arquivo ou um pipe: minichat < ARQUIVO"
            )
        },
        utf16: "a entrada é UTF-16\nConverta para UTF-8: iconv -f UTF-16 -t UTF-8 ARQUIVO | minichat connect",
        output: |why| format!("não foi possível gravar a saída: {why}\nO disco está cheio?"),
        signals: |why| {
            format!(
                "não foi possível receber sinais: {why}\n\
                 O sistema está sem memória ou sem descritores?"
            )
        },
        search: |why| {
            format!(
                "não foi possível procurar servidores: {why}\n\
                 O sistema está sem memória ou sem descritores?"
            )
        },
        no_workers: |why| {
            format!(
                "não foi possível começar, o limite de processos foi atingido: {why}\n\
                 Aumente o limite de processos (ulimit -u, TasksMax) ou feche outros programas"
            )
        },

        system: |kind, words| {
            Some(match (kind, words) {
                (ErrorKind::AddrInUse, _) => "o endereço já está em uso",
                (ErrorKind::AddrNotAvailable, _) => "esta máquina não tem esse endereço",
                (ErrorKind::AlreadyExists, _) => "já existe",
                (ErrorKind::BrokenPipe, _) => "ninguém lê do outro lado",
                (ErrorKind::ConnectionAborted, _) => "a conexão foi abortada",
                (ErrorKind::ConnectionRefused, _) => "conexão recusada",
                (ErrorKind::ConnectionReset, _) => "a conexão foi interrompida pelo outro lado",
                (ErrorKind::FileTooLarge, _) => "o arquivo é grande demais",
                (ErrorKind::HostUnreachable, _) => "a máquina está inacessível",
                (ErrorKind::Interrupted, _) => "interrompido",
                (ErrorKind::InvalidFilename, _) => "o nome do arquivo é inválido",
                (ErrorKind::InvalidInput, _) => "argumento inválido",
                (ErrorKind::IsADirectory, _) => "é uma pasta",
                (ErrorKind::NetworkDown, _) => "a rede está fora do ar",
                (ErrorKind::NetworkUnreachable, _) => "a rede está inacessível",
                (ErrorKind::NotADirectory, _) => "parte do caminho não é uma pasta",
                (ErrorKind::NotConnected, _) => "não há conexão",
                (ErrorKind::NotFound, _) => "não encontrado",
                (ErrorKind::OutOfMemory, _) => "falta memória",
                (ErrorKind::PermissionDenied, _) => "permissão negada",
                (ErrorKind::QuotaExceeded, _) => "a sua cota do disco acabou",
                (ErrorKind::ReadOnlyFilesystem, _) => "o disco é só para leitura",
                (ErrorKind::StorageFull, _) => "não há espaço no disco",
                (ErrorKind::TimedOut, _) => "ninguém respondeu a tempo",
                (ErrorKind::WouldBlock, _) => "falta um recurso por enquanto",
                (ErrorKind::Unsupported, _) => "o sistema não sabe fazer isso",
                // These have no kind of their own.
                (_, "name or service not known") => "nome desconhecido",
                (_, "nodename nor servname provided, or not known") => "nome desconhecido",
                (_, "no address associated with hostname") => "o nome não tem endereço",
                (_, "temporary failure in name resolution") => "o servidor de nomes não responde",
                (_, "too many open files") => "há arquivos abertos demais",
                _ => return None,
            })
        },
    },
    operator: Operator {
        ends: "Ctrl-C encerra o servidor.",
        commands: [
            ("", "quem está aqui, e de onde"),
            ("TEXTO", "diz algo a todos, em nome do servidor"),
            ("APELIDO [MOTIVO]", "remove alguém, que pode voltar"),
            ("[APELIDO]", "silencia alguém; sozinho: lista"),
            ("[APELIDO]", "devolve a voz; sozinho: lista"),
            ("[APELIDO|ENDEREÇO]", "expulsa e bloqueia o endereço; repetido, desbloqueia"),
            ("", "mostra aqui o que se diz, ou deixa de mostrar"),
            ("[ENDEREÇO]", "mostra como entrar, e o código para o celular"),
            ("", "esta ajuda"),
        ],
        unknown: |word, meant| match meant {
            Some(meant) => format!("não há comando {word}. Você quis dizer {meant}?"),
            None => format!("não há comando {word}: veja /help; para dizer a todos: /say {word}"),
        },
        ambiguous: |word, commands| format!("{word} pode ser {commands}"),
        not_said: "ninguém recebeu isso; para dizer a todos: /say TEXTO",
        nobody: |nick, meant| match meant {
            Some(meant) => format!("ninguém aqui se chama {nick}. Você quis dizer {meant}?"),
            None => format!("ninguém aqui se chama {nick}"),
        },
        empty: "não há ninguém aqui",
        person: |nick, address, time, muted| {
            let muted = if muted { ", silenciado" } else { "" };
            format!("{nick} {address}, há {time}{muted}")
        },
        elsewhere: |people| format!("em outros servidores: {people}"),
        passed_on: |nick| format!("repassado ao servidor de {nick}"),
        said: |people| match people {
            0 => "não há ninguém aqui; quem chegar pode ler no histórico".into(),
            1 => "dito a 1 pessoa".into(),
            _ => format!("dito a {people} pessoas"),
        },
        kicked: |nick| format!("removido: {nick}"),
        muted: |nick, others| match others {
            "" => format!("silenciado: {nick}; /unmute {nick} devolve a voz"),
            _ => format!(
                "silenciado: {nick}; do mesmo endereço, e não silenciado: {others}; \
                 /unmute {nick} devolve a voz"
            ),
        },
        already_muted: |nick| format!("{nick} já está silenciado; /unmute {nick} devolve a voz"),
        unmuted: |nick| format!("pode falar de novo: {nick}"),
        not_muted: |nick| format!("{nick} não estava silenciado"),
        muted_absent: |nick, address, time| match address {
            "" => format!("{nick}, que saiu desta máquina há {time}"),
            _ => format!("{nick}, que saiu de {address} há {time}"),
        },
        no_mutes: "ninguém está silenciado",
        new_owner: |nick, address, time| {
            format!(
                "{nick} é outra pessoa há {time}, de {address}: nada foi feito; \
                 repita o comando se é essa pessoa"
            )
        },
        now_called: |nick, now| format!("ninguém aqui se chama mais {nick}; {nick} agora é {now}"),
        listens: "o que se diz a todos aparece aqui; /listen de novo para de mostrar",
        listens_no_more: "o que se diz não aparece mais aqui",
        banned: |place, removed| match removed {
            "" => format!("banido: {place}; não havia ninguém de lá"),
            _ => format!("banido: {place}; removido: {removed}"),
        },
        only_kicked: |nick| {
            format!("removido: {nick}; não banido: todos nesta máquina seriam banidos")
        },
        not_banned: |address| {
            format!("{address} não foi banido: todos nesta máquina seriam banidos")
        },
        lifted: |place| format!("não está mais banido: {place}"),
        no_bans: "não há banidos",
    },
    server: Server {
        listening: |at| format!("Servidor rodando em {at}"),
        announced: |title| format!("Anunciado como \"{title}\"."),
        join_from_network: "Para entrar a partir desta rede:",
        join_from_machine: "Para entrar a partir desta máquina:",
        unreachable: "Nenhuma interface de rede está ativa: ninguém pode entrar ainda.",
        join_by_name: "Para entrar pelo nome:",
        scan_or_open: "Ou aponte a câmera do celular, ou abra em qualquer navegador:",
        open_in_browser: "Ou abra em qualquer navegador:",
        only_ipv6: "só se entra por IPv6; acrescente --bind 0.0.0.0 para IPv4",
        name_cut: |most, title| format!("o nome passa de {most} bytes; os outros veem \"{title}\""),
        page_moved: |wanted, port| {
            format!("a porta {wanted} está ocupada; a página para navegadores está na porta {port}")
        },
        no_page: |port, why| {
            format!(
                "sem página para navegadores: porta {port}: {why}; escolha outra com --web-port PORTA"
            )
        },
        no_page_here: "Este servidor não tem página para navegadores.\n",
        notes: "Ctrl-C encerra.",
        notes_and_orders: "Comandos aqui: /who /say /kick /mute /ban /invite /help; Ctrl-C encerra.",
        no_orders: |why| {
            format!("não foi possível ler a entrada padrão: {why}; aqui não há mais comandos")
        },
        renamed: |old, new| format!("{old} agora é {new}"),
        cut: |who, ip, what| format!("cortada a conexão de {who} {ip}: {what}"),
        then_type: "depois: NICK voce, MSG texto",
        several: |sign, nicks, more| match more {
            0 => format!("{sign} {nicks}"),
            _ => format!("{sign} {nicks} e mais {more}"),
        },
        muted_again: |nick, muted| {
            format!(
                "{nick} está silenciado: de lá veio {muted}, que estava; /unmute {nick} devolve a voz"
            )
        },
        perhaps_muted: |nick, muted| {
            format!(
                "{nick} vem do mesmo endereço que {muted}, que está silenciado; {nick} não está"
            )
        },
        guest: "um visitante",
        behind: |bytes| match bytes {
            1 => "lê devagar demais, 1 byte de atraso".into(),
            _ => format!("lê devagar demais, {bytes} bytes de atraso"),
        },
        stalled: |bytes| match bytes {
            1 => "não aceitou nada em 10 s, 1 byte espera".into(),
            _ => format!("não aceitou nada em 10 s, {bytes} bytes esperam"),
        },
        lost: |bytes| match bytes {
            1 => "não responde mais, 1 byte espera".into(),
            _ => format!("não responde mais, {bytes} bytes esperam"),
        },
        evicted: "não tem apelido, e outra pessoa precisava do lugar",
        failed: "o minichat cometeu um erro; por favor, informe-o",
        resumed: "voltou, por outra conexão",
        more_cut: |count| match count {
            1 => "mais 1 conexão cortada".into(),
            _ => format!("mais {count} conexões cortadas"),
        },
        stopped: |members| match members {
            0 => "Servidor encerrado; ninguém estava conectado.".into(),
            1 => "Servidor encerrado; 1 usuário estava conectado.".into(),
            _ => format!("Servidor encerrado; {members} usuários estavam conectados."),
        },
        warning: |what| format!("minichat: aviso: {what}"),
        hidden: |why| format!("não anunciado ({why}); é possível entrar pelo endereço"),
        not_on: |links| {
            format!(
                "não anunciado em {links}: há redes demais; de lá é possível entrar pelo endereço"
            )
        },
        log_gap: |path| format!("o log {path} tem uma lacuna: o disco foi lento demais"),
        one_room: |servers, people| {
            let servers = match servers {
                0 => return "Uma só sala com os servidores que vierem".into(),
                1 => "mais 1 servidor".to_string(),
                _ => format!("mais {servers} servidores"),
            };
            let people = match people {
                1 => "1 pessoa".to_string(),
                _ => format!("{people} pessoas"),
            };
            format!("Uma só sala com {servers}, {people} lá")
        },
        other_version: |version| {
            format!("um servidor de outro minichat não é ouvido: o log dele tem a versão {version}")
        },
        recording: |dir, days| match days {
            0 => format!("Gravando em {dir}, para sempre"),
            1 => format!("Gravando em {dir}, por 1 dia"),
            _ => format!("Gravando em {dir}, por {days} dias"),
        },
        left_out: |path, count| match count {
            1 => format!("{path}: 1 linha deixada de fora: não é de um histórico"),
            _ => format!("{path}: {count} linhas deixadas de fora: não são de um histórico"),
        },
        store_gap: |dir| {
            format!("falta uma parte do que é guardado em {dir}: o disco foi lento demais")
        },
        store_failed: |dir, why| {
            format!("não foi possível guardar em {dir} o que é dito: {why}; o chat continua")
        },
        no_answer: "não responde há 3 s",
        log_failed: |path, why| {
            format!("não foi possível gravar o log {path}: {why}; o chat continua")
        },
    },
    terminal: Terminal {
        lines: |count| match count {
            1 => "(1 linha)".into(),
            _ => format!("({count} linhas)"),
        },
        search: |wanted, fails| match fails {
            true => format!("(busca: nada) {wanted}: "),
            false => format!("(busca) {wanted}: "),
        },
        stays: "* A sala vive neste programa, e ficaria parada; /quit sai.",
    },
};

/// A number as it is written in Portuguese.
fn comma(number: &str) -> String {
    number.replace('.', ",")
}
