//! linuxptp over its management socket.
//!
//! One report is four questions that are sent together, and the answers to them. What changes rarely is asked for
//! when the grandmaster or the port changed, and once a minute. ptp4l is silent towards whoever asks in another
//! domain than its own, so that silence is looked into: all domains are tried, once a minute at most.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nunect_core::Mono;
use nunect_core::clock::{
    ClockIdentity, Grandmaster, Obstacle, PtpStatus, ReaderCounters, Reading, TimeDaemon, Unread,
};
use tokio::time::Instant;

use super::{Asked, ClockReader};
use crate::clock::Clock;
use crate::config::TimeSection;
use card::Card;
use exchange::{Asker, Conversation, Heard, Wanted};
use status::Report;
use wire::{BOUNDARY_HOPS_MAX, DataSet, PortIdentity, TimeProperties};

mod card;
mod exchange;
mod scan;
mod status;
pub mod wire;

/// Where ptp4l listens if nobody says otherwise: after linuxptp 4.4 in a folder of its own, and before beside all
/// others; the socket that only answers first, as more users may talk to it.
const PLACES: [&str; 4] = ["/var/run/ptp/ptp4lro", "/var/run/ptp/ptp4l", "/var/run/ptp4lro", "/var/run/ptp4l"];
/// The same where a question is to go on to the network, which ptp4l does for its other socket alone.
const PLACES_TO_NETWORK: [&str; 4] =
    ["/var/run/ptp/ptp4l", "/var/run/ptp4l", "/var/run/ptp/ptp4lro", "/var/run/ptp4lro"];
/// How long ptp4l may take for all answers of one report. It takes 30 µs for each.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a grandmaster may take, through the network, on top of that.
const NETWORK_PATIENCE: Duration = Duration::from_millis(100);
/// After this long what changes rarely is asked for again.
const REFRESH: Duration = Duration::from_secs(60);
/// After this long a grandmaster that did not tell its address is asked for it again.
const ADDRESS_RETRY: Duration = Duration::from_secs(10);
/// At most this often all domains are tried, to learn why ptp4l is silent.
const SCAN_PERIOD: Duration = Duration::from_secs(60);

/// Asks ptp4l.
///
/// Its counters leave out the questions by which all domains are tried.
pub struct PtpReader {
    places: Vec<PathBuf>,
    asker: Asker,
    /// Whether the address of the grandmaster is to be learnt.
    address_wanted: bool,
    /// Whether the card's clock is to be read where the card stamps.
    card_wanted: bool,
    /// Kept between reports. Away while one is made: who drops that half-way leaves no socket into which ptp4l would
    /// go on to write, and, once its queue is full, wait.
    conversation: Option<Conversation>,
    rare: Option<Rare>,
    scanned: Option<Scanned>,
}

/// What changes rarely.
struct Rare {
    at: Mono,
    grandmaster: ClockIdentity,
    port: PortIdentity,
    properties: TimeProperties,
    hardware: Option<bool>,
    interface: Option<Box<str>>,
    card: Option<Card>,
    address: Option<std::net::IpAddr>,
    address_asked: Option<Mono>,
}

/// What came of trying all domains.
struct Scanned {
    at: Mono,
    /// The domain and transportSpecific that are answered.
    answers: Option<(u8, u8)>,
}

/// Why there is no report.
enum Failure {
    /// Not one datagram came.
    Silence,
    Unread(Unread),
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

impl PtpReader {
    /// A reader of the ptp4l of which `time` tells. It asks nothing yet.
    #[must_use]
    pub fn new(time: &TimeSection) -> Self {
        let master = time.ptp_master.as_deref().and_then(|master| master.parse().ok());
        let address_wanted = match master {
            Some(Grandmaster::Address(_)) => true,
            Some(Grandmaster::Identity(_)) | None => false,
        };
        let usual = if address_wanted { PLACES_TO_NETWORK } else { PLACES };
        let places = time.ptp_socket.as_ref().map_or_else(|| usual.map(PathBuf::from).to_vec(), |at| vec![at.clone()]);
        Self {
            places,
            asker: Asker::new(time.ptp_domain, time.ptp_transport_specific),
            address_wanted,
            card_wanted: time.ptp_hw_timestamp != Some(false),
            conversation: None,
            rare: None,
            scanned: None,
        }
    }

