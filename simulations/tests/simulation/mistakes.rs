//! Mistakes in scenarios of the layered world: each is found before anything runs, and is told with its file,
//! line, column and key, with the reason, and with what to do where that is not plain.

use nunect_simulations::Scenario;
use nunect_simulations::scenario::Problem;

const GOOD: &str = "\
name: small
duration: 5m
actors: { echo: {} }
nodes:
  - { prefix: n, count: 4 }
  - { name: hub, actors: { monitor: {} } }
boot: { spread: 2s }
world:
  layered:
    mesh:
      topology: ring
      link: { delay: 5ms, loss: 1% }
      links: [{ between: [n0, n2], delay: 9ms }]
    transport: { tcp: {} }
    servers: { hubs: [hub, n0], nodes: leaf, ping: { interval: 5s, max: 2 } }
traffic:
  - { name: calls, talk: { group: alpha, talkers: n1, listeners: [n2, n3] } }
service: { echo: { fixed: 2ms } }
faults:
  - { at: 60s, name: cut, link: { from: n1, to: n2, loss: 50%, for: 30s } }
swarm: { from: 100s, until: 200s, every: 20s }
liveness: { at: 4m, within: 60s }
expect:
  - within: 20s
    see: { event: unit_online, about: n*, nodes: hub }
expect_errors: [duplicate_unit]
";

/// What must be written in place of what; what the place of the mistake then begins with, its key, the reason,
/// and what to do.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

fn problems(text: &str) -> Vec<Problem> {
    let error = Scenario::parse("small.yaml", text).err().unwrap_or_else(|| panic!("no mistake in\n{text}"));
    error.problems().to_vec()
}

/// Line and column of a byte of a text, both from 1, the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[track_caller]
fn check(rows: &[Row]) {
    for &(from, to, begin, key, reason, help) in rows {
        assert!(GOOD.contains(from), "nothing to replace: {from}");
        let text = GOOD.replacen(from, to, 1);
        let found = problems(&text);
        let [problem] = found.as_slice() else { panic!("{to}: one mistake expected: {found:#?}") };
        let covered = &text[problem.place.span.clone()];
        assert!(covered.starts_with(begin), "{to}: points at `{covered}`: {problem}");
        assert_eq!(place(&text, problem.place.span.start), (problem.place.line, problem.place.column), "{problem}");
        assert_eq!((problem.key.as_str(), problem.help.as_str()), (key, help), "{to}: {problem}");
        assert!(problem.reason.starts_with(reason), "{to}: {problem}");
        let (line, column) = (problem.place.line, problem.place.column);
        let line = format!("small.yaml:{line}:{column}: {key}: {}", problem.reason);
        let whole = if help.is_empty() { line } else { format!("{line}; {help}") };
        assert_eq!(problem.to_string(), whole);
    }
}

