//! What chronyc writes was recorded with chrony 4.3 on loopback (`chronyc -n -c -m tracking sources`). What ntpq
//! writes has the shape of ntpd 4.2.8 and ntpsec 1.2.

use proptest::prelude::*;

use super::*;

/// In sync with 127.0.0.1, beside two reference clocks and a host that does not answer.
const SYNCED: &str = "\
7F000001,127.0.0.1,2,1795428859.736477716,0.000000735,-0.000000004,0.000001256,-0.022,-0.000,0.403,0.000002141,0.000001840,0.3,Normal
#,?,GPS0,0,0,0,4294967295,0.000000000,0.000000000,0.000000000
#,?,PPS,0,4,0,4294967295,0.000000000,0.000000000,0.000000000
^,*,127.0.0.1,1,-2,377,0,-0.000000018,-0.000000021,0.000001105
^,?,::1,0,0,0,4294967295,0.000000000,0.000000000,0.000000000
";
/// A client of ::1 whose clock is 5 ms slow: `System time : 0.004998117 seconds slow of NTP time`.
const SLOW: &str = "\
CF404DC8,::1,2,1795428899.258464927,0.004998117,0.000000019,0.000000831,-0.003,0.001,0.053,0.000007265,0.000000983,0.5,Normal
^,*,::1,1,0,377,0,0.000000579,0.000000598,0.000004242
";
const BY_CLOCK: &str = "\
47505330,GPS0,1,1795428898.603432088,0.000012300,0.000000000,0.000000000,0.000,0.000,0.000,0.000000001,0.000001472,1.0,Normal
#,*,GPS0,0,0,177,0,-0.000000000,0.000000000,0.000000101
";
const UNSYNCED: &str = "\
00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised
^,?,127.0.0.1,0,0,0,4294967295,0.000000000,0.000000000,0.000000000
";
const LOCAL: &str = "\
7F7F0101,,1,1795428652.785064355,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal
";

fn shown(source: &NtpSource) -> String {
    let NtpSource { name, selected, stratum, poll, reach, since } = source;
    format!("{name} {selected} {stratum} {poll:?} {reach:o} {since:?}")
}

fn sources(status: &NtpStatus) -> Vec<String> {
    status.sources.iter().flatten().map(shown).collect()
}

#[test]
fn chronyc_in_sync() {
    let status = chronyc(SYNCED).expect("a status");
    assert_eq!(
        sources(&status),
        [
            "GPS0 false 0 1s 0 None",
            "PPS false 0 16s 0 None",
            "127.0.0.1 true 1 250ms 377 Some(0ns)",
            "::1 false 0 1s 0 None",
        ]
    );
    let wanted = NtpStatus {
        server: Some("127.0.0.1".into()),
        reference_id: 0x7f00_0001,
        stratum: 2,
        leap: Leap::Normal,
        reference_time: Wall::from_unix_nanos(1_795_428_859_736_477_716),
        correction_s: 0.000_000_735,
        last_offset_s: -0.000_000_004,
        rms_offset_s: 0.000_001_256,
        frequency_ppm: -0.022,
        skew_ppm: 0.403,
        root_delay_s: 0.000_002_141,
        root_dispersion_s: 0.000_001_84,
        update_interval_s: 0.3,
        sources: status.sources.clone(),
        via: NtpVia::Chronyc,
    };
    assert_eq!(status, wanted);
}

#[test]
fn chronyc_of_a_slow_clock_has_a_positive_correction_and_a_negative_offset() {
    let status = chronyc(SLOW).expect("a status");
    assert_eq!((status.server.as_deref(), status.offset_ns()), (Some("::1"), -4_998_117));
}

#[test]
fn chronyc_of_a_reference_clock_names_it() {
    let status = chronyc(BY_CLOCK).expect("a status");
    assert_eq!((status.server.as_deref(), status.stratum), (Some("GPS0"), 1));
    assert_eq!(sources(&status), ["GPS0 true 0 1s 177 Some(0ns)"]);
}

#[test]
fn chronyc_before_it_follows_anybody() {
    let status = chronyc(UNSYNCED).expect("a status");
    assert_eq!((status.server, status.reference_id, status.stratum), (None, 0, 0));
    assert_eq!((status.leap, status.reference_time), (Leap::Unsynchronised, Wall::default()));
}

#[test]
fn chronyc_of_a_clock_that_follows_itself() {
    let status = chronyc(LOCAL).expect("a status");
    assert_eq!((status.server.as_deref(), status.reference_id), (Some("127.127.1.1"), NtpStatus::LOCAL_REFERENCE));
    assert_eq!(status.sources, Some(Vec::new()));
}

