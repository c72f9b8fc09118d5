//! The time daemons that were ever heard of, by preference.

use nunect_core::TimeDaemon;

use super::source::Source;

/// Those of which something is known. Most hosts have one daemon, and thousands of simulated nodes none: what is
/// known of one takes room from when there is something.
#[derive(Debug, Default)]
pub(super) struct Sources {
    #[expect(clippy::vec_box, reason = "a vector's first allocation has room for four")]
    known: Vec<Box<Source>>,
}

/// Of whom nothing is known.
static UNKNOWN: [Source; 4] = [
    Source::new(TimeDaemon::Ptp4l),
    Source::new(TimeDaemon::Gpsd),
    Source::new(TimeDaemon::Chronyd),
    Source::new(TimeDaemon::Kernel),
];

impl Sources {
    pub(super) fn get(&self, daemon: TimeDaemon) -> &Source {
        let [ptp4l, gpsd, chronyd, kernel] = &UNKNOWN;
        self.iter().find(|source| source.daemon == daemon).unwrap_or(match daemon {
            TimeDaemon::Ptp4l => ptp4l,
            TimeDaemon::Gpsd => gpsd,
            TimeDaemon::Chronyd => chronyd,
            TimeDaemon::Kernel => kernel,
        })
    }

    pub(super) fn get_mut(&mut self, daemon: TimeDaemon) -> &mut Source {
        let place = self.known.binary_search_by_key(&daemon, |source| source.daemon).unwrap_or_else(|place| {
            self.known.insert(place, Box::new(Source::new(daemon)));
            place
        });
        &mut self.known[place]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.known.iter().map(AsRef::as_ref)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        self.known.iter_mut().map(AsMut::as_mut)
    }
}
