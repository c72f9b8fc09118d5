//! What befalls stations and links on purpose.

/// A fault of the mesh.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NetFault {
    /// Links between different sides carry nothing.
    Barrier {
        /// The side of each station; those of side `u8::MAX`, and those not listed, hear all.
        side_of: Vec<u8>,
        /// Only what goes from a side to one of a higher number is lost: the first hears the others
        /// and is not heard.
        one_way: bool,
    },
    /// The links from any of these stations to any of those are not as they were.
    Link {
        from: Vec<u32>,
        to: Vec<u32>,
        /// And back.
        both_ways: bool,
        change: LinkChange,
    },
}

/// What is different with a link.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct LinkChange {
    /// Nothing passes.
    pub(crate) down: bool,
    /// Beside its own loss, the share of attempts that is lost, from 0 to 1.
    pub(crate) loss: f64,
    /// Beside its own delay, in nanoseconds.
    pub(crate) delay: u64,
    /// No more bits per second than these.
    pub(crate) rate: Option<u64>,
    /// Nothing passes before this true instant, when the fault is lifted; what is sent until then
    /// waits, as far as the queue has room, and passes afterwards. `u64::MAX` is for ever.
    pub(crate) clog: Option<u64>,
}

/// What all faults together do to one direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(super) struct Effect {
    pub(super) blocked: bool,
    pub(super) loss: f64,
    pub(super) delay: u64,
    pub(super) rate: Option<u64>,
    pub(super) clog: u64,
}

/// A fault, prepared for quick answers.
#[derive(Debug)]
enum Rule {
    Barrier { side_of: Vec<u8>, one_way: bool },
    Link { from: Vec<bool>, to: Vec<bool>, both_ways: bool, change: LinkChange },
}

#[derive(Debug)]
struct Imposed {
    id: u32,
    serial: u32,
    rule: Rule,
    /// Whether it holds.
    active: bool,
    /// Whether routes know that it does.
    known: bool,
}

/// The faults of the moment, and those that routes still believe in.
#[derive(Debug, Default)]
pub(super) struct Faults {
    imposed: Vec<Imposed>,
    serials: u32,
}

/// A list of stations as a yes or no for each.
fn members(list: &[u32], stations: usize) -> Vec<bool> {
    let mut members = vec![false; stations];
    for &station in list {
        if let Some(member) = members.get_mut(station as usize) {
            *member = true;
        }
    }
    members
}

impl Rule {
    fn new(fault: NetFault, stations: usize) -> Self {
        match fault {
            NetFault::Barrier { side_of, one_way } => Self::Barrier { side_of, one_way },
            NetFault::Link { from, to, both_ways, change } => {
                Self::Link { from: members(&from, stations), to: members(&to, stations), both_ways, change }
            }
        }
    }

    fn apply(&self, from: u32, to: u32, effect: &mut Effect) {
        let (from, to) = (from as usize, to as usize);
        match self {
            Self::Barrier { side_of, one_way } => {
                let side = |station: usize| side_of.get(station).copied().unwrap_or(u8::MAX);
                let (here, there) = (side(from), side(to));
                let apart = here != there && here != u8::MAX && there != u8::MAX;
                effect.blocked |= apart && (!one_way || here < there);
            }
            Self::Link { from: sources, to: targets, both_ways, change } => {
                let meant = (sources[from] && targets[to]) || (*both_ways && sources[to] && targets[from]);
                if meant {
                    effect.blocked |= change.down;
                    effect.loss = 1.0 - (1.0 - effect.loss) * (1.0 - change.loss);
                    effect.delay = effect.delay.saturating_add(change.delay);
                    effect.rate = [effect.rate, change.rate].into_iter().flatten().min();
                    effect.clog = effect.clog.max(change.clog.unwrap_or(0));
                }
            }
        }
    }
}

impl Faults {
    /// Begins a fault. Returns the number under which routes are to learn of it.
    pub(super) fn impose(&mut self, id: u32, fault: NetFault, stations: usize) -> u32 {
        let serial = self.serials;
        self.serials += 1;
        self.imposed.push(Imposed { id, serial, rule: Rule::new(fault, stations), active: true, known: false });
        serial
    }

    /// Ends a fault. Returns the number under which routes are to learn of that, if they must.
    pub(super) fn lift(&mut self, id: u32) -> Option<u32> {
        let imposed = self.imposed.iter_mut().find(|imposed| imposed.id == id && imposed.active)?;
        imposed.active = false;
        let (serial, known) = (imposed.serial, imposed.known);
        self.imposed.retain(|imposed| imposed.active || imposed.known);
        known.then_some(serial)
    }

    /// Routes learn of what they should have by now. Returns whether anything is new to them: what was
    /// over before they could learn of it is not.
    pub(super) fn learn(&mut self, serial: u32) -> bool {
        let Some(imposed) = self.imposed.iter_mut().find(|imposed| imposed.serial == serial) else { return false };
        let new = imposed.active != imposed.known;
        imposed.known = imposed.active;
        self.imposed.retain(|imposed| imposed.active || imposed.known);
        new
    }

    /// What holds from one station to another.
    pub(super) fn effect(&self, from: u32, to: u32) -> Effect {
        let mut effect = Effect::default();
        self.imposed
            .iter()
            .filter(|imposed| imposed.active)
            .for_each(|imposed| imposed.rule.apply(from, to, &mut effect));
        effect
    }

    /// The share of probes that gets past the faults that routes know of.
    pub(super) fn known(&self, from: u32, to: u32) -> f32 {
        let mut effect = Effect::default();
        self.imposed
            .iter()
            .filter(|imposed| imposed.known)
            .for_each(|imposed| imposed.rule.apply(from, to, &mut effect));
        if effect.blocked || effect.clog > 0 { 0.0 } else { (1.0 - effect.loss) as f32 }
    }

    /// Whether routes know of none.
    pub(super) fn none_known(&self) -> bool {
        self.imposed.iter().all(|imposed| !imposed.known)
    }
}
