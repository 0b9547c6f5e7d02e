//! Clients that send requests continuously, on persistent and on new connections, and count the results.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Answer, Client};

/// LoadGenerator: running clients.
pub(crate) struct LoadGenerator {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Tally>>,
}

/// Tally: the counted results of the requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that the upstream answered with 200.
    pub(crate) answered: usize,
    /// Connections that could not be opened.
    pub(crate) refused: usize,
    /// Responses that announced the connection's end.
    pub(crate) announced: usize,
    /// All other failures.
    pub(crate) failed: Vec<String>,
}

impl LoadGenerator {
    /// Starts `clients` clients with persistent connections, and as many that open a connection per request.
    ///
    /// With `until_refused`, a refused connection stops a client, as after the end of a server.
    pub(crate) fn start(
        address: SocketAddr,
        path: &'static str,
        token: &str,
        clients: usize,
        until_refused: bool,
    ) -> Self {
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..2 * clients).map(|number| {
            let (over, answered, token) = (Arc::clone(&over), Arc::clone(&answered), token.to_owned());
            let keeps = number < clients;
            tokio::spawn(async move {
                let mut tally = Tally::default();
                let mut kept: Option<Client> = None;
                while !over.load(Ordering::SeqCst) {
                    let mut client = match kept.take() {
                        Some(client) => client,
                        None => match Client::try_connect(address).await {
                            Ok(client) => client,
                            Err(_) => {
                                tally.refused += 1;
                                if until_refused {
                                    return tally;
                                }
                                continue;
                            }
                        },
                    };
                    match client.try_send("GET", path, &token, &[], "").await {
                        Ok(answer) if answer.status == 200 && answer.reason().is_none() => {
                            tally.answered += 1;
                            answered.fetch_add(1, Ordering::SeqCst);
                            let ends = ends(&answer);
                            tally.announced += usize::from(ends);
                            kept = (keeps && !ends).then_some(client);
                        }
                        other => tally.failed.push(format!("{other:?}")),
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                tally
            })
        });
        let clients = clients.collect();
        Self { over, answered, clients }
    }

    /// The number of answered requests so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    /// Stops the clients, and returns the results of all requests.
    pub(crate) async fn stop(self) -> Tally {
        self.over.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for client in self.clients {
            let one = client.await.unwrap();
            all.answered += one.answered;
            all.refused += one.refused;
            all.announced += one.announced;
            all.failed.extend(one.failed);
        }
        all
    }
}

fn ends(answer: &Answer) -> bool {
    answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}
