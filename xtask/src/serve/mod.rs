//! A file server for one machine: what `cargo xtask run` and the browser tests load the page from.
//!
//! It speaks as much HTTP/1.1 as browsers need for a page and for weights read by ranges, and no more:
//! GET and HEAD, keep-alive, single ranges, ETags, and the headers that a careful host sends.
//! One thread serves one connection, since a browser opens few and each may wait on the disk.
//!
//! ```text
//! connection -> request::Reader -> Request -> answer::answer -> Answer -> connection
//!                                              ^ site: which file      ^ faults: what a test wants broken
//! ```

mod answer;
mod faults;
mod header;
mod range;
mod request;
mod site;
mod socket;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

pub use header::{CONTENT_SECURITY_POLICY, META_CONTENT_SECURITY_POLICY};
pub use site::{Mount, Site};

use faults::Faults;

/// Connections served at the same time; one more is told to come back later.
const MAX_CONNECTIONS: usize = 256;

/// Who may break answers on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestHooks {
    /// Nobody: paths under `/__test__/` are files like any other.
    Off,
    /// Whoever asks under `/__test__/`; see `faults.rs`.
    On,
}

/// A server that runs until this is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all connections of a server look at.
struct Shared {
    site: Site,
    faults: Option<Faults>,
    stopping: AtomicBool,
    connections: AtomicUsize,
}

impl Server {
    /// Serves `site` on this machine alone, at `port`, or at one that is free if `port` is 0.
    ///
    /// # Errors
    /// The port is taken or not allowed, or a folder of the site does not exist.
    pub fn start(site: Site, port: u16, hooks: TestHooks) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let shared = Arc::new(Shared {
            site,
            faults: (hooks == TestHooks::On).then(Faults::default),
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let address = listener.local_addr()?;
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Ok(Server { address, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to type into a browser. Browsers treat `localhost` as secure, which WebGPU asks for.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.address.port())
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(accepting) = self.accepting.take() {
            // A panic in there has been printed already.
            let _ = accepting.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // `accept` cannot be interrupted; a connection wakes it up to look at the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        // A client that went away between its call and our answer is no reason to stop.
        let Ok(stream) = stream else { continue };
        let others = shared.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Connection { shared: shared.clone() };
        if others >= MAX_CONNECTIONS {
            socket::refuse(stream);
            continue;
        }
        std::thread::spawn(move || socket::serve(stream, &connection.shared));
    }
}

/// Counts a connection until it is dropped, also when its thread panics.
struct Connection {
    shared: Arc<Shared>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
