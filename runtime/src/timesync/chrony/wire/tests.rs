//! The datagrams were recorded from chronyd 4.3 (Debian 4.3-2+deb12u3) on loopback: `chronyd -x -d -f FILE` with
//! a server, a client of it with a reference clock and a source that never answers, and a client over IPv6 with
//! `offset 0.005`; asked with a UDP socket of Python under the sequence number 0x01020304.

use nunect_core::clock::NtpStatus;
use proptest::prelude::*;

use super::*;

/// A client in sync with 127.0.0.1, and what `chronyc -c tracking` said at the same reference time.
pub(crate) const SYNCED: &str = "\
    060200000021000500000000000000000102030400000000000000007f0000017f0000010000000000000000000000000001000000020000\
    000000006b0411fb31bd8e39dab2c9c3d497cedddc9ff6a8f2e21f89f6a014a600e22e91dcf3117cde902a430081f4ba";
/// A client of ::1 whose clock is 5 ms slow.
const SLOW_V6: &str = "\
    06020000002100050000000000000000010203040000000000000000cf404dc8000000000000000000000000000000010002000000020000\
    000000006b0412230f67dc9ff4a3c73fd0a50a95dadf0bcbf3537a82eeb15ffefad846b2e0f3c5e0dafe832e028235e6";
/// One that follows the reference clock GPS0.
const BY_CLOCK: &str = "\
    0602000000210005000000000000000001020304000000000000000047505330000000000000000000000000000000000000000000010000\
    000000006b04122223f7a498e2ce5c198000243d8000243d9a82af4d90aaae65dc8637bcc889705fdcc2037e04800a5a";
/// A server that follows itself.
const LOCAL: &str = "\
    060200000021000500000000000000000102030400000000000000007f7f0101000000000000000000000000000000000000000000010000\
    000000006b0411e9357712b2000000000000000000000000000000000000000000000000000000000000000000000000";
pub(crate) const FIVE_SOURCES: &str = "\
    06020000000e0002000000000000000001020304000000000000000000000005";
/// A reference clock that never answered.
const CLOCK: &str = "\
    06020000000f0003000000000000000001020304000000000000000047505330000000000000000000000000000100000000000000010002\
    00000000ffffffff000000000000000000000000";
/// The server that is followed, at 2⁻² s.
pub(crate) const SELECTED: &str = "\
    06020000000f000300000000000000000102030400000000000000007f00000100000000000000000000000000010000fffe000100000000\
    000000ff00000001d69dd70dd4b19b7bdafc71aa";
/// ::1, which does not answer.
const UNREACHED: &str = "\
    06020000000f0003000000000000000001020304000000000000000000000000000000000000000000000001000200000000000000010000\
    00000000ffffffff000000000000000000000000";
/// A name without an address.
const UNRESOLVED: &str = "\
    06020000000f0003000000000000000001020304000000000000000000000001000000000000000000000000000300000006000000010000\
    00000000ffffffff000000000000000000000000";
const STATISTICS: &str = "\
    0602000000220006000000000000000001020304000000000000000047505330000000000000000000000000000000000000000000000000\
    0000000000000000088000000000000018fa00000000000000000000";
/// The status in each is the answer to: an index beyond the sources, `ntpdata` over UDP, an unknown command, a
/// question that is too short, and one of version 5.
const REFUSALS: [(&str, Refusal); 5] = [
    ("06020000000f00010004000000000000010203040000000000000000", Refusal::NoSuchSource),
    ("06020000003900010002000000000000010203040000000000000000", Refusal::Unauthorised),
    ("0602000003e700010003000000000000010203040000000000000000", Refusal::Invalid),
    ("06020000002100010013000000000000010203040000000000000000", Refusal::Length),
    ("06020000002100010012000000000000010203040000000000000000", Refusal::Version),
];

const GOLDEN: [(&str, Question); 10] = [
    (SYNCED, Question::Tracking),
    (SLOW_V6, Question::Tracking),
    (BY_CLOCK, Question::Tracking),
    (LOCAL, Question::Tracking),
    (FIVE_SOURCES, Question::SourceCount),
    (CLOCK, Question::Source(0)),
    (SELECTED, Question::Source(2)),
    (UNREACHED, Question::Source(3)),
    (UNRESOLVED, Question::Source(4)),
    (STATISTICS, Question::SourceStatistics(0)),
];

pub(crate) fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// `value` as chrony's float, with the largest coefficient that fits.
fn float_bits(value: f64) -> u32 {
    if value == 0.0 {
        return 0;
    }
    let limit = f64::from(1 << 24);
    for exponent in -64..=63 {
        let coefficient = (value * 2.0_f64.powi(25 - exponent)).round();
        if (-limit..limit).contains(&coefficient) {
            #[expect(clippy::cast_possible_truncation, reason = "it was compared with 25 bits")]
            let coefficient = coefficient as i32;
            return exponent.cast_unsigned() << 25 | coefficient.cast_unsigned() & 0x01ff_ffff;
        }
    }
    panic!("{value} is beyond chrony's floats")
}

