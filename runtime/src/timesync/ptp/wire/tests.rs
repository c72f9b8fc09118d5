//! `golden.txt` says how its datagrams were recorded.

use proptest::prelude::*;

use super::*;
use nunect_core::clock::{PtpState, ScaledNanos};

/// Whose each datagram is, what it is called, and itself.
fn golden() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let lines = include_str!("golden.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let [whose, name, hex] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
            (whose, name, (0..hex.len()).step_by(2).map(byte).collect())
        })
        .collect()
}

fn datagram(whose: &str, name: &str) -> Vec<u8> {
    let found = golden().into_iter().find(|(clock, set, _)| (*clock, *set) == (whose, name));
    found.map(|(_, _, datagram)| datagram).unwrap_or_else(|| panic!("no {name} of {whose}"))
}

/// What the datagram says, as its fields are written.
fn said(whose: &str, name: &str) -> String {
    let datagram = datagram(whose, name);
    format!("{:?}", Response::decode(&datagram).and_then(|response| response.answer()))
}

#[test]
fn every_answer_of_ptp4l_is_read_as_the_data_set_that_was_asked_for() {
    for (whose, name, datagram) in golden() {
        let response = Response::decode(&datagram).unwrap_or_else(|error| panic!("{name} of {whose}: {error}"));
        let header = response.header;
        assert_eq!((header.domain, header.transport_specific), (24, 0), "{name} of {whose}");
        assert_eq!(header.target, PortIdentity::default(), "who asked");
        let answer = response.answer().unwrap_or_else(|error| panic!("{name} of {whose}: {error}"));
        match answer {
            Ok(answer) if name == "grandmaster" => assert_eq!(answer.data_set(), DataSet::ClockDescription),
            Ok(answer) => assert_eq!(answer.data_set().as_str(), name, "{whose}"),
            Err(refusal) => assert_eq!((name, refusal), ("refused", Refusal { code: 2, id: 0x203f })),
        }
    }
}

#[test]
fn the_values_are_those_that_pmc_shows() {
    let datagram = datagram("ordinary", "TIME_STATUS_NP");
    let Ok(Ok(Answer::TimeStatus(status))) = Response::decode(&datagram).and_then(|response| response.answer()) else {
        panic!("a status")
    };
    assert!(status.grandmaster_present && status.master_offset_ns.abs() < 10_000, "{status:?}");
    // 18eaa5… is in 2026.
    assert!((1_790_000_000_000_000_000..1_800_000_000_000_000_000).contains(&status.ingress_ns), "{status:?}");

    let current = said("ordinary", "CURRENT_DATA_SET");
    assert!(current.contains("steps_removed: 2"), "{current}");
    let parent = said("ordinary", "PARENT_DATA_SET");
    assert!(parent.contains("priority1: 10, class: 6, accuracy: 33"), "{parent}");
    assert_eq!(
        said("ordinary", "TIME_PROPERTIES_DATA_SET"),
        "Ok(Ok(TimeProperties(TimeProperties { utc_offset_s: 37, utc_offset_valid: false, ptp_timescale: false, \
         leap61: false, leap59: false, source: 160 })))"
    );
    let properties = said("ordinary", "PORT_PROPERTIES_NP");
    assert!(properties.contains("state: Slave, timestamping: Software, interface: \"s0\""), "{properties}");
    let description = said("ordinary", "CLOCK_DESCRIPTION");
    assert!(description.contains("clock_type: 32768, physical_layer: \"IEEE 802.3\""), "{description}");
    assert!(description.ends_with("address: Ip(10.9.1.2) })))"), "{description}");
    let grandmaster = said("ordinary", "grandmaster");
    assert!(grandmaster.ends_with("address: Ip(10.9.0.1) })))"), "{grandmaster}");
}

#[test]
fn each_port_of_a_boundary_clock_answers_for_itself() {
    let ports: Vec<_> = golden()
        .into_iter()
        .filter(|(whose, name, _)| (*whose, *name) == ("boundary", "PORT_DATA_SET"))
        .map(|(_, _, datagram)| match Response::decode(&datagram).and_then(|response| response.answer()) {
            Ok(Ok(Answer::Port(port))) => port,
            other => panic!("{other:?}"),
        })
        .collect();
    let [first, second] = ports[..] else { panic!("two ports: {ports:?}") };
    assert_eq!((first.port.port, first.state), (1, PtpState::Slave));
    assert_eq!((second.port.port, second.state), (2, PtpState::Master));
    let intervals = (first.log_announce_interval, first.announce_receipt_timeout, first.log_sync_interval);
    assert_eq!(intervals, (-2, 3, -3));
    assert_eq!((first.delay_mechanism, first.peer_delay), (DelayMechanism::EndToEnd, ScaledNanos(0)));
}

