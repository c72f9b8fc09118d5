//! Who is OFFLINE, as the monitor of one simulated unit sees it.

use std::time::Duration;

use nunect::time::nanos;

use super::run::{Traced, period, run};
use crate::measured::Decisions;
use crate::real::{FAR, NEAR, VICTIM, WATCHER};

/// When the link is cut: every unit has been heard several times.
const CUT_AT: Duration = Duration::from_secs(12);
const RECOVERY: Duration = Duration::from_secs(8);
/// From node 1 to the server.
const DELAY: Duration = Duration::from_millis(10);
/// From the start of a unit there to the arrival of its first heartbeat: three round trips to connect, half of one, and
/// a margin, so that a heartbeat that arrived just before the real cut does so before this one.
const FIRST: Duration = Duration::from_millis(85);

/// The same five units, of which each beat last as long before the cut as it did on the real side.
pub(crate) fn offline_decisions(real: &Decisions, seed: u64) -> Decisions {
    let Decisions { interval, cut, .. } = *real;
    let last_heard = |id: &str| {
        let heard = real.last_heard.iter().find(|(unit, _)| unit == id).expect("a unit that was heard");
        heard.1
    };
    // A unit beats when it starts, and then every interval. All begin within the fourth second.
    let starts: Vec<String> = [WATCHER, VICTIM, NEAR, FAR[0], FAR[1]]
        .into_iter()
        .map(|id| {
            let way = if FAR.contains(&id) { FIRST } else { Duration::ZERO };
            let phase = nanos(CUT_AT - last_heard(id) - way) % nanos(interval);
            let from = Duration::from_secs(3) + Duration::from_nanos(phase);
            format!("  - {{ at: 0s, crash: {{ nodes: {id}, for: {} }} }}\n", period(from))
        })
        .collect();
    let text = format!(
        "name: offline
duration: {duration}
nodes:
  - {{ name: hub }}
  - {{ name: {WATCHER}, actors: {{ monitor: {{}}, {beats} }} }}
  - {{ name: {VICTIM}, actors: {{ {beats} }} }}
  - {{ name: {NEAR}, actors: {{ {beats} }} }}
  - {{ name: {far1}, actors: {{ {beats} }} }}
  - {{ name: {far2}, actors: {{ {beats} }} }}
world:
  layered:
    mesh:
      topology: {{ star: {{ center: hub }} }}
      link: {{ delay: 30us }}
      links: [ {{ between: [hub, {far1}], delay: {delay} }}, {{ between: [hub, {far2}], delay: {delay} }} ]
      routes: {{ hop_limit: 2, convergence: 0s }}
    transport: {{ tcp: {{ syn_linear_timeouts: 4 }} }}
    servers: {{ hubs: [hub], nodes: client }}
faults:
  - {{ at: {at}, link: {{ from: hub, to: [{far1}, {far2}], down: true, for: {cut} }} }}
  - {{ at: {at}, crash: {{ nodes: {VICTIM} }} }}
{starts}",
        duration = period(CUT_AT + cut + RECOVERY),
        beats = format!("heartbeater: {{ interval: {} }}", period(interval)),
        far1 = FAR[0],
        far2 = FAR[1],
        delay = period(DELAY),
        at = period(CUT_AT),
        cut = period(cut),
        starts = starts.concat(),
    );
    let found = run(&text, seed, Traced::No, Some(WATCHER));
    let decided = |kind: &str, since: Duration| {
        let about = found.decisions.iter().filter(|(_, what, _)| what == kind);
        let since = nanos(since);
        about.filter_map(|(at, _, unit)| Some((unit.clone(), Duration::from_nanos(at.checked_sub(since)?)))).collect()
    };
    let offline = decided("unit_offline", CUT_AT);
    let online = decided("unit_online", CUT_AT + cut);
    Decisions { interval, cut, last_heard: real.last_heard.clone(), offline, online }
}
