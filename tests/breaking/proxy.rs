//! A machine in the middle that takes connections and says nothing, until it is told to pass them on.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

/// See the module.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Where it passes connections on to.
    server: Option<String>,
    held: Vec<TcpStream>,
    taken: usize,
}

impl Proxy {
    /// One that says nothing.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                let mut state = shared.lock().expect("no panic under the lock");
                state.taken += 1;
                match &state.server {
                    Some(server) => pass_on(client, server),
                    None => state.held.push(client),
                }
            }
        });
        Self { port, state }
    }

    /// From now on it passes connections on to the server at `url`; those that it holds as well.
    pub(crate) fn pass_on_to(&self, url: &str) {
        let server = url.strip_prefix("nats://").expect("a URL of a test server");
        let mut state = self.state.lock().expect("no panic under the lock");
        state.server = Some(server.to_owned());
        state.held.drain(..).for_each(|client| pass_on(client, server));
    }

    /// How many connections it has taken.
    pub(crate) fn taken(&self) -> usize {
        self.state.lock().expect("no panic under the lock").taken
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

fn pass_on(client: TcpStream, server: &str) {
    let server = TcpStream::connect(server).expect("the server takes connections");
    let both = |stream: &TcpStream| (stream.try_clone().expect("a socket"), stream.try_clone().expect("a socket"));
    let ((client_in, client_out), (server_in, server_out)) = (both(&client), both(&server));
    for (mut from, mut to) in [(client_in, server_out), (server_in, client_out)] {
        spawn(move || {
            // Either end may go at any time.
            let _ = copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}