#[test]
fn a_datagram_that_is_cut_off_anywhere_is_an_error() {
    for (whose, name, datagram) in golden() {
        for length in 0..datagram.len() {
            let cut = &datagram[..length];
            assert!(Response::decode(cut).is_err(), "{name} of {whose} after {length} bytes");
            fuzz(cut);
            // Also when the length is made to fit, each field that is not there is missed; padding is not.
            let mut fitting = cut.to_vec();
            let stated = u16::try_from(length).expect("a short datagram").to_be_bytes();
            if length >= 4 {
                fitting[2..4].copy_from_slice(&stated);
            }
            assert!(Response::decode(&fitting).is_err(), "{name} of {whose} after {length} bytes");
        }
        fuzz(&datagram);
    }
}

/// Bytes of each data set up to the last one that is read, in the recorded answers of the ordinary clock.
const READ: [(DataSet, usize); 7] = [
    (DataSet::ClockDescription, 29),
    (DataSet::Current, 18),
    (DataSet::Parent, 32),
    (DataSet::TimeProperties, 4),
    (DataSet::Port, 24),
    (DataSet::TimeStatus, 50),
    (DataSet::PortProperties, 15),
];

#[test]
fn a_data_set_that_ends_early_is_an_error() {
    for (set, needed) in READ {
        let whole = datagram("ordinary", set.as_str());
        for length in 0..=needed {
            let mut cut = whole[..QUESTION_BYTES + length].to_vec();
            let size = u16::try_from(cut.len()).expect("a short datagram");
            cut[2..4].copy_from_slice(&size.to_be_bytes());
            cut[50..52].copy_from_slice(&(size - 52).to_be_bytes());
            let response = Response::decode(&cut).expect("a whole message");
            let ends = matches!(response.answer(), Err(WireError::Ends(_)));
            assert_eq!(ends, length < needed, "{set} of {length} bytes: {:?}", response.answer());
        }
    }
}

#[test]
fn what_is_no_answer_says_what_it_is() {
    let whole = datagram("ordinary", "CURRENT_DATA_SET");
    let changed = |at: usize, value: u8| {
        let mut datagram = whole.clone();
        datagram[at] = value;
        Response::decode(&datagram).and_then(|response| response.answer()).map(|_| ()).expect_err("no answer")
    };
    assert_eq!(changed(0, 0x0b).to_string(), "it is no management message of PTP version 2 (type 0xb, version 2)");
    assert_eq!(changed(1, 0x01), WireError::OtherMessage { kind: 0x0d, version: 1 });
    assert_eq!(changed(3, 0xff).to_string(), "it says that it has 255 bytes, and 72 came");
    assert_eq!(changed(3, 47), WireError::Length { stated: 47, got: 72 });
    assert_eq!(changed(46, GET), WireError::OtherAction(GET));
    assert_eq!(changed(49, 3), WireError::OtherTlv(3));
    assert_eq!(changed(51, 0xff), WireError::Ends("TLV's end"));
    assert_eq!(changed(53, 0x77).to_string(), "managementId 0x2077 is none that is asked for");
    assert_eq!(Response::decode(&[0; DATAGRAM_MAX_BYTES + 1]), Err(WireError::TooLong(1_501)));

    let mut port = datagram("ordinary", "PORT_DATA_SET");
    port[QUESTION_BYTES + 10] = 10;
    let error = Response::decode(&port).expect("whole").answer().expect_err("no state");
    assert_eq!(error.to_string(), "10 is no state of a port");
}

#[test]
fn a_length_that_the_datagram_does_not_back_is_an_error() {
    let whole = datagram("ordinary", "CLOCK_DESCRIPTION");
    // The lengths of the protocol's name, the physical address and the network address.
    for (at, length) in [(56, 1), (67, 2), (77, 2)] {
        let mut datagram = whole.clone();
        datagram[at..at + length].fill(0xff);
        let response = Response::decode(&datagram).expect("a whole message");
        assert!(matches!(response.answer(), Err(WireError::Ends(_))), "{at}: {:?}", response.answer());
    }
}

fn identity() -> impl Strategy<Value = PortIdentity> {
    (any::<[u8; 8]>(), any::<u16>()).prop_map(|(clock, port)| PortIdentity { clock: ClockIdentity(clock), port })
}

prop_compose! {
    fn question()(
        domain in any::<u8>(), transport_specific in 0_u8..16, source in identity(), target in identity(),
        hops in any::<u8>(), sequence in any::<u16>(), set in 0..DataSet::ALL.len(),
    ) -> Question {
        Question { domain, transport_specific, source, target, hops, sequence, data_set: DataSet::ALL[set] }
    }
}

proptest! {
    #[test]
    fn a_question_is_read_as_it_was_written(question in question()) {
        prop_assert_eq!(Question::decode(&question.encode()), Ok(question));
    }

    #[test]
    fn no_bytes_whatever_are_a_panic(data in proptest::collection::vec(any::<u8>(), 0..DATAGRAM_MAX_BYTES + 2)) {
        fuzz(&data);
    }

    #[test]
    fn no_answer_with_changed_bytes_is_a_panic(
        which in 0_usize..24, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
    ) {
        let golden = golden();
        let (_, _, mut datagram) = golden[which % golden.len()].clone();
        for (at, value) in changes {
            let at = at % datagram.len();
            datagram[at] = value;
        }
        fuzz(&datagram);
    }
}
