//! `nunect probe`.

use crate::both;

#[test]
fn every_probe_is_a_line_between_the_units_own_words_and_a_summary() {
    both("probe-1", "actors: { commands: {} }", |node| {
        let said = node.run(&["probe", "probe-1", "--count", "3", "--interval", "20ms"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let lines: Vec<&str> = said.out.lines().collect();
        assert!(lines[0].starts_with("probe-1 OK, up 00:00:"), "{said:?}");
        for (at, line) in lines[1..4].iter().enumerate() {
            assert!(line.starts_with(&format!("seq {}  rtt ", at + 1)) && line.contains("  server "), "{said:?}");
        }
        assert!(lines[4].starts_with("probe-1: 3 answers of 3, min "), "{said:?}");

        let said = node.run(&["probe", "probe-1", "--count", "1", "--json"]).json();
        assert_eq!(said[0]["health"]["unit"], "probe-1");
        assert!(said[1]["rtt_app_us"].is_u64() && said[1]["server_us"].is_u64(), "{said:?}");
        assert_eq!((&said[2]["sent"], &said[2]["lost"]), (&1.into(), &0.into()));
    });
}

#[test]
fn a_unit_that_does_not_answer_is_an_expectation_that_is_not_met() {
    both("probe-2", "", |node| {
        let said = node.run(&["probe", "nobody", "--count", "1", "--timeout", "500ms"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("nobody: 0 answers of 1, min –, median –, max –, 1 lost"), "{said:?}");
    });
}
