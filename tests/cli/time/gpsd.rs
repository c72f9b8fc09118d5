//! A script that speaks as gpsd does, to any number of clients, until it is dropped.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// By how much this machine's clock is ahead of the receiver's.
pub(super) const AHEAD_NS: u64 = 300;
/// Real receivers have one second; a test is not to wait for it.
const EVERY: Duration = Duration::from_millis(200);

pub(super) struct Gpsd {
    port: u16,
    ended: Arc<AtomicBool>,
}

impl Gpsd {
    /// A receiver with a fix and a pulse.
    pub(super) fn with_pulse() -> Self {
        Self::start(true)
    }

    /// A receiver with a fix, and no pulse.
    pub(super) fn with_fix_alone() -> Self {
        Self::start(false)
    }

    fn start(pulse: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let over = Arc::clone(&over);
                // Whoever has gone is not told any more.
                std::thread::spawn(move || stream.and_then(|stream| speak(stream, pulse, &over)));
            }
        });
        Self { port, ended }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Gpsd {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It waits for a client: the last one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn speak(mut stream: TcpStream, pulse: bool, over: &AtomicBool) -> std::io::Result<()> {
    stream.write_all(b"{\"class\":\"VERSION\",\"release\":\"3.22\"}\r\n")?;
    while !over.load(Ordering::SeqCst) {
        let mut said = r#"{"class":"TPV","device":"/dev/pps0","mode":3}"#.to_owned() + "\r\n";
        if pulse {
            let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let real = clock.saturating_sub(Duration::from_nanos(AHEAD_NS));
            said += &format!(
                "{{\"class\":\"PPS\",\"device\":\"/dev/pps0\",\"real_sec\":{},\"real_nsec\":{},\"clock_sec\":{},\
                 \"clock_nsec\":{},\"precision\":-20}}\r\n",
                real.as_secs(),
                real.subsec_nanos(),
                clock.as_secs(),
                clock.subsec_nanos()
            );
        }
        stream.write_all(said.as_bytes())?;
        std::thread::sleep(EVERY);
    }
    Ok(())
}
