//! chronyd over cmdmon, and other NTP daemons through their own tools.
//!
//! A report is one round of questions to chronyd, sent together: tracking, the number of sources, and each
//! source. Where neither chronyd's UNIX socket nor its command port lets this process in, `chronyc` and `ntpq`
//! are run instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nunect_core::clock::{NtpStatus, Obstacle, ReaderCounters, Reading, TimeDaemon, Unread};
use tokio::time::Instant;

use self::fallback::Fallback;
use self::round::Round;
use self::wire::REPLY_MAX_BYTES;
use super::datagrams::Datagrams;
use super::{Asked, ClockReader};
use crate::clock::Clock;
use crate::config::{Daemon, HostPort, TimeSection};

mod fallback;
mod round;
pub mod tools;
pub mod wire;

/// How many sources of an NTP daemon are read; the others are left out.
pub const SOURCES_MAX: usize = 64;

/// How long chronyd may take for all answers to a round. A busy host takes milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);
/// Where chronyd's socket is (chrony.conf(5), `bindcmdaddress`), the second for systems without `/run`.
const SOCKETS: [&str; 2] = ["/run/chrony/chronyd.sock", "/var/run/chrony/chronyd.sock"];
/// Its command port (chrony.conf(5), `cmdport`): who asks there may read without any right.
const PORT: u16 = 323;
/// After what the file of our own socket is called: chronyd's profile for `AppArmor` lets it write to any file of
/// its folder.
const NAME: &str = "nunect-chrony";

/// Asks chronyd, or another NTP daemon of this host.
#[derive(Debug)]
pub struct ChronyReader {
    /// Where chronyd may be, the best first.
    places: Vec<Daemon>,
    /// The conversation that worked last.
    open: Option<Datagrams>,
    /// The number of the next question. It starts anywhere, so that an answer to somebody's before is no answer.
    sequence: u32,
    /// How many sources there were last time.
    sources: u32,
    counters: ReaderCounters,
    fallback: Fallback,
}

impl ChronyReader {
    /// A reader that asks where `time` says; or else chronyd's own socket, then its command port.
    #[must_use]
    pub fn new(time: &TimeSection) -> Self {
        let configured = time.chrony.as_ref();
        let places = configured.map_or_else(usual_places, |place| vec![place.clone()]);
        Self::at(places, Fallback::new(configured))
    }

    fn at(places: Vec<Daemon>, fallback: Fallback) -> Self {
        let sequence = getrandom::u32().unwrap_or_default();
        Self { places, open: None, sequence, sources: 0, counters: ReaderCounters::default(), fallback }
    }

    async fn ask(&mut self) -> Result<NtpStatus, Unread> {
        match self.ask_chronyd(Instant::now() + PATIENCE).await {
            Err(unread) if is_closed(&unread) => self.fallback.ask(unread).await,
            answer => answer,
        }
    }

    async fn ask_chronyd(&mut self, deadline: Instant) -> Result<NtpStatus, Unread> {
        if let Some(open) = self.open.take() {
            match self.converse(open, deadline).await {
                // It may have been started anew since.
                Err(unread) if is_closed(&unread) => {}
                answer => return answer,
            }
        }
        let mut closed: Option<Unread> = None;
        for place in self.places.clone() {
            let answer = match connect(&place).await {
                Ok(open) => self.converse(open, deadline).await,
                Err(unread) => Err(unread),
            };
            match answer {
                Err(unread) if is_closed(&unread) => {
                    let unread = explained(&place, unread);
                    closed = Some(closed.map_or_else(|| unread.clone(), |before| both(&before, &unread)));
                }
                answer => return answer,
            }
        }
        Err(closed.unwrap_or_else(|| Unread::new(Obstacle::Absent, "nobody is to be asked")))
    }

