//! The words about encryption and the keys of servers.

/// Encryption, and the keys of servers. A key is five groups of digits, a date is one that
/// `date` has made.
#[derive(Debug)]
pub struct Encryption {
    /// A day: its number in the month, the month from 1, and the year.
    pub date: fn(u32, u32, i32) -> String,
    /// The server is met for the first time, and has this key.
    pub new: fn(&str) -> String,
    /// The server cannot keep its key, which is this one.
    pub temporary: fn(&str) -> String,
    /// The key is known since a date.
    pub known: fn(&str) -> String,
    /// Both sides have proved that they know the password.
    pub proven: &'static str,
    /// The question for the password of this name.
    pub ask_password: fn(&str) -> String,
    /// The password was not accepted, or the server did not know it.
    pub wrong_password: &'static str,
    /// The same where no person can be asked, about this name.
    pub refused_password: fn(&str) -> String,
    /// This name wants a password, and there is none.
    pub no_password: fn(&str) -> String,
    /// This name does not ask for the password that was given.
    pub not_closed: fn(&str) -> String,
    /// Nothing is encrypted.
    pub clear: &'static str,
    /// The keys of servers cannot be remembered: the file's path, and why.
    pub forgetful: fn(&str, &str) -> String,
    /// The heading of what is known of the keys of servers.
    pub column: &'static str,
    /// The key of a server is known, new or another one, or there is none.
    pub states: [&'static str; 4],
    /// The answer to `/key`.
    pub key: fn(&str) -> String,
    /// The key of this name is not the one of a date; the new one.
    pub changed: fn(&str, Option<&str>, &str) -> String,
    /// The question whether it is right nevertheless.
    pub same: &'static str,
    /// The answers that mean yes.
    pub yes: &'static [&'static str],
    /// The name was to be encrypted, and is not.
    pub stripped: fn(&str) -> String,
    /// The key of this name is not the announced one.
    pub not_announced: fn(&str) -> String,
    /// Somebody changes what is sent to this name.
    pub tampered: fn(&str) -> String,
    /// The key of this name has changed, and nobody can be asked: the name, the date, the new
    /// key, and what to type.
    pub unasked: fn(&str, Option<&str>, &str, &str) -> String,
    /// The server's screen: its key, and whether nobody may talk in the clear.
    pub own: fn(&str, bool) -> String,
    /// The server's screen: the password that was made, or none if the operator gave it.
    pub password: fn(Option<&str>) -> String,
    /// The server's key came from another machine and was replaced: its path.
    pub copied: fn(&str) -> String,
    /// The server's key ends with it: its path and why, if it could have been kept.
    pub not_kept: fn(Option<(&str, &str)>) -> String,
    /// The file of the server's key cannot be used: its path, and why.
    pub key_file: fn(&str, &str) -> String,
    /// Why: it is not such a file.
    pub no_key: &'static str,
}

/// The words in English.
pub(super) const ENGLISH: Encryption = Encryption {
    date: |day, month, year| {
        let months = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        format!("{day} {} {year}", name(&months, month))
    },
    new: |key| format!("Encrypted, for the first time here. The server shows its key: {key}"),
    temporary: |key| format!("Encrypted. The server makes a new key each time; this one is {key}"),
    known: |date| format!("Encrypted; the key is the one of {date}."),
    proven: "Encrypted; both sides know the password.",
    ask_password: |name| format!("Password of \"{name}\": "),
    wrong_password: "Wrong password, or not the server that you think.",
    refused_password: |name| {
        format!(
            "wrong password, or not the server that you think: \"{name}\"\n\
             Ask for the password that its server shows, and set MINICHAT_PASSWORD"
        )
    },
    no_password: |name| {
        format!(
            "\"{name}\" wants a password\n\
             Set MINICHAT_PASSWORD, or join from a terminal, which asks for it"
        )
    },
    not_closed: |name| {
        format!(
            "\"{name}\" does not ask for the password: it is not the server that you think\n\
             To join it without one, unset MINICHAT_PASSWORD"
        )
    },
    clear: "Not encrypted: this server cannot.",
    forgetful: |path, why| format!("the key of this server cannot be remembered in {path}: {why}"),
    column: "KEY",
    states: ["known", "new", "changed", "open"],
    key: |key| format!("The server's key: {key}. The server shows the same with /invite."),
    changed: |name, date, key| {
        format!(
            "The key of \"{name}\" is not the one {}: another server, a new installation, or \
             somebody who pretends. It is now {key}; the server shows its own.",
            since(date, "of ", "of before")
        )
    },
    same: "The same? [y/N] ",
    yes: &["y", "yes"],
    stripped: |name| {
        format!(
            "\"{name}\" is to be encrypted, and is not: somebody may want to read along\n\
             If its server has changed, forget its key: minichat connect --forget"
        )
    },
    not_announced: |name| {
        format!(
            "\"{name}\" has another key than the one that is announced: somebody may pretend to be it\n\
             Ask there what minichat discover shows, or join by its address"
        )
    },
    tampered: |name| {
        format!(
            "what came from \"{name}\" was changed on its way\n\
             Try again; if it stays like this, somebody is in between"
        )
    },
    unasked: |name, date, key, line| {
        format!(
            "the key of \"{name}\" is not the one {}; it is now {key}\n\
             If the server shows the same key, forget the old one: {line}",
            since(date, "of ", "of before")
        )
    },
    own: |key, only| match only {
        true => format!("Key: {key}. Nobody joins without encryption, and there is no page."),
        false => format!("Key: {key}. Who joins with nc is not encrypted."),
    },
    password: |made| match made {
        Some(password) => format!("Password: {password}"),
        None => "Password: the one in MINICHAT_PASSWORD".into(),
    },
    copied: |path| format!("{path} came from another machine, so this server has a new key"),
    not_kept: |reason| match reason {
        Some((path, why)) => format!("the key of this server is for this run only: {path}: {why}"),
        None => "the key of this server is for this run only: there is no place to keep it".into(),
    },
    key_file: |path, why| {
        format!(
            "cannot use the key {path}: {why}\n\
             Put the file right, or make another key: minichat server --new-key"
        )
    },
    no_key: "it is no key",
};