#[test]
fn what_the_mistakes_are_made_in_has_none() {
    let scenario = Scenario::parse("small.yaml", GOOD).unwrap_or_else(|error| panic!("{error}"));
    scenario.check(&nunect_actors::catalog()).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn of_servers() {
    let hubs = "hubs: [hub, n0]";
    check(&[
        (
            hubs,
            "hubs: [hub, n7]",
            "n7",
            "world.layered.servers.hubs[1]",
            "no node is called `n7`",
            "did you mean `n0`?",
        ),
        (hubs, "hubs: hib", "hib", "world.layered.servers.hubs", "no node is called `hib`", "did you mean `hub`?"),
        (hubs, "hubs: [n0, n*]", "n*", "world.layered.servers.hubs[1]", "`n*` is a hub already", "name each hub once"),
        (hubs, "hbus: hub", "hbus", "world.layered.servers.hbus", "unknown field `hbus`", "did you mean `hubs`?"),
        ("leaf", "leef", "leef", "world.layered.servers.nodes", "unknown variant `leef`", "did you mean `leaf`?"),
        ("5s,", "0s,", "0s", "world.layered.servers.ping.interval", "a time that is no time", "write 1s"),
        ("5s,", "2h,", "2h", "world.layered.servers.ping.interval", "longer than 1h", ""),
        ("max: 2", "mx: 2", "mx", "world.layered.servers.ping.mx", "unknown field `mx`", "did you mean `max`?"),
        ("tcp:", "tpc:", "tpc", "world.layered.transport.tpc", "unknown variant `tpc`", "did you mean `tcp`?"),
        ("layered:", "leyered:", "leyered", "world.leyered", "unknown variant", "did you mean `layered`?"),
    ]);
}

#[test]
fn of_the_mesh() {
    let (between, entry, grid) = ("between: [n0, n2]", "world.layered.mesh.links[0]", "{ grid: { columns: 0 } }");
    let either = "a link is `between` two nodes, or `from` one `to` another";
    check(&[
        (between, "between: [n0, n0]", "{", entry, "a link from a node to itself", "name two nodes"),
        (between, "from: n1, to: n1", "{", entry, "a link from a node to itself", "name two nodes"),
        (
            between,
            "between: [n0, n9]",
            "n9",
            "world.layered.mesh.links[0].between[1]",
            "no node is called `n9`",
            "did you mean `n0`?",
        ),
        (between, "from: n0", "{", entry, either, "write either"),
        (between, "from: n1, between: [n0, n2]", "{", entry, either, "write either"),
        ("loss: 1%", "loss: 120%", "120%", "world.layered.mesh.link.loss", "120% is not from 0% to 100%", ""),
        ("loss: 1%", "loss: -1%", "-1%", "world.layered.mesh.link.loss", "-1% is not from 0% to 100%", ""),
        ("loss: 1%", "los: 1%", "los", "world.layered.mesh.link.los", "unknown field `los`", "did you mean `loss`?"),
        ("delay: 5ms", "delay: 5", "5", "world.layered.mesh.link.delay", "invalid type: integer `5`", ""),
        ("ring", "rink", "rink", "world.layered.mesh.topology", "unknown variant `rink`", "did you mean `ring`?"),
        ("ring", grid, "0", "world.layered.mesh.topology.grid.columns", "a grid without columns", "write at least 1"),
    ]);
}

#[test]
fn of_faults_of_links_and_servers() {
    let crash = "crash: { servers: hib }";
    let link = "link: { from: n1, to: n2, loss: 50%, for: 30s }";
    let nothing = "write at least one of down, loss, delay, rate and clog";
    check(&[
        ("loss: 50%", "loss: 120%", "120%", "faults[0].link.loss", "`120%` is not from 0% to 100%", ""),
        ("to: n2", "to: n1", "n1", "faults[0].link.to", "a link leads to another node", ""),
        ("to: n2", "to: n9", "n9", "faults[0].link.to", "no node is called `n9`", "did you mean `n0`?"),
        ("loss: 50%, ", "", "link", "faults[0].link", "nothing happens to the link", nothing),
        (link, crash, "hib", "faults[0].crash.servers", "no node is called `hib`", "did you mean `hub`?"),
        (link, "crash: {}", "crash", "faults[0].crash", "nothing goes down", "write `nodes`, `servers` or both"),
        (link, "lnk: {}", "lnk", "faults[0].lnk", "unknown field `lnk`", "did you mean `link`?"),
    ]);
}

#[test]
fn of_what_the_flat_world_does_not_have() {
    let (start, _) = GOOD.split_once("world:").expect("a world");
    let told = |fault: &str| {
        let found = problems(&format!("{start}faults:\n  - {{ at: 9s, {fault} }}\n"));
        let [problem] = found.as_slice() else { panic!("one mistake expected: {found:#?}") };
        problem.to_string()
    };
    let link = told("link: { from: n0, to: n1, down: true }");
    assert_eq!(link, "small.yaml:9:15: faults[0].link: the flat world has no links; choose the layered world");
    let servers = told("crash: { servers: n0 }");
    assert!(
        servers.starts_with("small.yaml:9:33: faults[0].crash.servers: the flat world has one server"),
        "{servers}"
    );
    assert!(servers.ends_with("; write `nodes`, or choose the layered world"), "{servers}");
    let sides = told("partition: { sides: [n0, n1] }");
    assert!(sides.starts_with("small.yaml:9:35: faults[0].partition.sides: the flat world has one server"), "{sides}");
}

#[test]
fn of_swarm_and_liveness() {
    let recover = "make the run longer or the time shorter";
    let ends = "5m is after the end of all faults at 4m";
    let unending = "faults would strike without end at one instant";
    check(&[
        ("until: 200s", "until: 5m", "5m", "swarm.until", ends, "let it end then, or earlier"),
        ("every: 20s", "every: 0s", "0s", "swarm.every", unending, "write 20s"),
        (", every: 20s", "", "", "swarm.every", "missing field `every`", ""),
        ("every: 20s", "ever: 20s", "ever", "swarm.ever", "unknown field `ever`", "did you mean `every`?"),
        ("from: 100s", "from: 210s", "210s", "swarm.from", "it ends at 3m 20s", "let it begin before"),
        ("from: 100s", "nodes: m*", "m*", "swarm.nodes", "no node matches `m*`", ""),
        ("from: 100s", "kinds: [crsh]", "crsh", "swarm.kinds[0]", "unknown variant `crsh`", "did you mean `crash`?"),
        // All that befalls the nodes ends when they are to recover.
        (
            "at: 4m",
            "at: 150s",
            "200s",
            "swarm.until",
            "3m 20s is after the end of all faults at 2m 30s",
            "let it end then, or earlier",
        ),
        ("within: 60s", "within: 90s", "90s", "liveness.within", "the run ends at 5m, before 1m 30s after 4m", recover),
        ("within: 60s", "within: 0s", "0s", "liveness.within", "nobody recovers at once", "write 60s"),
        ("at: 4m, ", "", "", "liveness.at", "missing field `at`", ""),
    ]);
    let endless = GOOD.replace("until: 200s, ", "").replace("liveness: { at: 4m, within: 60s }\n", "");
    let found = problems(&endless);
    let words = "small.yaml:21:1: swarm.until: faults have no end; write `until: 5m`, or a `liveness` phase";
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [words]);
}

