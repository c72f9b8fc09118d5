//! `nunect completions` and `man`, and the help texts.

use crate::said;
use crate::unit::{folder, program};

#[test]
fn every_shell_gets_completions_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish"] {
        let said = said(program().args(["completions", shell]));
        assert_eq!((said.code, said.errors.as_str()), (Some(0), ""));
        for command in ["units", "log-level", "doctor"] {
            assert!(said.out.contains(command), "{shell} knows no {command}");
        }
    }
    assert_eq!(said(program().args(["completions", "dos"])).code, Some(2));
}

#[test]
fn every_command_has_a_page() {
    let page = said(program().args(["man"]));
    assert!(page.code == Some(0) && page.out.contains(".TH nunect 1"), "{page:?}");
    let pages = folder();
    assert_eq!(said(program().args(["man", "--out"]).arg(&pages)).code, Some(0));
    for name in ["nunect.1", "nunect-units.1", "nunect-time-sync.1", "nunect-config-show.1", "nunect-new-actor.1"] {
        assert!(pages.join(name).exists(), "{name}");
    }
}

#[test]
fn the_help_lists_the_exit_codes() {
    let said = said(program().args(["--help"]));
    for words in ["0 fine", "1 an expectation", "2 configuration", "3 another node", "70 a node", "71 an actor"] {
        assert!(said.out.replace('\n', " ").contains(words), "{said:?}");
    }
}