/// The words in Portuguese.
pub(super) const PORTUGUESE: Encryption = Encryption {
    date: |day, month, year| {
        let months = [
            "janeiro",
            "fevereiro",
            "março",
            "abril",
            "maio",
            "junho",
            "julho",
            "agosto",
            "setembro",
            "outubro",
            "novembro",
            "dezembro",
        ];
        format!("{day} de {} de {year}", name(&months, month))
    },
    new: |key| {
        format!(
            "Conversa criptografada, pela primeira vez aqui. O servidor mostra a chave dele: {key}"
        )
    },
    temporary: |key| {
        format!("Conversa criptografada. O servidor cria uma chave nova a cada vez; esta é {key}")
    },
    known: |date| format!("Conversa criptografada; a chave é a de {date}."),
    proven: "Conversa criptografada; os dois lados sabem a senha.",
    ask_password: |name| format!("Senha de \"{name}\": "),
    wrong_password: "Senha errada, ou não é o servidor que você imagina.",
    refused_password: |name| {
        format!(
            "senha errada, ou não é o servidor que você imagina: \"{name}\"\n\
             Peça a senha que o servidor mostra, e defina MINICHAT_PASSWORD"
        )
    },
    no_password: |name| {
        format!(
            "\"{name}\" pede uma senha\n\
             Defina MINICHAT_PASSWORD, ou entre por um terminal, que pergunta por ela"
        )
    },
    not_closed: |name| {
        format!(
            "\"{name}\" não pede a senha: não é o servidor que você imagina\n\
             Para entrar sem senha, apague a variável MINICHAT_PASSWORD"
        )
    },
    clear: "Conversa não criptografada: este servidor não sabe criptografar.",
    forgetful: |path, why| {
        format!("não foi possível guardar a chave deste servidor em {path}: {why}")
    },
    column: "CHAVE",
    states: ["conhecida", "nova", "mudou", "sem"],
    key: |key| format!("Chave do servidor: {key}. O servidor mostra a mesma com /invite."),
    changed: |name, date, key| {
        format!(
            "A chave de \"{name}\" não é a {}: outro servidor, uma instalação nova, ou alguém \
             que finge ser ele. Agora ela é {key}; o servidor mostra a dele.",
            since(date, "de ", "de antes")
        )
    },
    same: "É a mesma? [s/N] ",
    yes: &["s", "sim", "y"],
    stripped: |name| {
        format!(
            "a conversa com \"{name}\" devia ser criptografada, e não é: alguém pode querer ler\n\
             Se o servidor mudou, esqueça a chave dele: minichat connect --forget"
        )
    },
    not_announced: |name| {
        format!(
            "\"{name}\" tem uma chave que não é a anunciada: alguém pode fingir ser ele\n\
             Compare com o que minichat discover mostra lá, ou entre pelo endereço"
        )
    },
    tampered: |name| {
        format!(
            "o que veio de \"{name}\" foi mudado no caminho\n\
             Tente de novo; se continuar assim, há alguém no meio"
        )
    },
    unasked: |name, date, key, line| {
        format!(
            "a chave de \"{name}\" não é a {}; agora ela é {key}\n\
             Se o servidor mostra a mesma chave, esqueça a antiga: {line}",
            since(date, "de ", "de antes")
        )
    },
    own: |key, only| match only {
        true => format!("Chave: {key}. Ninguém entra sem criptografia, e não há página."),
        false => format!("Chave: {key}. Quem entra com nc não tem criptografia."),
    },
    password: |made| match made {
        Some(password) => format!("Senha: {password}"),
        None => "Senha: a que está em MINICHAT_PASSWORD".into(),
    },
    copied: |path| format!("{path} veio de outra máquina; este servidor tem agora uma chave nova"),
    not_kept: |reason| match reason {
        Some((path, why)) => format!("a chave deste servidor só vale desta vez: {path}: {why}"),
        None => "a chave deste servidor só vale desta vez: não há onde guardá-la".into(),
    },
    key_file: |path, why| {
        format!(
            "não foi possível usar a chave {path}: {why}\n\
             Conserte o arquivo, ou crie outra chave: minichat server --new-key"
        )
    },
    no_key: "não é uma chave",
};

/// The name of a month, of which the first is 1.
fn name<'a>(months: &[&'a str; 12], month: u32) -> &'a str {
    months.get((month as usize).wrapping_sub(1)).copied().unwrap_or_default()
}

fn since(date: Option<&str>, before: &str, otherwise: &str) -> String {
    date.map_or_else(|| otherwise.into(), |date| format!("{before}{date}"))
}