#[test]
fn of_traffic_and_service() {
    let group = "group: alpha";
    let letters = "character '.' is not allowed; use letters, digits, `-` and `_`";
    let (talkers, listeners) = ("traffic[0].talk.talkers", "traffic[0].talk.listeners[1]");
    let spurt = "group: alpha, spurt: { uniform: [2s, 1s] }";
    let swap = "the second time is shorter than the first";
    let unknown = "no actor of the scenario is of the kind `ecko`";
    check(&[
        (group, "group: a.b", "a.b", "traffic[0].talk.group", letters, ""),
        ("talkers: n1", "talkers: n9", "n9", talkers, "no node is called `n9`", "did you mean `n0`?"),
        ("[n2, n3]", "[n2, n9]", "n9", listeners, "no node is called `n9`", "did you mean `n0`?"),
        ("talkers: n1, ", "", "", talkers, "missing field `talkers`", ""),
        ("talk:", "tolk:", "tolk", "traffic[0].tolk", "unknown field `tolk`", "did you mean `talk`?"),
        (group, "frame: 0s", "0s", "traffic[0].talk.frame", "shorter than 1ms", "write 20ms"),
        (
            group,
            "payload: 2000000",
            "2000000",
            "traffic[0].talk.payload",
            "more than 1048576 bytes",
            "a server takes no more",
        ),
        (group, spurt, "[", "traffic[0].talk.spurt.uniform", swap, "swap them"),
        (
            "name: calls",
            "name: echo",
            "",
            "traffic[0].talk",
            "n1 has an actor `echo` already",
            "give the entry another `name`",
        ),
        ("{ echo: { fixed", "{ ecko: { fixed", "", "service.ecko", unknown, "did you mean `echo`?"),
        ("fixed: 2ms", "fixed: 2s", "", "service.echo", "longer than 500ms", "an actor that takes longer hangs"),
        ("fixed: 2ms", "uniform: [2ms, 1ms]", "[", "service.echo.uniform", swap, "swap them"),
    ]);
}

#[test]
fn of_expectations() {
    let long = "the run ends at 5m, before 6m after the start are over";
    let shorter = "make the run longer or the time shorter";
    check(&[
        ("about: n*", "about: n9", "n9", "expect[0].see.about", "no node is called `n9`", "did you mean `n0`?"),
        ("nodes: hub", "nodes: hib", "hib", "expect[0].see.nodes", "no node is called `hib`", "did you mean `hub`?"),
        ("within: 20s", "within: 6m", "6m", "expect[0].within", long, shorter),
        (
            "[duplicate_unit]",
            "[duplicat_unit]",
            "duplicat_unit",
            "expect_errors[0]",
            "no event is called `duplicat_unit`",
            "did you mean `duplicate_unit`?",
        ),
    ]);
    let found = problems(&GOOD.replace("[duplicate_unit]", "[unit_online]"));
    let told = found[0].to_string();
    assert!(told.starts_with("small.yaml:26:17: expect_errors[0]: `unit_online` is no error"), "{told}");
    assert!(told.contains("; errors are actor_crashed, "), "{told}");
}