fn answered(golden: &str, question: Question) -> Answer {
    let datagram = bytes_of(golden);
    let reply = Reply::decode(&datagram).expect("a reply");
    assert_eq!((reply.command, reply.sequence), (question.command(), 0x0102_0304));
    reply.answer(question).expect("an answer").expect("no refusal")
}

fn tracking(golden: &str) -> Tracking {
    let Answer::Tracking(tracking) = answered(golden, Question::Tracking) else { panic!("no tracking") };
    tracking
}

fn source(golden: &str) -> Source {
    let Answer::Source(source) = answered(golden, Question::Source(0)) else { panic!("no source") };
    source
}

/// Nine decimals, as `chronyc -c` writes seconds.
fn nine(value: f64) -> String {
    format!("{value:.9}")
}

#[test]
fn a_question_is_as_long_as_its_answer() {
    for (golden, question) in GOLDEN {
        assert_eq!(question.encode(1).as_ref().len(), bytes_of(golden).len(), "{question:?}");
    }
    let mut wanted = bytes_of("060100000022000001020304000000000000000000000007");
    wanted.resize(84, 0);
    assert_eq!(Question::SourceStatistics(7).encode(0x0102_0304).as_ref(), wanted);
}

#[test]
fn tracking_reads_as_chronyc_shows_it() {
    let t = tracking(SYNCED);
    assert_eq!((t.reference_id, t.stratum, t.leap), (0x7f00_0001, 2, Leap::Normal));
    assert_eq!(t.address.to_string(), "127.0.0.1");
    assert_eq!(t.reference_time, Wall::from_unix_nanos(1_795_428_859_834_506_297));
    assert_eq!((nine(t.last_offset_s), nine(t.rms_offset_s)), ("0.000000071".into(), "0.000001192".into()));
    let ppm = [t.frequency_ppm, t.residual_ppm, t.skew_ppm].map(|ppm| format!("{ppm:.3}"));
    assert_eq!(ppm, ["0.003", "0.010", "0.442"]);
    assert_eq!((nine(t.root_delay_s), format!("{:.1}", t.update_interval_s)), ("0.000001811".into(), "0.3".into()));
}

#[test]
fn a_clock_that_is_slow_has_a_positive_correction() {
    // chronyc: "System time : 0.004998117 seconds slow of NTP time".
    let t = tracking(SLOW_V6);
    assert!((0.004_99..0.005_01).contains(&t.correction_s), "{}", t.correction_s);
    assert_eq!(t.address.to_string(), "::1");
    assert_eq!(t.reference_id, 0xcf40_4dc8, "no address: a hash of one of IPv6");
}

#[test]
fn a_reference_clock_has_a_name_and_no_address() {
    let t = tracking(BY_CLOCK);
    assert_eq!((t.address, reference_name(t.reference_id).as_deref()), (Address::None, Some("GPS0")));
    assert_eq!(nine(t.correction_s), "0.000012300");
    assert_eq!(source(CLOCK).peer, SourcePeer::Clock(0x4750_5330));
    assert_eq!(reference_name(0x5050_5300).as_deref(), Some("PPS"));
    for nameless in [0, NtpStatus::LOCAL_REFERENCE, 0x0050_5053, 0x5000_5053] {
        assert_eq!(reference_name(nameless), None, "{nameless:08x}");
    }
}

#[test]
fn a_server_of_its_own_time_says_so() {
    let t = tracking(LOCAL);
    assert_eq!((t.reference_id, t.address, t.stratum), (NtpStatus::LOCAL_REFERENCE, Address::None, 1));
    assert_eq!(t.correction_s.to_bits(), 0);
}

#[test]
fn sources_read_as_chronyc_shows_them() {
    assert_eq!(answered(FIVE_SOURCES, Question::SourceCount), Answer::SourceCount(5));
    let selected = Source {
        peer: SourcePeer::Host(Address::Ip([127, 0, 0, 1].into())),
        poll: Duration::from_millis(250),
        stratum: 1,
        state: SourceState::Selected,
        reach: 0o377,
        since: Some(Duration::from_secs(1)),
    };
    assert_eq!(source(SELECTED), selected);
    let unreached = source(UNREACHED);
    assert_eq!((unreached.state, unreached.reach, unreached.since), (SourceState::NonSelectable, 0, None));
    assert_eq!(unreached.peer, SourcePeer::Host(Address::Ip("::1".parse().expect("an address"))));
    assert_eq!(source(UNRESOLVED).peer, SourcePeer::Host(Address::Unresolved(1)));
    assert_eq!(Address::Unresolved(1).to_string(), "ID#0000000001");
}

#[test]
fn statistics_read_as_chronyc_shows_them() {
    let Answer::SourceStatistics(s) = answered(STATISTICS, Question::SourceStatistics(0)) else { panic!("another") };
    // chronyc: GPS0,0,0,0,0.000,2000.000,0.000000000,4.000000000
    assert_eq!((s.reference_id, s.address, s.samples, s.runs), (0x4750_5330, Address::None, 0, 0));
    assert_eq!(
        (s.span, format!("{:.3}", s.skew_ppm), nine(s.deviation_s)),
        (Duration::ZERO, "2000.000".into(), "4.000000000".into())
    );
}

