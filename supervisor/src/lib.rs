//! OTP supervision as a pure machine: `(state, event, now) -> Vec<Action>`.
//!
//! A [`Supervisor`] decides when children start, restart and stop, and when to give up. It never
//! starts anything itself: a host carries out its [`Action`]s, in order, and answers with
//! [`Event`]s. The ractor runtime and the simulator are such hosts.
//! A [`Tree`] is supervisors below supervisors, driven in the same way.
//!
//! What a host promises:
//!
//! - Every [`Action::Start`] is answered by [`Event::Started`], [`Event::StartFailed`] or
//!   [`Event::Exited`], with the generation it was given.
//! - Every life that was started ends in exactly one `StartFailed` or `Exited`. After
//!   [`Action::Kill`] it ends soon.
//! - [`Action::Stop`] may reach a child that is still starting: it is then stopped as soon as that is
//!   possible.
//! - An armed timer comes back as [`Event::Timer`] once, not before its time, unless it was cancelled.
//!
//! Answers of an older generation, answers given twice, and timers that were cancelled but fired
//! all the same do no harm: they are ignored.
//!
//! ```
//! use nunect_core::random::{ChaCha8Rng, SeedableRng};
//! use nunect_core::{ActorName, Mono};
//! use nunect_supervisor::{Action, ChildId, ChildSpec, Event, Exit, Generation, Spec, Strategy, Supervisor};
//!
//! let spec = Spec::new(Strategy::OneForOne, vec![ChildSpec::new(ActorName::new("echo")?)]);
//! let mut supervisor = Supervisor::new(spec, ChaCha8Rng::seed_from_u64(7));
//! let (child, now) = (ChildId(0), Mono::ZERO);
//!
//! let actions = supervisor.step(now, Event::Start);
//! assert_eq!(actions, [Action::Start { child, generation: Generation(1) }]);
//! supervisor.step(now, Event::Started { child, generation: Generation(1) });
//!
//! let exit = Exit::Crash { reason: "index out of bounds".to_owned(), on_message: false };
//! let actions = supervisor.step(now, Event::Exited { child, generation: Generation(1), exit });
//! assert_eq!(actions, [Action::Start { child, generation: Generation(2) }]);
//! # Ok::<(), nunect_core::identity::IdentityError>(())
//! ```

mod action;
mod backoff;
mod child;
mod event;
mod intensity;
mod spec;
mod supervisor;
mod tree;

pub use action::{Action, TimerId};
pub use backoff::Backoff;
pub use child::{ChildId, ChildState, Generation};
pub use event::{Event, Exit};
pub use intensity::Intensity;
pub use spec::{AutoShutdown, ChildSpec, Restart, Shutdown, Spec, SpecError, Strategy};
pub use supervisor::Supervisor;
pub use tree::{About, NodeSpec, Tree, TreeSpec, View, ViewKind};