    async fn ask(&mut self, clock: &Clock) -> Result<PtpStatus, Unread> {
        let deadline = Instant::now() + PATIENCE;
        if let Some(kept) = self.conversation.take() {
            match self.report(kept, clock, deadline).await {
                // It was restarted, and has another socket now.
                Err((_, Failure::Unread(gone))) if matches!(gone.cause, Obstacle::Absent | Obstacle::Denied) => {}
                other => return self.concluded(other, clock).await,
            }
        }
        let conversation = self.open()?;
        let reported = self.report(conversation, clock, deadline).await;
        self.concluded(reported, clock).await
    }

    /// What is to be said of what came of a report.
    async fn concluded(
        &mut self,
        reported: Result<PtpStatus, (PathBuf, Failure)>,
        clock: &Clock,
    ) -> Result<PtpStatus, Unread> {
        match reported {
            Ok(status) => {
                if let Some(scanned) = &mut self.scanned {
                    scanned.answers = None;
                }
                Ok(status)
            }
            Err((_, Failure::Unread(unread))) => Err(unread),
            Err((path, Failure::Silence)) => Err(self.silence(&path, clock).await),
        }
    }

    /// Talks to ptp4l in the first place where it listens.
    fn open(&self) -> Result<Conversation, Unread> {
        let mut denied = None;
        let mut absent = None;
        for path in &self.places {
            match Conversation::open(path) {
                Ok(conversation) => return Ok(conversation),
                Err(unread) if unread.cause == Obstacle::Absent => absent = Some(unread),
                Err(unread) => denied = denied.or(Some(unread)),
            }
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        let detail = match (self.places.as_slice(), absent) {
            ([_], Some(absent)) => format!("ptp4l does not run here: {absent}"),
            (places, _) => {
                let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
                format!("ptp4l does not run here: nobody listens at {}", places.join(", "))
            }
        };
        Err(Unread::new(Obstacle::Absent, detail))
    }

    /// Makes one report. The conversation is kept if it went well: after a failure late answers may come, and the next
    /// report is not to wade through them.
    async fn report(
        &mut self,
        conversation: Conversation,
        clock: &Clock,
        deadline: Instant,
    ) -> Result<PtpStatus, (PathBuf, Failure)> {
        match self.told(&conversation, clock, deadline).await {
            Ok(status) => {
                self.conversation = Some(conversation);
                Ok(status)
            }
            Err(failure) => Err((conversation.into_path(), failure)),
        }
    }

    async fn told(
        &mut self,
        conversation: &Conversation,
        clock: &Clock,
        deadline: Instant,
    ) -> Result<PtpStatus, Failure> {
        // All ports answer what is asked of ports, each with a datagram. ptp4l does one thing after the other: when it
        // answers the next question, all ports have answered.
        let mut wanted = vec![
            Wanted::here(DataSet::Port),
            Wanted::here(DataSet::TimeStatus),
            Wanted::here(DataSet::Current),
            Wanted::here(DataSet::Parent),
        ];
        if self.rare.as_ref().is_some_and(|rare| rare.card.is_some()) {
            // In the minute after a leap second the card's clock would seem to be a second off.
            wanted.push(Wanted::here(DataSet::TimeProperties));
        }
        let mut heard = Heard::default();
        self.asker.ask(conversation, &wanted, deadline, &mut heard).await?;
        if heard.is_silence() {
            return Err(Failure::Silence);
        }
        let report = Report::of(&heard).ok_or_else(|| heard.missing(conversation.path()))?;

        let now = clock.mono();
        self.refresh(conversation, &report, heard.time_properties, now, deadline).await?;
        self.learn_address(conversation, &report, now).await?;
        let Some(rare) = &mut self.rare else { return Err(heard.missing(conversation.path()).into()) };
        // Five readings over PCI take some microseconds: less than handing them to another thread.
        let card = rare.card.as_mut().and_then(|card| card.offset(&rare.properties));
        let mut status = report.status(self.asker.domain(), &rare.properties);
        status.hardware = rare.hardware;
        status.interface.clone_from(&rare.interface);
        status.grandmaster_address = rare.address;
        status.card = card;
        Ok(status)
    }

    /// Asks for what changes rarely, when it may have changed.
    async fn refresh(
        &mut self,
        conversation: &Conversation,
        report: &Report,
        fresh: Option<TimeProperties>,
        now: Mono,
        deadline: Instant,
    ) -> Result<(), Unread> {
        let (grandmaster, port) = (report.parent.grandmaster, report.port.port);
        if let Some(rare) = &mut self.rare
            && (rare.grandmaster, rare.port) == (grandmaster, port)
            && now.since(rare.at) < REFRESH
        {
            rare.properties = fresh.unwrap_or(rare.properties);
            return Ok(());
        }
        let wanted = [Wanted::of(DataSet::PortProperties, port, 0), Wanted::here(DataSet::TimeProperties)];
        let mut heard = Heard::default();
        self.asker.ask(conversation, &wanted, deadline, &mut heard).await?;
        let Some(properties) = heard.time_properties else { return Err(heard.missing(conversation.path())) };
        let (stamps, interface) = heard.port_properties.unzip();
        let hardware = stamps.map(wire::Timestamping::is_hardware);
        let card = match (&interface, hardware) {
            (Some(interface), Some(true)) if self.card_wanted => Card::of(interface),
            _ => None,
        };
        let known = self.rare.take().filter(|rare| rare.grandmaster == grandmaster);
        let (address, address_asked) = known.map_or((None, None), |rare| (rare.address, rare.address_asked));
        self.rare =
            Some(Rare { at: now, grandmaster, port, properties, hardware, interface, card, address, address_asked });
        Ok(())
    }

    /// Asks the grandmaster for its address, if that is wanted and nobody knows it. ptp4l passes the question on to the
    /// network, and the answer back.
    ///
    /// One that does not answer is no failure of the report.
    async fn learn_address(&mut self, conversation: &Conversation, report: &Report, now: Mono) -> Result<(), Unread> {
        let Some(rare) = &mut self.rare else { return Ok(()) };
        let again = if rare.address.is_some() { REFRESH } else { ADDRESS_RETRY };
        let due = rare.address_asked.is_none_or(|asked| now.since(asked) >= again);
        if !self.address_wanted || !due {
            return Ok(());
        }
        rare.address_asked = Some(now);
        let hops = u8::try_from(report.current.steps_removed).unwrap_or(u8::MAX).min(BOUNDARY_HOPS_MAX);
        // The port that is followed has the address that counts. Behind boundary clocks it is not known which one it
        // is: the first that answers stands for all.
        let parent = report.parent.parent;
        let any = PortIdentity { clock: rare.grandmaster, port: PortIdentity::ALL.port };
        let target = if parent.clock == rare.grandmaster && hops == 1 { parent } else { any };
        let mut heard = Heard::default();
        let wanted = [Wanted::of(DataSet::ClockDescription, target, hops)];
        self.asker.ask(conversation, &wanted, Instant::now() + NETWORK_PATIENCE, &mut heard).await?;
        rare.address = heard.address;
        Ok(())
    }

    /// Why nothing came from ptp4l, which listens at `path`.
    async fn silence(&mut self, path: &Path, clock: &Clock) -> Unread {
        let now = clock.mono();
        let (domain, transport_specific) = (self.asker.domain(), self.asker.transport_specific());
        if self.scanned.as_ref().is_none_or(|scanned| now.since(scanned.at) >= SCAN_PERIOD) {
            let answers = scan::answers(path, (domain, transport_specific)).await;
            self.scanned = Some(Scanned { at: now, answers });
        }
        let at = format!("ptp4l at {} does not answer in domain {domain}", path.display());
        match self.scanned.as_ref().and_then(|scanned| scanned.answers) {
            Some((answers, other)) => {
                let with = |value: u8| if other == transport_specific { String::new() } else { transport(value) };
                let detail = format!("{at}{}; it answers in domain {answers}{}", with(transport_specific), with(other));
                Unread::new(Obstacle::OtherDomain { answers, transport_specific: other }, detail)
            }
            None => Unread::new(Obstacle::Silent, format!("{at}, nor in another one, within {PATIENCE:?}")),
        }
    }
}

fn transport(specific: u8) -> String {
    format!(" with transportSpecific {specific}")
}

impl ClockReader for PtpReader {
    fn daemon(&self) -> TimeDaemon {
        TimeDaemon::Ptp4l
    }

    fn read<'a>(&'a mut self, clock: &'a Clock) -> Asked<'a> {
        Box::pin(async move { self.ask(clock).await.map(Reading::Ptp) })
    }

    fn counters(&self) -> ReaderCounters {
        self.asker.counters()
    }
}

#[cfg(test)]
mod tests;
