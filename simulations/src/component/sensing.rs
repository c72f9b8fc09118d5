//! What a component is told of its host, its node and their clock.

use nunect_core::clock::ClockClaim;
use nunect_core::{BusEvent, HostReport, Input, LinkReport, NodeReport, Now};

use super::{Component, End, Office, next};
use crate::around::Around;
use crate::clock;

impl Component {
    pub(crate) fn sense_host(
        &mut self,
        now: Now,
        report: HostReport,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        self.host_due = next(now, self.blueprint.wishes.host);
        self.give(now, Input::Host(report), office, around)
    }

    pub(crate) fn sense_bus(
        &mut self,
        now: Now,
        bus: &BusEvent,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        if self.blueprint.wishes.bus { self.give(now, Input::Bus(bus), office, around) } else { Ok(()) }
    }

    pub(crate) fn sense_node(
        &mut self,
        now: Now,
        node: &NodeReport,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        if self.blueprint.wishes.node { self.give(now, Input::Node(node), office, around) } else { Ok(()) }
    }

    /// Whether the host is to be sensed for it now.
    pub(crate) fn wants_host(&self, now: Now) -> bool {
        self.is_alive() && self.host_due <= now.mono
    }

    /// Whether the link to the server is to be sensed for it now.
    pub(crate) fn wants_link(&self, now: Now) -> bool {
        self.is_alive() && self.link_due <= now.mono
    }

    /// The round trip to the server; `None` while there is none.
    pub(crate) fn sense_link(
        &mut self,
        now: Now,
        report: Option<LinkReport>,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        self.link_due = next(now, self.blueprint.wishes.link);
        report.map_or(Ok(()), |report| self.give(now, Input::Link(report), office, around))
    }

    /// Whether its daemons are to be asked for the clock for it now.
    pub(crate) fn wants_clock(&self, now: Now) -> bool {
        self.is_alive() && self.clock_due <= now.mono
    }

    /// What is known of the clock. That there is no receiver is told once.
    pub(crate) fn sense_clock(&mut self, now: Now, office: &mut Office, around: &mut Around<'_>) -> Result<(), End> {
        let every = self.blueprint.wishes.clock.filter(|_| around.receiver.is_some());
        self.clock_due = next(now, every);
        let report = clock::report(now, around.receiver);
        self.give(now, Input::Clock(&report), office, around)
    }

    /// What the node says about its clock.
    pub(crate) fn sense_claim(
        &mut self,
        now: Now,
        claim: ClockClaim,
        office: &mut Office,
        around: &mut Around<'_>,
    ) -> Result<(), End> {
        let report = NodeReport::Clock(claim);
        if self.blueprint.wishes.claim { self.give(now, Input::Node(&report), office, around) } else { Ok(()) }
    }
}