#[test]
fn refusals_are_told_apart() {
    for (golden, refusal) in REFUSALS {
        let datagram = bytes_of(golden);
        let reply = Reply::decode(&datagram).expect("a reply");
        assert_eq!(reply.answer(Question::Tracking), Ok(Err(refusal)), "{golden}");
    }
    assert_eq!(Refusal::of_status(15), Some(Refusal::Other(15)));
}

#[test]
fn every_truncation_is_an_error() {
    for (golden, question) in GOLDEN {
        let datagram = bytes_of(golden);
        for length in 0..datagram.len() {
            let read = Reply::decode(&datagram[..length]).and_then(|reply| reply.answer(question));
            assert!(matches!(read, Err(Malformed::Short { .. })), "{question:?}, {length} bytes: {read:?}");
        }
    }
}

/// What `Reply` makes of a golden datagram with other bytes at one place.
fn altered(golden: &str, at: usize, bytes: &[u8], question: Question) -> Malformed {
    let mut datagram = bytes_of(golden);
    datagram[at..at + bytes.len()].copy_from_slice(bytes);
    Reply::decode(&datagram).and_then(|reply| reply.answer(question)).expect_err("it is malformed")
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let tracking = |at, bytes: &[u8]| altered(SYNCED, at, bytes, Question::Tracking).to_string();
    assert_eq!(tracking(0, &[5]), "it speaks version 5 of chronyd's protocol, and version 6 is understood here");
    assert_eq!(tracking(1, &[1]), "a datagram that is no reply (packet type 1)");
    assert_eq!(tracking(6, &[0, 3]), "an answer of kind 3 where kind 5 was asked for");
    assert_eq!(tracking(48, &[0, 9]), "the family of an address cannot be 9");
    assert_eq!(tracking(52, &[1, 0]), "the stratum cannot be 256");
    assert_eq!(tracking(54, &[0, 4]), "the leap indicator cannot be 4");
    assert_eq!(tracking(64, &[0xff; 4]), "the nanoseconds of a time cannot be 4294967295");
    assert_eq!(tracking(56, &[0x70, 0, 0, 0]), "a time cannot be 8070450534043357691");
    let source = |at, bytes: &[u8]| altered(SELECTED, at, bytes, Question::Source(0)).to_string();
    assert_eq!(source(48, &[0x80, 0]), "the polling interval cannot be -32768");
    assert_eq!(source(52, &[0, 6]), "the state of a source cannot be 6");
    assert_eq!(source(54, &[0, 3]), "the mode of a source cannot be 3");
    assert_eq!(source(58, &[1, 0]), "the reach of a source cannot be 256");
}

#[test]
fn a_time_without_an_upper_half_is_one_of_the_first_136_years() {
    let mut datagram = bytes_of(SYNCED);
    datagram[56..60].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let reply = Reply::decode(&datagram).expect("a reply");
    let answer = reply.answer(Question::Tracking).expect("an answer").expect("no refusal");
    assert_eq!(answer, answered(SYNCED, Question::Tracking));
}

#[test]
fn floats_that_can_be_computed_by_hand() {
    assert_eq!(float_of(0).to_bits(), 0);
    for (value, bits) in [(1.0, 0x0480_0000), (-1.0, 0x0300_0000), (0.25, 0x0080_0000)] {
        assert!((float_of(bits) - value).abs() < f64::EPSILON, "{value}: {}", float_of(bits));
    }
    let largest = float_of(0x7eff_ffff);
    assert!(largest > 4.6e18 && largest < 4.7e18, "{largest}");
    assert!(float_of(0x7f00_0000) < -4.6e18);
}

proptest! {
    #[test]
    fn a_float_comes_back_within_its_24_bits(value in -1e18..1e18_f64, scale in -50..=0_i32) {
        let value = value * 2.0_f64.powi(scale);
        let back = float_of(float_bits(value));
        // One unit of the coefficient; below 2^-88 the exponent has no room left.
        let unit = (value.abs() * 2.0_f64.powi(-23)).max(2.0_f64.powi(-88));
        prop_assert!((back - value).abs() <= unit, "{value} {back}");
    }

    #[test]
    fn every_float_is_the_one_that_its_parts_say(bits: u32) {
        let (exponent, coefficient) = (i64::from(bits >> 25), i64::from(bits & 0x01ff_ffff));
        let signed = |value: i64, bits: u32| if value >= 1 << (bits - 1) { value - (1 << bits) } else { value };
        #[expect(clippy::cast_precision_loss, reason = "25 bits fit")]
        let reference = signed(coefficient, 25) as f64 * (signed(exponent, 7) as f64 - 25.0).exp2();
        prop_assert_eq!(float_of(bits), reference);
    }

    #[test]
    fn arbitrary_bytes_never_panic(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz(&datagram);
    }

    #[test]
    fn altered_datagrams_never_panic(
        golden in prop::sample::select(GOLDEN.as_slice()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length: prop::sample::Index,
    ) {
        let mut datagram = bytes_of(golden.0);
        for (at, byte) in changes {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        fuzz(&datagram);
        fuzz(&datagram[..length.index(datagram.len())]);
    }
}
