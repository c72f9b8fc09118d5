//! Panics of actors, caught and put into words.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<Catching> = const { Cell::new(Catching { depth: 0, spoken: false }) };
    /// The words of panics, each with the depth it happened at: while one unwinds, a `Drop` may catch
    /// another.
    static WORDS: RefCell<Vec<(u32, String)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy)]
struct Catching {
    /// How many [`catch`]es are around whatever runs now.
    depth: u32,
    /// Whether there are any words: without, which is nearly always, nobody looks for them.
    spoken: bool,
}

static HOOK: Once = Once::new();

/// Runs `body`; a panic inside becomes an error that says what it said, and where.
///
/// # Errors
/// When `body` panics. Its message and place are the error; nothing is printed.
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(install);
    let outer = CATCHING.get();
    CATCHING.set(Catching { depth: outer.depth + 1, ..outer });
    let result = catch_unwind(AssertUnwindSafe(body));
    let Catching { depth, spoken } = CATCHING.get();
    let words = if spoken { take_words(depth) } else { None };
    CATCHING.set(Catching { depth: outer.depth, spoken: spoken && outer.spoken });
    result.map_err(|_| words.unwrap_or_else(|| "panic".to_owned()))
}

/// Takes the words that were spoken at `depth` or deeper; those at `depth` are the answer.
#[cold]
fn take_words(depth: u32) -> Option<String> {
    WORDS.with_borrow_mut(|words| {
        let place = words.iter().position(|(at, _)| *at >= depth)?;
        words.drain(place..).find(|(at, _)| *at == depth).map(|(_, words)| words)
    })
}

/// Panics outside of actors keep the hook that was there.
fn install() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let Catching { depth, .. } = CATCHING.get();
        if depth == 0 {
            return previous(info);
        }
        let what = info.payload_as_str().unwrap_or("panic");
        let said = match info.location() {
            Some(place) => format!("panic at {}:{}: {what}", place.file(), place.line()),
            None => format!("panic: {what}"),
        };
        WORDS.with_borrow_mut(|words| {
            // Those at this depth or deeper were dealt with by somebody else.
            words.retain(|(at, _)| *at < depth);
            words.push((depth, said));
        });
        CATCHING.set(Catching { depth, spoken: true });
    }));
}

#[cfg(test)]
mod tests;
