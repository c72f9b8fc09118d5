//! The simulator as somebody else's crate uses it: with an actor of its own, from the text of a scenario to
//! the smallest run in which that actor fails.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Duration;

use garde::Validate;
use nunect_core::{
    Actor, Birth, Catalog, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono, Now, Pattern,
    Subject, Subscription,
};
use nunect_simulations::explore::{Exploration, Tried, explore};
use nunect_simulations::shrink::{ShrinkError, Size, shrink};
use nunect_simulations::{Scenario, Simulation};
use schemars::JsonSchema;
use serde::Deserialize;

/// One of them says that all is well twice a second; the others give up for good when they hear nothing of it
/// for 2 s, which is too soon for a radio.
struct Vigil {
    config: VigilConfig,
    due: Option<Mono>,
    gave_up: bool,
    /// When it first and last did anything.
    life: Option<(Mono, Mono)>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct VigilConfig {
    /// Whether it is the one that says so.
    #[serde(default)]
    keeps: bool,
    /// Whether it panics once more when it goes before its time.
    #[serde(default)]
    brittle: bool,
}

const BEAT: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(2);
const LIFE: Duration = Duration::from_secs(35);

impl Actor for Vigil {
    const KIND: &'static str = "vigil";
    type Config = VigilConfig;

    fn new(config: VigilConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { config, due: None, gave_up: false, life: None })
    }

