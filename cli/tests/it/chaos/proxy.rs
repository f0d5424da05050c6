//! A connection that can be cut: everything that goes to one address of a process passes through here.
//!
//! A process listens on 127.0.0.1 and tells the others that it is 127.0.0.2 (or 3, or 4), where the proxy listens on the same
//! port. So what others send to it can be stopped, while its own calls to them go on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a cut shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Connections are closed and new ones refused, as by a process that has ended.
    Closed,
    /// Nothing arrives any more, and nobody is told, as by a cable that is out.
    Silent,
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const SILENT: u8 = 2;
const ENDED: u8 = 3;

#[derive(Default)]
struct State {
    mode: AtomicU8,
    connections: Mutex<Vec<TcpStream>>,
}

pub(super) struct Proxy {
    state: Arc<State>,
}

impl Proxy {
    /// Takes `port` of `host`, and hands on to the same port of 127.0.0.1.
    pub(super) fn start(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind((host, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            loop {
                match shared.mode.load(Ordering::SeqCst) {
                    ENDED => return,
                    // A cable that is out accepts nothing: who calls waits.
                    SILENT => {}
                    mode => {
                        if let Ok((stream, _)) = listener.accept()
                            && mode == OPEN
                        {
                            connect(&shared, stream, port);
                        }
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { state }
    }

    pub(super) fn cut(&self, how: Cut) {
        let mode = if how == Cut::Closed { CLOSED } else { SILENT };
        self.state.mode.store(mode, Ordering::SeqCst);
        if how == Cut::Closed {
            self.close_all();
        }
    }

    /// Connections that were silent go on; those that were closed have to be made anew.
    pub(super) fn heal(&self) {
        self.state.mode.store(OPEN, Ordering::SeqCst);
    }

    fn close_all(&self) {
        for connection in self.state.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.mode.store(ENDED, Ordering::SeqCst);
        self.close_all();
    }
}

fn connect(state: &Arc<State>, near: TcpStream, port: u16) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
    near.set_nonblocking(false).unwrap();
    for (from, to) in [(&near, &far), (&far, &near)] {
        let _ = from.set_nodelay(true);
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = Arc::clone(state);
        std::thread::spawn(move || pump(&state, from, to));
    }
    state.connections.lock().unwrap().extend([near, far]);
}

fn pump(state: &State, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        while state.mode.load(Ordering::SeqCst) == SILENT {
            std::thread::sleep(Duration::from_millis(5));
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