#[test]
fn chronyc_writes_its_errors_where_its_answers_go() {
    let error = |text: &str| chronyc(text).expect_err("it is an error");
    assert_eq!(error("506 Cannot talk to daemon\n"), ToolError::NoDaemon("506 Cannot talk to daemon".into()));
    assert_eq!(error("501 Not authorised\n"), ToolError::Said("501 Not authorised".into()));
    // It writes that where errors go, for a socket that is not there.
    assert_eq!(error("Could not open connection to daemon\n").to_string(), "Could not open connection to daemon");
    assert_eq!(error("\n").to_string(), "no answer");
    let refused = chronyc(&LOCAL.replace('\n', "\n501 Not authorised\n")).expect("a status");
    assert_eq!(refused.sources, None, "what could not be asked for is not known");
}

#[test]
fn chronyc_that_cannot_be_read_says_which_field() {
    let error = |from: &str, to: &str| chronyc(&SYNCED.replacen(from, to, 1)).expect_err("it is an error").to_string();
    assert_eq!(error("7F000001", "7G"), "`7G` is no reference ID");
    assert_eq!(error("0.000000735", "NaN"), "`NaN` is no correction");
    assert_eq!(error("0.403", "inf"), "`inf` is no skew");
    assert_eq!(error("Normal", "Norm"), "`Norm` is no leap status");
    assert_eq!(error(",Normal", ""), "no leap status");
    assert_eq!(error("1795428859.7", "1795428859.7x"), "`1795428859.7x36477716` is no reference time");
    assert_eq!(error("377", "400"), "`400` is no reach");
    assert_eq!(error("^,*", "!,*"), "`!` is no mode of a source");
    let long = error("GPS0", &"x".repeat(300));
    assert_eq!(long, format!("`{}` is no name of a source", "x".repeat(QUOTE_MAX_CHARS)));
}

#[test]
fn sources_beyond_the_limit_are_left_out() {
    let many = format!("{LOCAL}{}", "^,?,10.0.0.1,0,0,0,4294967295,0.0,0.0,0.0\n".repeat(1_000));
    assert_eq!(chronyc(&many).expect("a status").sources.map(|sources| sources.len()), Some(SOURCES_MAX));
}

const SYSTEM: &str = r#"associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
version="ntpd 4.2.8p15@1.3728-o Wed Sep 23 11:46:38 UTC 2020 (1)",
processor="x86_64", system="Linux/5.10.0-8-amd64", leap=00, stratum=2,
precision=-23, rootdelay=0.467, rootdisp=2.139, refid=192.168.1.1,
reftime=e4a5d5c8.80000000  Mon, Jul 19 2021 10:30:00.500,
clock=e4a5d5ef.4d3d8d2b  Mon, Jul 19 2021 10:30:39.301, peer=12345, tc=6,
mintc=3, offset=+0.033000, frequency=-12.345, sys_jitter=0.012000,
clk_jitter=0.005, clk_wander=0.001
"#;
const PEERS: &str = "     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
*192.168.1.1     .GPS.            1 u   23   64  377    0.467    0.033   0.012
+2001:db8::1234:5678:9abc
                 192.168.7.7      2 u   5m   17m 177    1.467   -0.533   0.112
 0.pool.example. .POOL.          16 p    -   64    0    0.000    0.000   0.000
x127.127.22.0    .PPS.            0 l    3   16  377    0.000   91.000   0.002
";

fn both_of(system: &str, peers: &str) -> String {
    format!("{system}{peers}")
}

#[test]
fn ntpq_in_sync() {
    let status = ntpq(&both_of(SYSTEM, PEERS)).expect("a status");
    assert_eq!(
        sources(&status),
        [
            "192.168.1.1 true 1 64s 377 Some(23s)",
            "2001:db8::1234:5678:9abc false 2 1020s 177 Some(300s)",
            "0.pool.example. false 16 64s 0 None",
            "PPS false 0 16s 377 Some(3s)",
        ]
    );
    let wanted = NtpStatus {
        server: Some("192.168.1.1".into()),
        reference_id: 0xc0a8_0101,
        stratum: 2,
        leap: Leap::Normal,
        reference_time: Wall::from_unix_nanos(1_627_084_616_500_000_000),
        correction_s: 0.033 / 1e3,
        last_offset_s: 0.033 / 1e3,
        rms_offset_s: 0.012 / 1e3,
        frequency_ppm: 12.345,
        skew_ppm: 0.001,
        root_delay_s: 0.467 / 1e3,
        root_dispersion_s: 2.139 / 1e3,
        update_interval_s: 64.0,
        sources: status.sources.clone(),
        via: NtpVia::Ntpq,
    };
    assert_eq!(status, wanted);
}