    fn contract(&self) -> Contract {
        let pattern = Pattern::parse("com.watch.well".to_owned()).expect("legal");
        let reads = if self.config.keeps { Vec::new() } else { vec![Subscription { pattern, queue: None }] };
        Contract { reads, ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        self.life = Some((self.life.map_or(now.mono, |(first, _)| first), now.mono));
        match input {
            Input::Started if self.config.keeps => self.due = Some(now.mono),
            Input::Message(_) if !self.gave_up => self.due = Some(now.mono + PATIENCE),
            Input::Timeout(_) if self.config.keeps => {
                out.publish(Message::new(Subject::parse("com.watch.well".to_owned()).expect("legal")).body("well"));
                self.due = Some(now.mono + BEAT);
            }
            Input::Timeout(_) => {
                let silence = [("for".to_owned(), "2s".to_owned())].into();
                out.emit(Event::Custom { kind: "gave_up".into(), fields: silence });
                (self.due, self.gave_up) = (None, true);
            }
            Input::Started
            | Input::Message(_)
            | Input::Reply { .. }
            | Input::Stopping(_)
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.due.map(|due| Deadline::new(due, "all is well"))
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        let old = self.life.is_some_and(|(first, last)| last.since(first) >= LIFE);
        assert!(!self.config.brittle || old, "went before its time");
    }
}

fn catalog() -> Catalog {
    nunect_actors::catalog().with::<Vigil>()
}

const WATCH: &str = "\
name: watch
about: A ring of radios, one of which says that all is well; now and then one is cut off for a moment.
duration: 60s
actors: { heartbeater: {} }
nodes:
  - { prefix: n, count: 5 }
  - { name: master, actors: { vigil: { keeps: true } } }
  - { name: watcher, actors: { vigil: {} } }
world:
  layered:
    mesh: { topology: ring, link: { delay: 5ms, loss: 1%, retries: 3 } }
    servers: { hubs: n0 }
faults:
  - { every: 15s, until: 55s, name: gap, partition: { nodes: { any: 1, of: [n*, master, watcher, not n0] }, for: 3s } }
  - { every: 10s, until: 55s, clock_step: { nodes: { any: 1, of: n* }, by: 5ms } }
expect:
  - name: nobody gives up
    always: { without: custom:gave_up }
  - within: 10s
    see: { nodes: '*', connected: true }
  - sometimes: { event: custom:gave_up, nodes: watcher, actor: vigil }
";

fn scenario(text: &str) -> Scenario {
    Scenario::parse("watch.yaml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn explored(text: &str, seeds: RangeInclusive<u64>, jobs: usize) -> (Exploration, Vec<Tried>) {
    let mut all = Vec::new();
    let tell = |tried: &Tried| {
        all.push(tried.clone());
        ControlFlow::Continue(())
    };
    let jobs = NonZeroUsize::new(jobs).expect("at least one");
    let exploration = explore(&scenario(text), &catalog(), seeds, jobs, tell).expect("a good scenario");
    all.sort_by_key(|tried| tried.seed);
    (exploration, all)
}

const GAVE_UP: &str = "nobody gives up (gave_up)";

#[test]
fn exploring_finds_the_seeds_with_which_a_fragile_actor_fails() {
    let (exploration, all) = explored(WATCH, 1..=12, 2);
    let [group] = exploration.groups.as_slice() else { panic!("they fail alike: {exploration:#?}") };
    assert_eq!((exploration.tried, group.failure.as_str()), (12, GAVE_UP));
    assert!((2..11).contains(&group.seeds.len()), "some seeds fail and some do not: {group:?}");
    assert!(group.why.contains("watcher vigil: gave_up for=2s"), "{}", group.why);
    assert_eq!(group.replay, format!("nunect sim run watch.yaml --seed {}", group.seeds[0]));
    assert_eq!(exploration.never_seen, Vec::<String>::new());
    for tried in all {
        let outcome = Simulation::new(&scenario(WATCH), catalog(), tried.seed).expect("a good scenario").run();
        assert_eq!((Some(outcome.hash), outcome.passed()), (tried.hash, tried.failure.is_none()));
        assert_eq!(tried.failure.is_some(), group.seeds.contains(&tried.seed));
        assert_eq!(tried.failure.is_some(), tried.seen.len() == 1, "what fails is what is to be seen sometimes");
    }
    let calm = WATCH.replace("for: 3s", "for: 300ms");
    let (calm, _) = explored(&calm, 1..=3, 2);
    assert_eq!((calm.failed, calm.never_seen.len()), (0, 1), "{calm:?}");
}

#[test]
fn it_does_not_matter_how_many_runs_go_on_at_once() {
    let alone = explored(WATCH, 1..=6, 1);
    assert_eq!(alone, explored(WATCH, 1..=6, 3));
    assert_eq!(alone.1.iter().map(|tried| tried.seed).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn no_seed_begins_once_nobody_wants_more() {
    let mut told = 0;
    let tell = |_: &Tried| {
        told += 1;
        ControlFlow::Break(())
    };
    let jobs = NonZeroUsize::new(2).expect("two");
    let explored = explore(&scenario(WATCH), &catalog(), 0..=u64::MAX, jobs, tell).expect("a good scenario");
    assert_eq!(explored.tried, told);
    // One that was told of, and those that went on or waited to be told of meanwhile.
    assert!((1..=6).contains(&explored.tried), "{}", explored.tried);
}

#[test]
fn a_failure_becomes_smaller_and_stays_the_same() {
    let (exploration, _) = explored(WATCH, 1..=12, 2);
    let seed = exploration.groups[0].seeds[0];
    let mut sizes = Vec::new();
    let tell = |size: Size, _: u32| {
        sizes.push((size.faults, size.nodes, size.duration));
        ControlFlow::Continue(())
    };
    let shrunk = shrink(&scenario(WATCH), &catalog(), seed, 300, tell).expect("it fails");
    assert_eq!(shrunk.failure, GAVE_UP);
    // One of the two who matter is cut off; the hub between them stays.
    assert_eq!((shrunk.before.faults, shrunk.after.faults), (8, 1));
    assert_eq!((shrunk.before.nodes, shrunk.after.nodes), (7, 3));
    // Nothing comes after it but the second that it takes to be sure.
    let mut certain = Simulation::new(&scenario(&shrunk.text), catalog(), seed).expect("a good scenario");
    certain.keep_events();
    certain.run();
    let watcher = "watcher".parse().expect("a name");
    let (at, _) =
        certain.events(&watcher, Some("vigil")).find(|(_, event)| event.name() == "gave_up").expect("it fails");
    assert!(shrunk.after.duration <= at + Duration::from_secs(2), "{at:?} {shrunk:?}");
    let last = (shrunk.after.faults, shrunk.after.nodes, shrunk.after.duration);
    assert_eq!(sizes.last(), Some(&last), "each step is told");
    let again = scenario(&shrunk.text);
    assert_eq!((again.seed(), again.nodes(), again.duration()), (seed, 3, shrunk.after.duration));
    assert_eq!(again.expectations(), 1);
    let outcome = Simulation::new(&again, catalog(), seed).expect("a good scenario").run();
    assert_eq!(outcome.failure().map(|failure| failure.to_string()).as_deref(), Some(GAVE_UP));
    let few = shrink(&scenario(WATCH), &catalog(), seed, 4, |_, _| ControlFlow::Continue(())).expect("it fails");
    assert_eq!(few.runs, 4, "no more than it may take");
}

#[test]
fn what_does_not_fail_or_cannot_run_does_not_become_smaller() {
    let on = |text: &str, catalog: &Catalog| {
        shrink(&scenario(text), catalog, 5, 9, |_, _| ControlFlow::Continue(())).expect_err("nothing to shrink")
    };
    let calm = WATCH.replace("for: 3s", "for: 300ms");
    assert!(matches!(on(&calm, &catalog()), ShrinkError::Passes(5)));
    assert!(matches!(on(&calm, &nunect_actors::catalog()), ShrinkError::Scenario(_)));
}

/// One actor of three cannot bear to go.
const BRITTLE: &str = "\
name: brittle
duration: 60s
nodes:
  - { name: n0, actors: { vigil: { keeps: true } } }
  - { name: n1, actors: { vigil: {} } }
  - { name: n2, actors: { vigil: { brittle: true } } }
faults:
  - { at: 20s, panic: { nodes: { any: 1, of: n* }, actor: vigil } }
  - { at: 30s, pause: { nodes: n0, for: 1s } }
";

const PANICKED: &str = "the simulator panicked";

#[test]
fn a_panic_of_the_simulator_is_a_failure_like_any_other() {
    let (exploration, all) = explored(BRITTLE, 1..=12, 2);
    let [group] = exploration.groups.as_slice() else { panic!("they fail alike: {exploration:#?}") };
    assert_eq!(group.failure, PANICKED);
    assert!((1..12).contains(&group.seeds.len()), "{group:?}");
    assert!(group.why.contains("library.rs:") && group.why.ends_with("went before its time"), "{}", group.why);
    assert_eq!(group.replay, format!("nunect sim run watch.yaml --seed {}", group.seeds[0]));
    assert!(all.iter().all(|tried| tried.hash.is_some() == tried.failure.is_none()));

    let seed = group.seeds[0];
    let shrunk = shrink(&scenario(BRITTLE), &catalog(), seed, 100, |_, _| ControlFlow::Continue(())).expect("it fails");
    assert_eq!((shrunk.failure.as_str(), shrunk.after.nodes), (PANICKED, 1));
    assert!(shrunk.after.faults < shrunk.before.faults && shrunk.after.duration < shrunk.before.duration, "{shrunk:?}");
    let (again, _) = explored(&shrunk.text, seed..=seed, 1);
    assert_eq!(again.groups[0].failure, PANICKED);
}

/// Set for the process that panics.
const CHILD: &str = "NUNECT_TEST_PANICS";

#[test]
fn a_run_in_which_the_simulator_panics_says_how_to_repeat_it() {
    let certain = scenario(&BRITTLE.replace("{ any: 1, of: n* }", "n2"));
    match std::env::var(CHILD).as_deref() {
        Ok("run") => drop(Simulation::new(&certain, catalog(), 7).expect("a good scenario").run()),
        Ok(_) => assert_eq!(explored(BRITTLE, 1..=12, 2).0.groups.len(), 1),
        Err(_) => says_how_to_repeat_it(),
    }
}

fn says_how_to_repeat_it() {
    let name = "library::a_run_in_which_the_simulator_panics_says_how_to_repeat_it";
    let child = |mode: &str| {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", name]).env(CHILD, mode).output().expect("it runs")
    };
    let explored = child("explore");
    assert!(explored.status.success() && explored.stderr.is_empty(), "exploring tells its caller: {explored:?}");
    let output = child("run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(errors.contains("the simulator panicked; again: nunect sim run watch.yaml --seed 7\n"), "{output:?}");
    let words: BTreeSet<bool> = [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).contains("went before its time"))
        .into();
    assert!(words.contains(&true), "and the panic's own words: {output:?}");
}
