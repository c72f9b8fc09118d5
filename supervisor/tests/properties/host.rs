//! A supervisor on a stage, watched by the referee.

use nunect_core::Mono;
use nunect_core::random::Entropy;
use nunect_supervisor::{Action, ChildId, ChildSpec, ChildState, Event, Supervisor};

use crate::referee::Referee;
use crate::scenario::Scenario;
use crate::stage::{Play, Stage};

/// One event and what the supervisor did about it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) now: Mono,
    pub(crate) event: Event,
    pub(crate) actions: Vec<Action>,
    /// How the children did before, and whether the supervisor was on its way to escalate.
    pub(crate) before: Vec<ChildState>,
    pub(crate) escalating: bool,
}

impl Step {
    pub(crate) const fn stops(&self) -> bool {
        matches!(self.event, Event::Stop(_))
    }
}

/// Everything that happened in a run, and the supervisor at its end.
pub(crate) struct Run {
    pub(crate) steps: Vec<Step>,
    pub(crate) supervisor: Supervisor,
    /// All children there ever were.
    pub(crate) children: Vec<ChildSpec>,
}

impl Run {
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|step| &step.actions)
    }
}

pub(crate) struct Host {
    stage: Stage,
    supervisor: Supervisor,
    referee: Referee,
    steps: Vec<Step>,
}

impl Play for Host {
    fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    fn tell(&mut self, event: Event) {
        let before = self.supervisor.children().filter_map(|child| self.supervisor.state(child)).collect();
        let escalating = self.supervisor.is_closing() && !self.steps.iter().any(|step| step.stops());
        let now = self.stage.now;
        self.stage.note(&event);
        self.referee.event(now, &event);
        let actions = self.supervisor.step(now, event.clone());
        for action in &actions {
            self.referee.action(now, action);
            self.stage.perform(action);
        }
        self.referee.step_done();
        self.steps.push(Step { now, event, actions, before, escalating });
    }
}

impl Host {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let jitter = Entropy::from(scenario.seed).stream("supervisor", 0);
        Self {
            stage: Stage::new(scenario.spec.children.clone(), scenario.fortunes),
            supervisor: Supervisor::new(scenario.spec.clone(), jitter),
            referee: Referee::new(scenario.spec),
            steps: Vec::new(),
        }
    }

    /// Starts the supervisor, plays the script, and then lets things calm down.
    pub(crate) fn run(mut scenario: Scenario) -> Run {
        let script = std::mem::take(&mut scenario.script);
        let mut host = Self::new(scenario);
        host.play(script);
        host.finish()
    }

    /// Lets everything go well until nothing is under way any more.
    pub(crate) fn finish(mut self) -> Run {
        self.settle();
        Run { steps: self.steps, supervisor: self.supervisor, children: self.stage.children }
    }

    pub(crate) fn settle(&mut self) {
        self.stage.calm = true;
        self.pass(None);
        self.referee.at_rest();
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The children that live, in the order of their start.
    pub(crate) fn alive(&self) -> Vec<ChildId> {
        self.stage.alive()
    }
}
