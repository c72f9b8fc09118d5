use std::os::unix::fs::symlink;

use super::*;
use crate::scratch::Scratch;

/// 2024-02-12T21:20:00Z.
const MONDAY: Wall = Wall::from_unix_nanos(1_707_772_800_000_000_000);
/// The day after.
const TUESDAY: Wall = Wall::from_unix_nanos(1_707_859_200_000_000_000);

fn journal(folder: &Path, size_max: u64, files_max: usize) -> Journal {
    Journal::new(folder.to_owned(), "alpha".parse().expect("a unit ID"), size_max, files_max)
}

fn lines(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from(format!("{text}\n"))).collect()
}

fn write(journal: &mut Journal, now: Wall, texts: &[&str]) {
    journal.write(now, &lines(texts)).unwrap_or_else(|failure| panic!("{}", failure.words));
}

#[test]
fn a_file_that_is_full_is_followed_by_the_next_and_no_line_is_parted() {
    let folder = Scratch::new();
    let mut journal = journal(folder.path(), 10, 9);
    write(&mut journal, MONDAY, &["one", "two", "three", "a line longer than a file", "four"]);
    write(&mut journal, MONDAY, &["five"]);
    let contents: Vec<_> = (1..=4).map(|number| folder.read(&format!("alpha.2024-02-12.{number}.jsonl"))).collect();
    assert_eq!(contents, ["one\ntwo\n", "three\n", "a line longer than a file\n", "four\nfive\n"]);
    assert_eq!(folder.read("alpha.current.jsonl"), "four\nfive\n");
}

#[test]
fn every_day_has_files_of_its_own_and_the_link_follows() {
    let folder = Scratch::new();
    let mut journal = journal(folder.path(), 100, 9);
    write(&mut journal, MONDAY, &["monday"]);
    let link = folder.path().join("alpha.current.jsonl");
    assert_eq!(fs::read_link(&link).expect("a link"), Path::new("alpha.2024-02-12.1.jsonl"));
    write(&mut journal, TUESDAY, &["tuesday"]);
    assert_eq!(fs::read_link(&link).expect("a link"), Path::new("alpha.2024-02-13.1.jsonl"));
    // The clock is set back.
    write(&mut journal, MONDAY, &["monday again"]);
    assert_eq!(folder.read("alpha.2024-02-12.1.jsonl"), "monday\nmonday again\n");
    assert_eq!(folder.names(), ["alpha.2024-02-12.1.jsonl", "alpha.2024-02-13.1.jsonl", "alpha.current.jsonl"]);
}

#[test]
fn the_oldest_files_give_way_and_nobody_elses() {
    let folder = Scratch::new();
    let others = [
        "alpha-2.2024-01-01.1.jsonl",
        "alpha.2024-01-01.01.jsonl",
        "alpha.2024-01-01.1.jsonl.gz",
        "alpha.2024-1-1.1.jsonl",
        "alpha.notes.jsonl",
        "beta.2024-01-01.1.jsonl",
    ];
    for other in others {
        folder.write(other, "not ours\n");
    }
    folder.write("alpha.2023-12-31.9.jsonl", "old\n");
    folder.write("alpha.2023-12-31.10.jsonl", "later\n");
    let mut journal = journal(folder.path(), 4, 3);
    write(&mut journal, MONDAY, &["one"]);
    assert!(folder.names().contains(&"alpha.2023-12-31.9.jsonl".to_owned()));
    write(&mut journal, MONDAY, &["two"]);
    assert!(!folder.names().contains(&"alpha.2023-12-31.9.jsonl".to_owned()), "9 is before 10");
    write(&mut journal, MONDAY, &["3", "4", "5", "6", "7", "8"]);
    let mut left = folder.names();
    left.retain(|name| !others.contains(&name.as_str()));
    let ours: Vec<_> = (3..=5).map(|number| format!("alpha.2024-02-12.{number}.jsonl")).collect();
    assert_eq!(left, [&ours[..], &["alpha.current.jsonl".to_owned()]].concat());
    assert_eq!(folder.names().len(), others.len() + 4);
}

#[test]
fn the_present_file_stays_even_when_a_clock_set_back_makes_it_the_oldest() {
    let folder = Scratch::new();
    let mut journal = journal(folder.path(), 100, 1);
    write(&mut journal, TUESDAY, &["tuesday"]);
    write(&mut journal, MONDAY, &["monday"]);
    assert_eq!(folder.names(), ["alpha.2024-02-12.1.jsonl", "alpha.current.jsonl"]);
}

