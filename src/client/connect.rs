//! Finds the server, connects to it, and tries again.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smol::future::or;
use smol::{LocalExecutor, Timer};

use crate::client::encryption::{Distrust, Protection, Trust};
use crate::client::find::{self, FoundServer};
use crate::client::terminal::Terminal;
use crate::client::transport::Transport;
use crate::config::{Connect, Format};
use crate::error::Error;
use crate::texts::Texts;
use crate::wire::DEFAULT_PORT;

/// How much later the next address of a host is tried, if the ones before have
/// not answered.
pub(super) const STAGGER: Duration = Duration::from_millis(100);

/// How soon an address is tried once more in the same attempt. The kernel would wait 1,
/// 2 and 4 s before it sends a lost packet again.
pub(super) const KNOCK: Duration = Duration::from_millis(800);

/// How long the host of a room may take to answer. The room may be elsewhere by then.
const HOST: Duration = Duration::from_secs(2);

/// How long a server of the same title is looked for before its old address is tried, too.
pub(super) const HEAD_START: Duration = Duration::from_millis(600);

/// Connects to a server that was found, and makes sure that it is the one that is meant.
pub(super) async fn arrive(
    config: &Connect,
    texts: &Texts,
    terminal: &Terminal,
    trust: &Trust,
    mut server: FoundServer,
) -> Result<(Transport, FoundServer), Error> {
    if config.forget {
        trust.forget(&server).ok(); // A key that cannot be forgotten is asked about.
    }
    let mut found_again = false;
    loop {
        // A machine that has just left a hosted room is not waited for as long.
        let patience = if server.hosted.is_some() { HOST } else { config.timeout };
        let transport = reach_in_time(&server.addresses, 1, patience.min(config.timeout)).await;
        let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
        let transport = transport.map_err(|err| Error::Connect(server.name.clone(), port, err))?;
        match trust.meet(transport, &server, config.timeout).await {
            Ok((transport, protection)) => {
                trust.tell(protection, config, texts, terminal);
                if server.hosted.is_some() && is_for_a_person(config, terminal) {
                    terminal.remark(&format!("* {}", texts.client.hosted));
                }
                // A server that announced no encryption may still want it of everybody.
                let in_channel = !matches!(protection, Protection::None | Protection::Refused);
                if in_channel && server.fingerprint.is_none() {
                    server.in_clear = false;
                }
                return Ok((transport, server));
            }
            // The record of discovery may be old.
            Err(Distrust::NotAnnounced) if !found_again => {
                found_again = true;
                server = find::find_again(config, &server).await.unwrap_or(server);
            }
            // The connection does not wait for the answer, which may take long.
            Err(Distrust::OtherKey(since, key))
                if terminal.is_interactive
                    && trust.ask(&server, since, &key, texts, terminal).await? =>
            {
                trust.accept(&key);
            }
            // The connection does not wait for a person that types. The server counts no
            // attempt where there was no answer.
            Err(Distrust::Closed) => trust.ask_password(&server, texts, terminal).await?,
            Err(Distrust::WrongPassword) if terminal.is_interactive => {
                terminal.remark(&format!("* {}", texts.encryption.wrong_password));
                trust.ask_password(&server, texts, terminal).await?;
            }
            Err(distrust) => return Err(distrust.into_error(&server, texts)),
        }
    }
}

fn is_for_a_person(config: &Connect, terminal: &Terminal) -> bool {
    terminal.is_interactive && config.format == Format::Text
}

/// Notes whether the address of a lost connection refuses another one. Then the server is not
/// there, and everybody else has lost it, too.
pub(super) struct Refusals {
    /// The address of the lost connection.
    pub address: Option<SocketAddr>,
    /// Whether everybody has lost the server.
    pub seen: Cell<bool>,
}

pub(super) async fn reach_in_time(
    addresses: &[SocketAddr],
    times: u32,
    patience: Duration,
) -> io::Result<Transport> {
    reach_noting(addresses, times, patience, None).await
}

async fn reach_noting(
    addresses: &[SocketAddr],
    times: u32,
    patience: Duration,
    refusals: Option<&Refusals>,
) -> io::Result<Transport> {
    let late = async {
        Timer::after(patience).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "nobody answers"))
    };
    or(reach(addresses, times, refusals), late).await
}

/// Tries the addresses one after the other, without waiting long for any, and all of them
/// so many times. The first connection wins; if there is none, the last error tells why.
async fn reach(
    addresses: &[SocketAddr],
    times: u32,
    refusals: Option<&Refusals>,
) -> io::Result<Transport> {
    let executor = LocalExecutor::new();
    let (sender, results) = async_channel::unbounded();
    let attempts = (0..times).flat_map(|time| addresses.iter().zip(0..).map(move |to| (time, to)));
    for (time, (&address, turn)) in attempts {
        let sender = sender.clone();
        let attempt = async move {
            Timer::after(KNOCK * time + STAGGER * turn).await;
            // The race may be over.
            sender.send((address, Transport::connect(address).await)).await.ok();
        };
        executor.spawn(attempt).detach();
    }
    drop(sender);
    let finish = async {
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        while let Ok((address, result)) = results.recv().await {
            match result {
                Ok(transport) => return Ok(transport),
                Err(err) => {
                    let refused = err.kind() == io::ErrorKind::ConnectionRefused;
                    if let Some(refusals) = refusals.filter(|lost| lost.address == Some(address))
                        && refused
                    {
                        refusals.seen.set(true);
                    }
                    failure = err;
                }
            }
        }
        Err(failure)
    };
    executor.run(finish).await
}

/// Tries for a while to reach the server that was at `place`.
pub(super) async fn attempt(
    config: &Connect,
    server: FoundServer,
    refusals: &Refusals,
) -> Option<(Transport, FoundServer)> {
    let reach = |server: FoundServer, head_start: Duration| async move {
        Timer::after(head_start).await;
        // Only attempts that begin within the timeout are made.
        let times = 1 + (config.timeout.as_millis() / KNOCK.as_millis()) as u32;
        let (addresses, timeout) = (&server.addresses, config.timeout);
        let transport = reach_noting(addresses, times, timeout, Some(refusals)).await.ok()?;
        Some((transport, server))
    };
    let there = async {
        let server = find::find_again(config, &server).await?;
        reach(server, Duration::ZERO).await
    };
    // The old address is as good as none if the server is found elsewhere.
    let before = reach(server.clone(), HEAD_START);
    either(there, before).await
}

/// The first of two attempts that succeeds.
pub(super) async fn either<T>(
    one: impl Future<Output = Option<T>>,
    other: impl Future<Output = Option<T>>,
) -> Option<T> {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    let first = {
        let (one, other) = (one.as_mut(), other.as_mut());
        or(async { (one.await, true) }, async { (other.await, false) }).await
    };
    match first {
        (Some(found), _) => Some(found),
        (None, true) => other.await,
        (None, false) => one.await,
    }
}
