mod backoff;
mod commands;
mod exit;
mod grace;
mod group;
mod intensity;
mod significant;
mod start;
mod stop;

use std::collections::BTreeMap;

use nunect_core::Period;
use nunect_core::random::SeedableRng;

use super::*;
use crate::spec::ChildSpec;

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor whose events and actions are short texts: `start a1` is the first start of child `a`.
struct Bench {
    supervisor: Supervisor,
    now: Mono,
    timers: BTreeMap<TimerId, Mono>,
}

/// Children are named `a`, `b`, …; a letter says each one's kind: `p`ermanent, `t`ransient, t`e`mporary.
fn bench(strategy: Strategy, kinds: &str) -> Bench {
    bench_with(strategy, kinds, Shutdown::default())
}

fn bench_with(strategy: Strategy, kinds: &str, shutdown: Shutdown) -> Bench {
    let children = kinds.chars().zip('a'..).map(|(kind, name)| {
        let name = ActorName::new(&name.to_string()).expect("a letter is a legal name");
        let restart = match kind {
            'p' => Restart::Permanent,
            't' => Restart::Transient,
            _ => Restart::Temporary,
        };
        ChildSpec { name, restart, shutdown, significant: false }
    });
    let supervisor = Supervisor::new(Spec::new(strategy, children.collect()), ChaCha8Rng::seed_from_u64(3));
    Bench { supervisor, now: Mono::ZERO, timers: BTreeMap::new() }
}

/// The same, with all children up.
fn running(strategy: Strategy, kinds: &str) -> Bench {
    let mut bench = bench(strategy, kinds);
    bench.start_all();
    bench
}

impl Bench {
    fn step(&mut self, event: Event) -> Vec<String> {
        let actions = self.supervisor.step(self.now, event);
        actions.into_iter().map(|action| self.word(action)).collect()
    }

    fn word(&mut self, action: Action) -> String {
        let life = |child, generation: Generation| {
            let name = self.supervisor.name(child).expect("an action names a child that is there");
            format!("{name}{}", generation.0)
        };
        match action {
            Action::Start { child, generation } => format!("start {}", life(child, generation)),
            Action::Stop { child, generation, reason } => format!("stop {} {reason:?}", life(child, generation)),
            Action::Kill { child, generation } => format!("kill {}", life(child, generation)),
            Action::Arm { timer, at } => {
                self.timers.insert(timer, at);
                format!("arm {}", timer.0)
            }
            Action::Cancel(timer) => format!("cancel {}", timer.0),
            Action::Emit { event, .. } => event.name().to_owned(),
            Action::Escalate { crashes, reason, .. } => format!("escalate {crashes} {reason}"),
            Action::Completed { who } => format!("completed {who}"),
            Action::Stopped => "stopped".to_owned(),
        }
    }

    fn life(&self, name: &str) -> (ChildId, Generation) {
        // The latest of the name; removed or not.
        let named = |child: &ChildId| self.supervisor.name(*child).is_some_and(|other| other.as_str() == name);
        let child = self.supervisor.children().rfind(named).expect("a child of the bench");
        (child, self.supervisor.generation(child).expect("it is there"))
    }

    fn up(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Started { child, generation })
    }

    fn fails(&mut self, name: &str) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::StartFailed { child, generation, reason: "no device".to_owned() })
    }

    fn exits(&mut self, name: &str, exit: Exit) -> Vec<String> {
        let (child, generation) = self.life(name);
        self.step(Event::Exited { child, generation, exit })
    }

    fn ends(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Normal { reason: "done".to_owned() })
    }

    fn crashes(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Crash { reason: "panic".to_owned(), on_message: false })
    }

    fn crashes_on_message(&mut self, name: &str) -> Vec<String> {
        self.exits(name, Exit::Crash { reason: "panic".to_owned(), on_message: true })
    }

    /// The timer's time comes.
    fn fire(&mut self, timer: u64) -> Vec<String> {
        let timer = TimerId(timer);
        self.now = self.now.max(self.timers[&timer]);
        self.step(Event::Timer(timer))
    }

    /// One more permanent child.
    fn add(&mut self, name: &str) -> Vec<String> {
        self.step(Event::Add(ChildSpec::new(ActorName::new(name).expect("legal"))))
    }

    fn remove(&mut self, name: &str) -> Vec<String> {
        let (child, _) = self.life(name);
        self.step(Event::Remove(child))
    }

    fn restart(&mut self, name: &str) -> Vec<String> {
        let (child, _) = self.life(name);
        self.step(Event::Restart(child))
    }

    fn start_all(&mut self) {
        self.step(Event::Start);
        for child in self.supervisor.children().collect::<Vec<_>>() {
            self.step(Event::Started { child, generation: Generation(1) });
        }
    }

    fn state(&self, name: &str) -> &'static str {
        self.supervisor.state(self.life(name).0).expect("it is there").as_str()
    }
}

const NOTHING: [&str; 0] = [];
const NODE_STOPS: Event = Event::Stop(StopReason::NodeShutdown);