#[test]
fn a_restart_goes_on_in_the_last_file_of_the_day() {
    let folder = Scratch::new();
    write(&mut journal(folder.path(), 10, 9), MONDAY, &["first", "second", "3"]);
    write(&mut journal(folder.path(), 10, 9), MONDAY, &["4"]);
    assert_eq!(folder.read("alpha.2024-02-12.2.jsonl"), "second\n3\n");
    assert_eq!(folder.read("alpha.2024-02-12.3.jsonl"), "4\n");
    write(&mut journal(folder.path(), 10, 9), MONDAY, &["5"]);
    assert_eq!(folder.read("alpha.2024-02-12.3.jsonl"), "4\n5\n");
}

#[test]
fn what_a_power_cut_tore_is_taken_away_before_the_next_line() {
    let folder = Scratch::new();
    folder.write("alpha.2024-02-12.1.jsonl", "whole\n{\"ts\":\"20");
    write(&mut journal(folder.path(), 100, 9), MONDAY, &["next"]);
    assert_eq!(folder.read("alpha.2024-02-12.1.jsonl"), "whole\nnext\n");
    folder.write("alpha.2024-02-12.1.jsonl", "nothing but a part");
    write(&mut journal(folder.path(), 100, 9), MONDAY, &["next"]);
    assert_eq!(folder.read("alpha.2024-02-12.1.jsonl"), "next\n");
    // Nothing of ours is that long: it is left alone, in a line of its own.
    let size = TORN_MAX + 5;
    folder.write("alpha.2024-02-12.1.jsonl", &"x".repeat(usize::try_from(size).expect("small")));
    write(&mut journal(folder.path(), 2 * size, 9), MONDAY, &["next", "and next"]);
    assert!(folder.read("alpha.2024-02-12.1.jsonl").ends_with("xxx\nnext\nand next\n"));
}

#[test]
fn a_file_that_was_moved_or_removed_is_made_anew_and_so_is_its_folder() {
    let folder = Scratch::new();
    let logs = folder.path().join("logs");
    let mut journal = journal(&logs, 100, 9);
    write(&mut journal, MONDAY, &["one"]);
    fs::rename(logs.join("alpha.2024-02-12.1.jsonl"), logs.join("moved")).expect("ours");
    write(&mut journal, MONDAY, &["two"]);
    assert_eq!(folder.read("logs/alpha.2024-02-12.1.jsonl"), "two\n");
    fs::remove_dir_all(&logs).expect("ours");
    write(&mut journal, MONDAY, &["three"]);
    assert_eq!(folder.read("logs/alpha.current.jsonl"), "three\n");
}

#[test]
fn a_full_disk_is_told_with_what_to_do_and_taken_up_again() {
    let folder = Scratch::new();
    let file = folder.path().join("alpha.2024-02-12.1.jsonl");
    symlink("/dev/full", &file).expect("a link");
    let mut journal = journal(folder.path(), 100, 9);
    let failure = journal.write(MONDAY, &lines(&["one", "two"])).expect_err("it is full");
    assert_eq!(failure.written, 0);
    for part in ["alpha.2024-02-12.1.jsonl", "No space left", "make room", "lost and counted"] {
        assert!(failure.words.contains(part), "{part}: {}", failure.words);
    }
    fs::remove_file(&file).expect("ours");
    write(&mut journal, MONDAY, &["three"]);
    assert_eq!(folder.read("alpha.current.jsonl"), "three\n");
}

#[test]
fn a_file_in_place_of_the_folder_is_told_with_what_to_do() {
    let folder = Scratch::new();
    folder.write("logs", "a file");
    let failure = journal(&folder.path().join("logs"), 100, 9).write(MONDAY, &[]).expect_err("no folder");
    assert!(failure.words.contains("take away what stands in its place"), "{}", failure.words);
}

#[test]
fn a_link_that_cannot_be_set_keeps_no_line_from_being_written() {
    let folder = Scratch::new();
    fs::create_dir_all(folder.path().join("alpha.current.jsonl/full")).expect("ours");
    write(&mut journal(folder.path(), 100, 9), MONDAY, &["one"]);
    assert_eq!(folder.read("alpha.2024-02-12.1.jsonl"), "one\n");
}

/// Takes some bytes, and then no more.
struct Narrow {
    room: usize,
    taken: Vec<u8>,
}

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.min(bytes.len());
        if room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room -= room;
        self.taken.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_line_says_how_much_it_took() {
    let mut disk = Narrow { room: 6, taken: Vec::new() };
    let (done, error) = write_all(&mut disk, b"one\ntwo\n").expect_err("6 of 8");
    assert_eq!((done, error.kind(), &disk.taken[..]), (6, ErrorKind::StorageFull, &b"one\ntw"[..]));
}
