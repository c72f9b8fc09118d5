//! One life of an actor, as every host runs it: inputs in, effects out, crashes in words.

use crate::actor::{Birth, Contract, Effect, Effects, Hosted, Input};
use crate::catalog::Entry;
use crate::config::ConfigError;
use crate::crash;
use crate::identity::Incarnation;
use crate::time::{Deadline, Now};

/// Why a life could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BirthError {
    /// Its configuration is impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It panicked.
    #[error("{0}")]
    Panic(String),
}

/// A life that ended in a crash: what the actor did, and on what input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (on {input})")]
pub struct Crash {
    /// The panic, or the fault.
    pub reason: String,
    /// [`Input::name`].
    pub input: &'static str,
}

/// One life of an actor.
pub struct Cell {
    actor: Box<dyn Hosted>,
    effects: Effects,
    incarnation: Incarnation,
    deadline: Option<Deadline>,
}

impl Cell {
    /// Begins a life.
    ///
    /// # Errors
    /// When the configuration is impossible, or the actor panics.
    pub fn new(entry: &Entry, config: &serde_json::Value, birth: &Birth) -> Result<Self, BirthError> {
        let incarnation = birth.incarnation;
        crash::catch(|| {
            let actor = (entry.build)(config, birth)?;
            let deadline = actor.deadline();
            Ok(Self { actor, effects: Effects::new(incarnation), incarnation, deadline })
        })
        .map_err(BirthError::Panic)?
    }

    /// What the actor reads, publishes and senses.
    ///
    /// # Errors
    /// When the actor panics.
    pub fn contract(&self) -> Result<Contract, BirthError> {
        crash::catch(|| self.actor.contract()).map_err(BirthError::Panic)
    }

    /// Which life this is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Gives the memory for the effects of the next input, which [`Effects::swap`] gives back.
    #[inline]
    pub const fn lend(&mut self, memory: &mut Vec<Effect>) {
        self.effects.swap(memory);
    }

    /// Gives the actor one input. The caller carries out the effects before the next.
    ///
    /// # Errors
    /// When the actor crashes; its effects are discarded.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<&mut Effects, Crash> {
        self.run(now, input)?;
        Ok(&mut self.effects)
    }

    /// When the actor next wants a timeout.
    #[must_use]
    pub const fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Gives the actor its timeout when one is due: once, before any message that waits.
    ///
    /// # Errors
    /// When the actor crashes, or its deadline is still in the past afterwards: it would be woken
    /// for ever.
    pub fn wake(&mut self, now: Now) -> Result<Option<&mut Effects>, Crash> {
        let Some(due) = self.deadline.filter(|deadline| deadline.at <= now.mono) else { return Ok(None) };
        self.run(now, Input::Timeout(due.why))?;
        if let Some(stuck) = self.deadline.filter(|deadline| deadline.at <= now.mono) {
            let why = stuck.why;
            return Err(Crash {
                reason: format!("deadline `{why}` is still in the past after its timeout"),
                input: "timeout",
            });
        }
        Ok(Some(&mut self.effects))
    }

    fn run(&mut self, now: Now, input: Input<'_>) -> Result<(), Crash> {
        // What is left here is of a handle that crashed, or that the host did not want.
        self.effects.clear();
        let Self { actor, effects, deadline, .. } = self;
        // The deadline is asked for here, once, since only an input can move it.
        let handled = crash::catch(|| {
            let result = actor.handle(now, input, effects);
            *deadline = actor.deadline();
            result
        });
        let reason = match handled {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => fault.to_string(),
            Err(panic) => panic,
        };
        Err(Crash { reason, input: input.name() })
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
