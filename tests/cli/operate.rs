//! `nunect tree`, `chaos` and `log-level`.

use std::time::{Duration, Instant};

use crate::{PATIENCE, both};

#[test]
fn a_tree_shows_every_actor_with_its_mailbox_and_its_last_crash() {
    both("tree-1", "actors: { commands: {} }\nchaos: { enabled: true }", |node| {
        let said = node.run(&["tree", "tree-1"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with("tree-1 (supervisor)  running\n├─ heartbeater  running, mailbox "), "{said:?}");

        let said = node.run(&["chaos", "panic", "tree-1/echo"]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "done: panic of tree-1/echo\n"), "{said:?}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = node.run(&["tree", "tree-1"]);
            let echo = said.out.lines().find(|line| line.contains("─ echo")).expect("an actor").to_owned();
            if echo.contains("─ echo  running, 1 restart, mailbox ") {
                assert!(echo.contains(", crashed ") && echo.contains("ago: panic"), "{echo}");
                break;
            }
            assert!(Instant::now() < deadline, "{echo}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let tree = node.run(&["tree", "tree-1", "--json"]).json();
        assert_eq!((&tree[0]["name"], &tree[0]["kind"]), (&"tree-1".into(), &"supervisor".into()));
    });
}

#[test]
fn harm_that_nobody_allowed_is_refused_with_the_key_that_would_allow_it() {
    both("calm-1", "actors: { commands: {} }", |node| {
        let said = node.run(&["chaos", "stop", "calm-1/echo"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains("calm-1 refuses CHAOS with code 403: "), "{said:?}");
        assert!(said.errors.contains("chaos.enabled: true"), "{said:?}");
    });
}

#[test]
fn a_unit_or_an_actor_that_is_not_there_is_named() {
    both("lone-1", "actors: { commands: {} }\nchaos: { enabled: true }", |node| {
        let said = node.run(&["chaos", "pause", "lone-1/nobody"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains("refuses CHAOS with code 404: no actor is called `nobody` here"), "{said:?}");
        let said = node.run(&["tree", "nobody", "--timeout", "500ms"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.errors.contains("nobody takes commands for nobody"), "{said:?}");
        assert_eq!(node.run(&["chaos", "explode", "lone-1/echo"]).code, Some(2));
        assert_eq!(node.run(&["chaos", "stop", "lone-1"]).code, Some(2));
    });
}

#[test]
fn a_level_is_set_however_it_is_written() {
    both("level-1", "actors: { commands: {} }", |node| {
        for level in ["debug", "WARN"] {
            let said = node.run(&["log-level", "level-1", level]);
            let expected = format!("done: level-1 writes down {} and above\n", level.to_uppercase());
            assert_eq!((said.code, said.out), (Some(0), expected), "{}", said.errors);
        }
        assert_eq!(node.run(&["log-level", "level-1", "loud"]).code, Some(2));
    });
}
