use super::*;

fn panics(what: &'static str) -> Result<(), String> {
    catch(|| panic!("{what}"))
}

#[test]
fn what_ends_well_is_handed_on() {
    assert_eq!(catch(|| 5), Ok(5));
}

#[test]
fn a_panic_becomes_its_words_and_its_place() {
    let words = catch(|| -> () { panic!("out of {}", "cheese") }).expect_err("a panic");
    let line = line!() - 1;
    assert!(words.ends_with(&format!("core/src/crash/tests.rs:{line}: out of cheese")), "{words}");
    assert!(words.starts_with("panic at "), "{words}");
}

#[test]
fn a_broken_expectation_says_what_was_expected() {
    let words = catch(|| b"few".get(5).expect("a value")).expect_err("a panic");
    assert!(words.ends_with(": a value"), "{words}");
}

#[test]
fn a_panic_without_words_still_names_its_place() {
    let words = catch(|| -> () { std::panic::panic_any(5) }).expect_err("a panic");
    assert!(words.contains("core/src/crash/tests.rs") && words.ends_with(": panic"), "{words}");
}

#[test]
fn a_panic_within_a_panic_that_was_caught_leaves_the_outer_one_its_own_words() {
    let outer = catch(|| -> () {
        let inner = panics("inner").expect_err("a panic");
        assert!(inner.ends_with(": inner"), "{inner}");
        panic!("outer")
    });
    assert!(outer.expect_err("a panic").ends_with(": outer"));
    let fine = catch(|| panics("inner").is_err());
    assert_eq!(fine, Ok(true));
}

#[test]
fn a_catch_while_a_panic_unwinds_does_not_take_its_words() {
    struct Tidy(fn());
    impl Drop for Tidy {
        fn drop(&mut self) {
            self.0();
        }
    }
    let tidies: [fn(); 2] = [|| assert_eq!(catch(|| 5), Ok(5)), || assert!(panics("inner").is_err())];
    for tidy in tidies {
        let words = catch(|| -> () {
            let _tidy = Tidy(tidy);
            panic!("outer")
        });
        let words = words.expect_err("a panic");
        assert!(words.ends_with(": outer"), "{words}");
    }
}

#[test]
fn a_panic_that_somebody_caught_and_raised_again_keeps_its_words() {
    let words = catch(|| -> () {
        let payload = std::panic::catch_unwind(|| panic!("raised again")).expect_err("a panic");
        std::panic::resume_unwind(payload)
    });
    assert!(words.expect_err("a panic").ends_with(": raised again"));
}

#[test]
fn words_of_a_panic_that_was_dealt_with_do_not_come_up_later() {
    assert_eq!(catch(|| std::panic::catch_unwind(|| panic!("dealt with")).is_err()), Ok(true));
    let words = catch(|| -> () { std::panic::resume_unwind(Box::new("silent")) });
    assert_eq!(words, Err("panic".to_owned()));
}

#[test]
fn each_thread_has_its_own_words() {
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| panics("one"));
        let other = scope.spawn(|| panics("other"));
        (one.join().expect("no panic"), other.join().expect("no panic"))
    });
    assert!(one.expect_err("a panic").ends_with(": one"));
    assert!(other.expect_err("a panic").ends_with(": other"));
}
