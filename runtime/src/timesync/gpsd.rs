//! gpsd, for receivers with a pulse.
//!
//! gpsd tells by itself, once a second, as long as somebody watches (gpsd_json(5)). The reader watches with
//! one connection, and whoever asks it is told what came since. A bare fix tells no time that is worth
//! anything; what counts is `PPS`, the system clock when the receiver's pulse came, or else `TOFF`, when its
//! message did.

use std::io::ErrorKind;
use std::time::Duration;

use nunect_core::clock::{GpsStatus, Obstacle, ReaderCounters, Reading, TimeDaemon, Unread};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use self::wire::{LINE_MAX, Said, Sky};
use super::{Asked, ClockReader};
use crate::clock::Clock;
use crate::config::{HostPort, TimeSection};

pub mod wire;

/// Where gpsd listens unless told otherwise (gpsd(8)).
const PORT: u16 = 2947;
/// How long it may take to take a connection, and to say who it is.
const PATIENCE: Duration = Duration::from_millis(300);
/// What is read at once at most: whoever talks faster has the rest of it read the next time.
const READ_MAX: usize = 1 << 18;

/// Reads gpsd.
#[derive(Debug)]
pub struct GpsdReader {
    address: HostPort,
    watch: Option<Watch>,
    counters: ReaderCounters,
}

/// A connection that watches.
#[derive(Debug)]
struct Watch {
    stream: TcpStream,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    sky: Sky,
}

impl GpsdReader {
    /// A reader of the gpsd that the configuration names.
    #[must_use]
    pub fn new(time: &TimeSection) -> Self {
        let address = time.gpsd.clone().unwrap_or_else(|| HostPort::loopback(PORT));
        Self { address, watch: None, counters: ReaderCounters::default() }
    }

    async fn ask(&mut self) -> Result<GpsStatus, Unread> {
        self.counters.asked += 1;
        let mut watch = match self.watch.take() {
            Some(watch) => watch,
            None => self.connect().await?,
        };
        let open = watch.drain(&mut self.counters)?;
        let status = watch.sky.status();
        if open {
            self.watch = Some(watch);
            return Ok(status);
        }
        Err(Unread::new(Obstacle::Absent, format!("gpsd at {} ended the connection", self.address)))
    }

    /// Connects and begins to watch.
    async fn connect(&mut self) -> Result<Watch, Unread> {
        let by = Instant::now() + PATIENCE;
        let silent = |counters: &mut ReaderCounters, what: &str| {
            counters.timeouts += 1;
            Unread::new(Obstacle::Silent, what.to_owned())
        };
        let address = &self.address;
        let (host, port) = (address.host.as_str(), address.port);
        let stream = match timeout_at(by, TcpStream::connect((host, port))).await {
            Err(_) => return Err(silent(&mut self.counters, &format!("gpsd at {address} takes no connection"))),
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let cause =
                    if error.kind() == ErrorKind::PermissionDenied { Obstacle::Denied } else { Obstacle::Absent };
                return Err(Unread::new(cause, format!("no gpsd at {address}: {error}")));
            }
        };
        let mut watch = Watch { stream, rest: Vec::new(), sky: Sky::default() };
        // It speaks first. Whoever listens on this port and does not is no gpsd.
        while watch.sky.release.is_none() {
            if timeout_at(by, watch.stream.readable()).await.is_err() {
                return Err(silent(
                    &mut self.counters,
                    &format!("what listens at {address} does not speak as gpsd does"),
                ));
            }
            if !watch.drain(&mut self.counters)? {
                return Err(Unread::new(Obstacle::Refused, format!("gpsd at {address} ended the connection")));
            }
        }
        // So few bytes fit into the buffer of a new connection.
        if watch.stream.try_write(wire::WATCH).is_ok_and(|written| written == wire::WATCH.len()) {
            Ok(watch)
        } else {
            Err(Unread::new(Obstacle::Absent, format!("gpsd at {address} ended the connection")))
        }
    }
}

impl Watch {
    /// Reads what has come. Returns whether the connection is still open.
    fn drain(&mut self, counters: &mut ReaderCounters) -> Result<bool, Unread> {
        let mut buffer = [0; 8_192];
        let mut read = 0;
        while read < READ_MAX {
            let count = match self.stream.try_read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(Unread::new(Obstacle::Absent, format!("gpsd: {error}"))),
            };
            read += count;
            self.rest.extend_from_slice(buffer.get(..count).unwrap_or_default());
            self.take_lines(counters)?;
        }
        Ok(true)
    }

    fn take_lines(&mut self, counters: &mut ReaderCounters) -> Result<(), Unread> {
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            if self.rest.len() > LINE_MAX {
                counters.malformed += 1;
                let reason = format!("gpsd: a line of more than {LINE_MAX} bytes");
                return Err(Unread::new(Obstacle::Malformed, reason));
            }
            return Ok(());
        };
        let rest = self.rest.split_off(end + 1);
        for line in std::mem::replace(&mut self.rest, rest).split(|byte| *byte == b'\n') {
            match Said::parse(line) {
                Ok(said) => self.sky.hear(said),
                Err(wire::NotGpsd) if line.trim_ascii().is_empty() => {}
                Err(wire::NotGpsd) => counters.malformed += 1,
            }
        }
        Ok(())
    }
}

impl ClockReader for GpsdReader {
    fn daemon(&self) -> TimeDaemon {
        TimeDaemon::Gpsd
    }

    fn read<'a>(&'a mut self, _: &'a Clock) -> Asked<'a> {
        Box::pin(async { self.ask().await.map(Reading::Gps) })
    }

    fn counters(&self) -> ReaderCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests;