    /// Asks everything, and keeps the conversation if it is answered.
    async fn converse(&mut self, open: Datagrams, deadline: Instant) -> Result<NtpStatus, Unread> {
        let mut round = Round::new(self.sequence, self.sources);
        let exchanged = exchange(&open, &mut round, deadline).await;
        (self.sequence, self.sources) = round.next();
        add(&mut self.counters, round.counters());
        exchanged?;
        let status = round.finish()?;
        self.open = Some(open);
        Ok(status)
    }
}

impl ClockReader for ChronyReader {
    fn daemon(&self) -> TimeDaemon {
        TimeDaemon::Chronyd
    }

    fn read<'a>(&'a mut self, _: &'a Clock) -> Asked<'a> {
        Box::pin(async { self.ask().await.map(Reading::Ntp) })
    }

    fn counters(&self) -> ReaderCounters {
        let mut counters = self.counters;
        add(&mut counters, self.fallback.counters());
        counters
    }
}

/// Sends the questions of a round and receives until all are answered, or the deadline has come.
///
/// # Errors
/// If the daemon goes away, or was never there.
async fn exchange(open: &Datagrams, round: &mut Round, deadline: Instant) -> Result<(), Unread> {
    let mut buffer = [0; REPLY_MAX_BYTES];
    // Whoever sends without end is cut off, too.
    while Instant::now() < deadline {
        while let Some(question) = round.question() {
            match open.send(question.as_ref(), deadline).await {
                Err(unread) if is_closed(&unread) => return Err(unread),
                Ok(()) | Err(_) => {}
            }
        }
        if round.is_done() {
            break;
        }
        match open.receive(&mut buffer, deadline).await {
            Ok(length) => round.receive(&buffer[..length]),
            Err(unread) if is_closed(&unread) => return Err(unread),
            Err(_) => break,
        }
    }
    Ok(())
}

async fn connect(place: &Daemon) -> Result<Datagrams, Unread> {
    match place {
        Daemon::Socket(path) => Datagrams::unix(path, NAME),
        Daemon::Port(at) => Datagrams::udp(at).await,
    }
}

fn usual_places() -> Vec<Daemon> {
    let canonical = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    let [first, second] = SOCKETS.map(PathBuf::from);
    // Where `/var/run` is a link to `/run`, the two are one.
    let one = canonical(&second).is_none_or(|folder| Some(folder) == canonical(&first));
    let sockets = if one { vec![first] } else { vec![first, second] };
    sockets.into_iter().map(Daemon::Socket).chain([Daemon::Port(HostPort::loopback(PORT))]).collect()
}

/// Whether nobody is there, or lets this process in.
fn is_closed(unread: &Unread) -> bool {
    match unread.cause {
        Obstacle::Absent | Obstacle::Denied => true,
        Obstacle::Silent | Obstacle::OtherDomain { .. } | Obstacle::Refused | Obstacle::Malformed => false,
    }
}

/// What a closed port means.
fn explained(place: &Daemon, unread: Unread) -> Unread {
    match (place, unread.cause) {
        (Daemon::Port(_), Obstacle::Absent) => {
            let detail =
                format!("{unread}; chronyd does not run, or its command port is closed (`cmdport` in chrony.conf)");
            Unread::new(unread.cause, detail)
        }
        (Daemon::Port(_) | Daemon::Socket(_), _) => unread,
    }
}

/// Two places that are closed: that this process is not let in is more than that nobody is there.
fn both(first: &Unread, second: &Unread) -> Unread {
    let denied = [first, second].iter().any(|unread| unread.cause == Obstacle::Denied);
    let cause = if denied { Obstacle::Denied } else { Obstacle::Absent };
    Unread::new(cause, format!("{first}; {second}"))
}

fn add(counters: &mut ReaderCounters, more: ReaderCounters) {
    let ReaderCounters { asked, timeouts, strays, malformed } = more;
    counters.asked += asked;
    counters.timeouts += timeouts;
    counters.strays += strays;
    counters.malformed += malformed;
}

#[cfg(test)]
mod tests;