#[test]
fn a_server_that_is_ahead_of_ntpd_shows_a_local_clock_that_is_behind() {
    let status = ntpq(&both_of(&SYSTEM.replace("+0.033000", "5.0"), PEERS)).expect("a status");
    assert_eq!(status.offset_ns(), -5_000_000);
}

#[test]
fn ntpq_before_it_follows_anybody() {
    let system = SYSTEM.replace("leap=00, stratum=2", "leap=11, stratum=16").replace("192.168.1.1", "INIT");
    for none in ["00000000.00000000  Thu, Feb  7 2036  6:28:16.000", "(no time)"] {
        let system = system.replace("e4a5d5c8.80000000  Mon, Jul 19 2021 10:30:00.500", none);
        let status = ntpq(&both_of(&system, &PEERS.replace('*', " "))).expect("a status");
        assert_eq!((status.server, status.reference_id, status.stratum), (None, 0, 16));
        assert_eq!((status.leap, status.reference_time), (Leap::Unsynchronised, Wall::default()));
    }
}

#[test]
fn ntpq_of_reference_clocks() {
    let follow = |refid: &str, row: &str| {
        let status = ntpq(&both_of(&SYSTEM.replace("192.168.1.1", refid), &PEERS.replace("*192.168.1.1  ", row)));
        let status = status.expect("a status");
        (status.server.map(String::from), status.reference_id)
    };
    assert_eq!(follow("PPS", "o127.127.22.0 "), (Some("GPS".into()), 0x5050_5300));
    assert_eq!(follow("LOCL", " 192.168.1.1 "), (Some("127.127.1.1".into()), NtpStatus::LOCAL_REFERENCE));
    assert_eq!(follow("GPS", " 192.168.1.1 "), (Some("GPS".into()), 0x4750_5300));
}

#[test]
fn ntpq_without_a_daemon() {
    for text in ["ntpq: read: Connection refused\n", "localhost: timed out, nothing received\n***Request timed out\n"] {
        assert!(matches!(ntpq(text), Err(ToolError::NoDaemon(_))), "{text}");
    }
    assert_eq!(ntpq("***No information returned\n"), Err(ToolError::Said("***No information returned".into())));
    assert_eq!(ntpq(""), Err(ToolError::Missing("answer")));
}

#[test]
fn ntpq_that_cannot_be_read_says_which_variable() {
    let error = |from: &str, to: &str| ntpq(&SYSTEM.replacen(from, to, 1)).expect_err("it is an error").to_string();
    assert_eq!(error("rootdisp=2.139, ", ""), "no rootdisp");
    assert_eq!(error("offset=+0.033000", "offset=nan"), "`nan` is no offset");
    assert_eq!(error("leap=00", "leap=02"), "`02` is no leap indicator");
    assert_eq!(error("refid=192.168.1.1", "refid=TOOLONG"), "`TOOLONG` is no reference ID");
    assert_eq!(error("e4a5d5c8.8", "e4a5d5c8.x"), "`e4a5d5c8.x0000000  Mon` is no reference time");
    let without_table = ntpq(&both_of(SYSTEM, &PEERS.replace(" 377 ", " 999 "))).expect("a status");
    assert_eq!(without_table.sources, None, "a table that cannot be read tells nothing");
    assert_eq!(ntpq(SYSTEM).expect("a status").sources, None);
}

#[test]
fn ntp_time_goes_on_after_2036() {
    let status = ntpq(&SYSTEM.replace("e4a5d5c8.80000000", "00000001.00000000")).expect("a status");
    assert_eq!(status.reference_time, Wall::from_unix_nanos(2_085_978_497_000_000_000));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz_chronyc(&text);
        fuzz_ntpq(&text);
    }

    #[test]
    fn altered_texts_never_panic(
        golden in prop::sample::select(vec![SYNCED.to_owned(), SLOW.to_owned(), both_of(SYSTEM, PEERS)]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        length: prop::sample::Index,
    ) {
        let mut text = golden.into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        fuzz_chronyc(&text);
        fuzz_ntpq(&text);
        fuzz_chronyc(&text[..length.index(text.len())]);
    }
}
