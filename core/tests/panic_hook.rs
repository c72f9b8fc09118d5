//! Panics outside of actors are reported as before: by whatever hook was there. A process has one
//! hook, so this is a test program of its own.

use std::panic::{catch_unwind, set_hook};
use std::sync::Mutex;

use nunect_core::crash::catch;

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn heard() -> Vec<String> {
    std::mem::take(&mut HEARD.lock().expect("no panic while it is held"))
}

#[test]
fn panics_outside_reach_the_earlier_hook_and_caught_ones_do_not() {
    set_hook(Box::new(|info| {
        let words = info.payload_as_str().unwrap_or("no words").to_owned();
        HEARD.lock().expect("no panic while it is held").push(words);
    }));
    assert!(catch(|| panic!("an actor's")).is_err());
    assert_eq!(heard(), Vec::<String>::new());

    assert!(catch_unwind(|| panic!("the host's")).is_err());
    assert_eq!(heard(), ["the host's"]);

    assert!(catch(|| catch(|| panic!("an inner one")).is_err()).is_ok());
    assert!(catch_unwind(|| panic!("the host's again")).is_err());
    assert_eq!(heard(), ["the host's again"]);

    let other_thread = std::thread::scope(|scope| catch(|| scope.spawn(|| panic!("a thread's")).join().is_err()));
    assert_eq!((other_thread, heard()), (Ok(true), vec!["a thread's".to_owned()]));
}
