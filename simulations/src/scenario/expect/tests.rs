use crate::scenario::Scenario;

const SCENARIO: &str = "\
name: small
duration: 2m
actors: { heart: {} }
nodes:
  - { prefix: hub, count: 2, actors: { ear: {} } }
  - { prefix: n, count: 3 }
boot: { spread: 5s }
expect:
";

fn parse(expect: &str) -> Result<Scenario, String> {
    let text = format!("{SCENARIO}{expect}\n");
    Scenario::parse("x.yaml", text).map_err(|error| error.to_string())
}

#[track_caller]
fn wrong(expect: &str, words: &[&str]) {
    let error = parse(expect).expect_err("a mistake");
    assert!(error.starts_with("x.yaml:"), "no place: {error}");
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[track_caller]
fn name(expect: &str) -> String {
    let scenario = parse(expect).unwrap_or_else(|error| panic!("{expect}: {error}"));
    scenario.plan.expectations[0].name.clone()
}

#[test]
fn states_are_expected_in_every_form() {
    let table = [
        ("always: { hold: { unit: n*, is: ONLINE, seen_by: hub* }, from: 20s }", "always n* ONLINE for hub* from 20s"),
        (
            "always: { hold: { nodes: n*, up: true, health: OK }, from: 5s, until: 1m }",
            "always n* up OK from 5s until 1m",
        ),
        ("always: { hold: { connected: false } }", "always all nodes not connected"),
        (
            "always: { hold: { mailbox: { depth: '< 100', dropped: 0 } } }",
            "always mailbox of every actor depth < 100 dropped = 0",
        ),
        (
            "always: { hold: { supervisor: { nodes: n0, actor: heart, restarts: '<= 5' } } }",
            "always supervisor of heart on n0 restarts <= 5",
        ),
        (
            "always: { hold: { delivery: { subject: 'ops.>', of: n*, to: hub*, share: '>= 99.5%', latency: { p99: '< 150ms', max: '< 1s' } } } }",
            "always delivery of ops.> of n* to hub*, share >= 99.5%, p99 < 150ms, the longest < 1s",
        ),
        ("within: 15s\n    see: { nodes: n*, connected: true }", "n* connected within 15s after the start"),
        ("eventually: unit_online", "eventually unit_online"),
        ("eventually: { event: unit_online, about: n*, nodes: hub* }", "eventually unit_online about n* on hub*"),
        ("eventually: { unit: n*, is: ONLINE }", "eventually n* ONLINE"),
        ("sometimes: mailbox_overflow", "sometimes mailbox_overflow"),
        ("sometimes: { mailbox: { actor: ear, depth: '> 10' } }", "sometimes mailbox of ear depth > 10"),
    ];
    for (expect, words) in table {
        assert_eq!(name(&format!("  - {expect}")), words);
    }
}

#[test]
fn a_state_that_can_never_be_looked_at_is_an_error() {
    let always = |hold: &str, words: &[&str]| wrong(&format!("  - always: {{ hold: {hold} }}"), words);
    always("{ unit: m*, is: ONLINE }", &["expect[0].always.hold.unit", "no node matches `m*`"]);
    always("{ unit: n0 }", &["expect[0].always.hold", "write `is: ONLINE`"]);
    always("{ unit: n0, is: ONLIN }", &["ONLIN", "did you mean `ONLINE`?"]);
    always("{ unit: n0, is: ONLINE, seen_by: hub7 }", &["seen_by", "no node is called `hub7`", "did you mean `hub0`?"]);
    always("{ unit: n0, is: ONLINE, up: true }", &["more than one event or state", "{ nodes: n*, connected: true }"]);
    always("{ nodes: n* }", &["neither an event nor a state"]);
    always("{ nods: n*, up: true }", &["unknown field `nods`", "did you mean `nodes`?"]);
    always("{ nodes: n*, up: false, connected: true }", &["a node that is down is OFFLINE"]);
    always("{ nodes: n*, up: true }", &["nodes are still starting until 5s", "write `from: 5s`"]);
    always("escalated", &["an event happens and does not hold", "without: EVENT"]);
    wrong("  - always: { hold: { nodes: n*, up: true }, from: 3s }", &["x.yaml:9:52: expect[0].always.from", "5s"]);
    wrong("  - always: { from: 3s }", &["either `without` an event, or what must `hold`"]);
    wrong("  - always: { hold: { nodes: n*, up: false }, from: 2m }", &["no time of the run is left"]);
    wrong("  - within: 3m\n    see: { nodes: n*, up: true }", &["the run ends at 2m"]);
    wrong("  - within: 1m\n    eventually: escalated", &["either `always`, or `within`"]);
    wrong("  - sometimes: escalate", &["no event is called `escalate`", "did you mean `escalated`?"]);
    wrong("  - sometimes: { event: escalated, about: n0 }", &["is about no unit"]);
}

#[test]
fn a_comparison_that_says_nothing_is_an_error() {
    let mailbox = |inner: &str, words: &[&str]| wrong(&format!("  - sometimes: {{ mailbox: {{ {inner} }} }}"), words);
    mailbox("depth: '< 0'", &["expect[0].sometimes.mailbox.depth", "`< 0` is never so"]);
    mailbox("dropped: '>= 0'", &["`>= 0` is always so", "write such as \"< 100\""]);
    mailbox("depth: many", &["`many` is no number"]);
    mailbox("actor: ear", &["nothing is demanded of the mailbox"]);
    mailbox("nodes: n*, actor: ear, depth: 0", &["none of these nodes has an actor `ear`"]);
    mailbox("actor: eir, depth: 0", &["did you mean `ear`?"]);
    wrong("  - sometimes: { supervisor: { actor: ear } }", &["missing field `restarts`"]);
    wrong("  - sometimes: { supervisor: { restarts: '< 0' } }", &["never so"]);
}

#[test]
fn delivery_that_cannot_be_counted_is_an_error() {
    let delivery =
        |inner: &str, words: &[&str]| wrong(&format!("  - eventually: {{ delivery: {{ {inner} }} }}"), words);
    delivery("subject: 'a..b', to: hub0, lost: 0", &["expect[0].eventually.delivery.subject", "empty token"]);
    delivery("subject: 'a.>', to: hub0", &["nothing is demanded of the messages"]);
    delivery("subject: 'a.>', lost: 0", &["who is to receive the messages?", "write `to: hub*`"]);
    delivery("subject: 'a.>', to: hub9, lost: 0", &["no node is called `hub9`"]);
    delivery("subject: 'a.>', of: n0, to: n0, lost: 0", &["what a node sends to itself is not counted"]);
    delivery("subject: 'a.>', to: n0, share: '>= 101%'", &["`>= 101%` is never so"]);
    delivery("subject: 'a.>', to: n0, share: 0.99", &["a comparison such as \">= 99%\""]);
    delivery("subject: 'a.>', latency: {}", &["nothing is demanded of the latency"]);
    delivery("subject: 'a.>', latency: { p98: '< 1s' }", &["unknown field `p98`", "did you mean `p9"]);
    let delivery = "delivery: { subject: 'a.>', to: n0, lost: 0 }";
    wrong(&format!("  - within: 9s\n    see: {{ {delivery} }}"), &["judged at the end of the run"]);
    wrong(&format!("  - always: {{ hold: {{ {delivery} }}, from: 119500ms }}"), &["the last 1s is not counted"]);
}

#[test]
fn errors_that_are_expected_must_be_errors() {
    let errors = |errors: &str| parse(&format!("  []\nexpect_errors: {errors}"));
    let scenario = errors("[actor_crashed, { event: escalated, nodes: n0 }]").expect("errors");
    assert_eq!(scenario.plan.expected_errors.len(), 2);
    let error = errors("[unit_online]").expect_err("no error");
    assert!(error.contains("expect_errors[0]") && error.contains("errors are actor_crashed"), "{error}");
    let error = errors("[actor_crash]").expect_err("no event");
    assert!(error.contains("did you mean `actor_crashed`?"), "{error}");
}

#[test]
fn what_is_written_out_reads_back_the_same() {
    use crate::scenario::file::ExpectEntry;
    let entries = serde_json::json!([
        { "name": "x", "always": { "without": "escalated", "from": "1s" } },
        { "always": { "hold": { "nodes": "n*", "up": true, "health": "OK" } } },
        { "within": "5s", "after": { "fault": "cut" }, "see": "bus_connected", "same": "node" },
        { "within": "5s", "after": { "seen": { "event": "actor_crashed", "actor": "echo" } }, "see": "actor_started" },
        { "eventually": { "unit": ["n*", "not n0"], "is": "ONLINE", "seen_by": "hub0" } },
        { "sometimes": { "mailbox": { "actor": "echo", "depth": "> 10" } } },
        { "eventually": { "delivery": { "subject": "a.>", "to": "n0", "latency": { "p99": "< 150ms" }, "lost": "= 0" } } },
    ]);
    let read: Vec<ExpectEntry> = serde_json::from_value(entries.clone()).expect("legal");
    assert_eq!(serde_json::to_value(&read).expect("JSON"), entries);
}
