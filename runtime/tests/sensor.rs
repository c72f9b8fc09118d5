//! The sensor against what the kernel says just before and just after it looks.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use nunect_runtime::HostSensor;

/// A point of what a percentage may differ by.
const POINT: f64 = 1.0;

/// Ticks of all processors since the machine started, as sysinfo divides them: waiting for a disk is
/// idle, and time that guests use or a hypervisor takes is busy. The kernel counts that of guests
/// within `user` and `nice`, too, and it is counted once.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    busy: u64,
    idle: u64,
}

fn ticks() -> Ticks {
    let text = std::fs::read_to_string("/proc/stat").expect("Linux");
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).expect("the sum of all processors");
    let numbers: Vec<u64> = line.split_whitespace().map(|field| field.parse().expect("a number")).collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = numbers[..] else { panic!("{line}") };
    Ticks { busy: user + nice + system + irq + softirq + steal, idle: idle + iowait }
}

/// Memory in use in percent: what is not available, of what is there.
fn memory_percent() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let field = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let total = field("MemTotal:");
    (total - field("MemAvailable:")) / total * 100.0
}

#[allow(clippy::cast_precision_loss, reason = "some hundred ticks")]
fn share(busy: u64, idle: u64) -> f64 {
    busy as f64 / (busy + idle).max(1) as f64 * 100.0
}

/// Keeps one processor busy for a while.
fn work(length: Duration) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        black_box((0..1_000_u64).map(black_box).sum::<u64>());
    }
}

/// Looks, and returns the processor's figure with the ticks just before and just after.
fn look(sensor: &mut HostSensor) -> (Ticks, Option<f64>, Ticks) {
    let before = ticks();
    let report = sensor.sample();
    (before, report.cpu_percent.map(f64::from), ticks())
}

#[test]
fn processor_use_lies_between_what_the_kernel_says_just_before_and_just_after() {
    let mut sensor = HostSensor::new();
    let (mut start_before, first, mut start_after) = look(&mut sensor);
    assert_eq!(first, None, "one sample is no difference");
    // Once with a processor busy and once without, if others let it.
    for busy in [true, false, true] {
        let length = Duration::from_millis(600);
        if busy {
            work(length);
        } else {
            thread::sleep(length);
        }
        let (before, percent, after) = look(&mut sensor);
        // The sensor looked between the two of each end, and ticks only grow.
        let (busy_least, busy_most) = (before.busy - start_after.busy, after.busy - start_before.busy);
        let (idle_least, idle_most) = (before.idle.saturating_sub(start_after.idle), after.idle - start_before.idle);
        let (least, most) = (share(busy_least, idle_most), share(busy_most, idle_least));
        let percent = percent.expect("a second sample");
        assert!(least - 0.01 <= percent && percent <= most + 0.01, "{least} <= {percent} <= {most}");
        assert!(most - least < 25.0, "bounds that say something: {least} to {most}");
        (start_before, start_after) = (before, after);
    }
}

#[test]
fn samples_too_close_to_each_other_repeat_the_figure() {
    let mut sensor = HostSensor::new();
    assert_eq!(sensor.sample().cpu_percent, None);
    assert_eq!(sensor.sample().cpu_percent, None, "not the figure since the machine started");
    thread::sleep(Duration::from_millis(250));
    let second = sensor.sample().cpu_percent;
    assert!(second.is_some_and(|percent| (0.0..=100.0).contains(&percent)), "{second:?}");
    assert_eq!(sensor.sample().cpu_percent, second);
}

#[test]
fn memory_in_use_is_what_is_not_available() {
    let mut sensor = HostSensor::new();
    // Held over the second look, so that there is something to see.
    let mut held = Vec::new();
    for _ in 0..2 {
        let before = memory_percent();
        let percent = f64::from(sensor.sample().memory_percent.expect("Linux tells"));
        let after = memory_percent();
        let (least, most) = (before.min(after) - POINT, before.max(after) + POINT);
        assert!(least <= percent && percent <= most, "{least} <= {percent} <= {most}");
        held.extend(std::iter::repeat_n(1_u8, 64 << 20));
    }
    assert_eq!(black_box(&held).len(), 128 << 20);
}
