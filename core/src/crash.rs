//! Panics of actors, caught and put into words.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static SUPERVISED: Cell<bool> = const { Cell::new(false) };
    static WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `body`; a panic inside becomes an error that says what it said, and where.
///
/// # Errors
/// When `body` panics. Its message and place are the error; nothing is printed.
pub fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(install);
    // What is caught around this one, and may be unwinding right now, keeps its own words.
    let outer = (SUPERVISED.replace(true), WORDS.take());
    let result = catch_unwind(AssertUnwindSafe(body));
    SUPERVISED.set(outer.0);
    let words = WORDS.replace(outer.1);
    result.map_err(|_| words.unwrap_or_else(|| "panic".to_owned()))
}

/// Panics outside of actors keep the hook that was there.
fn install() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !SUPERVISED.get() {
            return previous(info);
        }
        let what = info.payload_as_str().unwrap_or("panic");
        let words = match info.location() {
            Some(place) => format!("panic at {}:{}: {what}", place.file(), place.line()),
            None => format!("panic: {what}"),
        };
        WORDS.set(Some(words));
    }));
}

#[cfg(test)]
mod tests;
