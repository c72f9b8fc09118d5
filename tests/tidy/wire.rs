//! The protocol is written once, in `core/src/protocol/`, and the runtime hosts what the catalog gives it.

use super::finding::{Finding, Rule};
use super::lexer::{Kind, Token, occurrences};
use super::tree::Tree;

const PROTOCOL: &str = "core/src/protocol/";

/// How subjects begin: the protocol's and the server's own.
const SUBJECTS: &[&str] = &["ops.", "qos.", "com.", "nav.", "_INBOX", "$SYS", "$SRV"];

const LITERAL: Rule = Rule {
    says: "no subject or header literal lives outside core/src/protocol/",
    instead: "use the typed builder, parser or constant of the message family in `core::protocol`",
};
const COMPONENT: Rule = Rule {
    says: "nunect-runtime names no component: it hosts whatever the catalog gives it",
    instead: "let the actor's `contract()` ask for what it needs, or have the caller name it",
};

/// Subjects and header names spelled out in production code outside the protocol.
pub(crate) fn wire_literals(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.production() {
        if !source.path.starts_with(PROTOCOL) {
            let spelled = source.tokens.iter().filter(|token| token.kind == Kind::Text && is_wire(&token.text));
            findings.extend(spelled.map(|token| LITERAL.at(&source.path, token.line, format!("{:?}", token.text))));
        }
    }
    findings
}

fn is_wire(text: &str) -> bool {
    let is_header = text.strip_prefix("X-").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    is_header || SUBJECTS.iter().any(|prefix| text.starts_with(prefix))
}

/// The kinds of actor that the catalog has, from `const KIND: &'static str = "…";` in their files.
pub(crate) fn kinds(tree: &Tree) -> Vec<String> {
    let actors = tree.production().into_iter().filter(|source| source.path.starts_with("actors/src/"));
    let declared = |tokens: &[Token]| {
        let literal = |at: usize| tokens.get(at + 5).filter(|token| token.kind == Kind::Text);
        let found = occurrences(tokens, "KIND: &'static str =");
        found.into_iter().filter_map(literal).map(|token| token.text.clone()).collect::<Vec<_>>()
    };
    actors.flat_map(|source| declared(&source.tokens)).collect()
}

/// Kinds of actor named in the runtime's production code.
pub(crate) fn components_in_runtime(tree: &Tree) -> Vec<Finding> {
    let kinds = kinds(tree);
    let mut findings = Vec::new();
    for source in tree.production() {
        if source.path.starts_with("runtime/src/") {
            let named = source.tokens.iter().filter(|token| token.kind == Kind::Text && kinds.contains(&token.text));
            findings.extend(named.map(|token| COMPONENT.at(&source.path, token.line, format!("{:?}", token.text))));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::told;

    fn literals(path: &str, text: &str) -> Vec<String> {
        told(&wire_literals(&Tree::of(&[(path, text)])))
    }

    #[test]
    fn subjects_and_headers_are_found_in_every_sort_of_literal() {
        for prefix in SUBJECTS {
            let source = format!("\nfn f() {{ g(\"{prefix}x\") }}");
            assert_eq!(literals("runtime/src/a.rs", &source), [format!("runtime/src/a.rs:2: \"{prefix}x\"")]);
        }
        for source in ["\"X-Unit-ID\"", "b\"X-Unit-ID\"", "r#\"X-Unit-ID\"#", "format!(\"X-Unit-ID: {x}\")"] {
            assert_eq!(literals("src/cli/up.rs", source).len(), 1, "{source}");
        }
    }

    #[test]
    fn comments_tests_and_other_text_are_left_alone() {
        let source = "/// \"ops.heartbeat\"\n// \"X-Unit\"\nf(\"see ops.x\", \"X-ray\", \"operations\", \"X-\");\n\
                      #[cfg(test)] mod tests { g(\"ops.heartbeat.u1\") }";
        assert_eq!(literals("runtime/src/a.rs", source), [""; 0]);
        assert_eq!(literals("core/src/protocol/echo.rs", "\"ops.echo\""), [""; 0]);
        assert_eq!(literals("tests/parity.rs", "\"ops.echo\""), [""; 0]);
    }

    #[test]
    fn a_component_named_in_the_runtime_is_found() {
        let tree = Tree::of(&[
            ("actors/src/probe.rs", "impl Actor for Probe { const KIND: &'static str = \"link-probe\"; }"),
            ("runtime/src/a.rs", "f(\"a link-probe\");\nf(\"link-probe\"); // \"link-probe\""),
            ("src/main.rs", "f(\"link-probe\");"),
        ]);
        assert_eq!(kinds(&tree), ["link-probe"]);
        assert_eq!(told(&components_in_runtime(&tree)), ["runtime/src/a.rs:2: \"link-probe\""]);
    }
}
